"""What an engine reports: one object for each thing that the peer did, in the order of its doing.

`wire_id` is the number of the stream on this connection's wire, private to the engine and the connection.
Callers know another id, because that one outlives the socket.

These are no dataclasses: the dataclasses module takes longer to import than all of hyperlite.
"""

from typing import ClassVar

from ...messages.fields import Field


class Event:
    """The base of all events; two that say the same are equal."""

    __slots__: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Event) and type(self) is type(other) and self._values() == other._values()

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        values = ", ".join(
            f"{name}={value!r}" for name, value in zip(self.__slots__, self._values(), strict=True)
        )
        return f"{type(self).__name__}({values})"

    def _values(self) -> list[object]:
        return [getattr(self, name) for name in self.__slots__]


class InformationalReceived(Event):
    """A 1xx response came (RFC 9110 section 15.2); the final one is still to come."""

    __slots__ = ("fields", "status", "wire_id")

    def __init__(self, wire_id: int, status: int, fields: list[Field]) -> None:
        self.wire_id: int = wire_id
        self.status: int = status
        self.fields: list[Field] = fields


class ResponseReceived(Event):
    """The final header block came; with `end_stream`, it was the whole response.

    `length` is that of the body: 0 if no body may follow, None if the server announced no length.
    """

    __slots__ = ("end_stream", "fields", "length", "status", "wire_id")

    def __init__(
        self, wire_id: int, status: int, fields: list[Field], length: int | None, end_stream: bool
    ) -> None:
        self.wire_id: int = wire_id
        self.status: int = status
        self.fields: list[Field] = fields
        self.length: int | None = length
        self.end_stream: bool = end_stream


class DataReceived(Event):
    """A piece of the body came, perhaps the last: of one frame, or of several that follow one another."""

    __slots__ = ("data", "end_stream", "wire_id")

    def __init__(self, wire_id: int, data: bytes, end_stream: bool) -> None:
        self.wire_id: int = wire_id
        self.data: bytes = data
        self.end_stream: bool = end_stream


class TrailersReceived(Event):
    """The trailer section came (RFC 9110 section 6.5), and with it the end of the stream."""

    __slots__ = ("fields", "wire_id")

    def __init__(self, wire_id: int, fields: list[Field]) -> None:
        self.wire_id: int = wire_id
        self.fields: list[Field] = fields


class PushPromised(Event):
    """The peer pushes (RFC 9113 section 8.4): it names a request, and answers it on a new stream."""

    __slots__ = ("fields", "promised_id", "wire_id")

    def __init__(self, wire_id: int, promised_id: int, fields: list[Field]) -> None:
        self.wire_id: int = wire_id
        self.promised_id: int = promised_id
        self.fields: list[Field] = fields


class StreamFailed(Event):
    """The stream is over before its time.

    `remote`: the peer reset it; otherwise we did, because the peer broke a rule on it.  A remote reset
    with NO_ERROR after a complete response only stops the rest of the request's body (RFC 9113
    section 8.1).
    """

    __slots__ = ("error_code", "reason", "remote", "wire_id")

    def __init__(self, wire_id: int, error_code: int, reason: str, remote: bool) -> None:
        self.wire_id: int = wire_id
        self.error_code: int = error_code
        self.reason: str = reason
        self.remote: bool = remote


class SettingsReceived(Event):
    """The peer's SETTINGS were applied: how many streams it takes, how large its windows are."""

    __slots__ = ()


class WindowOpened(Event):
    """More may be sent: on one stream, or with `wire_id` 0 on the connection."""

    __slots__ = ("wire_id",)

    def __init__(self, wire_id: int) -> None:
        self.wire_id: int = wire_id


class PingAcknowledged(Event):
    """Our PING came back."""

    __slots__ = ("payload",)

    def __init__(self, payload: bytes) -> None:
        self.payload: bytes = payload


class GoAwayReceived(Event):
    """The peer takes no further streams, and has not processed those above `last_wire_id`."""

    __slots__ = ("debug", "error_code", "last_wire_id")

    def __init__(self, last_wire_id: int, error_code: int, debug: bytes) -> None:
        self.last_wire_id: int = last_wire_id
        self.error_code: int = error_code
        self.debug: bytes = debug


class ConnectionFailed(Event):
    """The peer broke the protocol: GOAWAY with `error_code` is in `take()`, nothing more will be read."""

    __slots__ = ("error_code", "not_http2", "reason")

    def __init__(self, error_code: int, reason: str, not_http2: bool = False) -> None:
        self.error_code: int = error_code
        self.reason: str = reason
        self.not_http2: bool = not_http2
