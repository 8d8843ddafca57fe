"""What an engine reports: one object per thing that the peer did, in the order in which he did it.

`wire_id` is the number of the stream on this connection's wire, private to engine and mux; the id
that callers know is another one, because it outlives the socket.
"""

from dataclasses import dataclass

from ..fields import Field


@dataclass(slots=True)
class InformationalReceived:
    """A 1xx response came (RFC 9110 section 15.2); the final one is still to come."""

    wire_id: int
    status: int
    fields: list[Field]


@dataclass(slots=True)
class ResponseReceived:
    """The final header block came; with `end_stream`, that was the whole response.

    `length` is that of the body: 0 where none may follow, None where it was not announced.
    """

    wire_id: int
    status: int
    fields: list[Field]
    length: int | None
    end_stream: bool


@dataclass(slots=True)
class DataReceived:
    """A piece of the body came, perhaps the last."""

    wire_id: int
    data: bytes
    end_stream: bool


@dataclass(slots=True)
class TrailersReceived:
    """The trailer section came (RFC 9110 section 6.5), and with it the end of the stream."""

    wire_id: int
    fields: list[Field]


@dataclass(slots=True)
class StreamFailed:
    """The stream is over before its time.

    `remote`: the peer reset it; otherwise we did, because what came on it broke a rule.  After a
    complete response a remote reset with NO_ERROR says only that the rest of the request's body is
    not wanted (RFC 9113 section 8.1).
    """

    wire_id: int
    error_code: int
    reason: str
    remote: bool


@dataclass(slots=True)
class SettingsReceived:
    """The peer's SETTINGS were applied: how many streams it takes, how large its windows are."""


@dataclass(slots=True)
class WindowOpened:
    """More may be sent: on one stream, or with `wire_id` 0 on the connection."""

    wire_id: int


@dataclass(slots=True)
class PingAcknowledged:
    """Our PING came back."""

    payload: bytes


@dataclass(slots=True)
class GoAwayReceived:
    """The peer takes no further streams; those above `last_wire_id` it has not processed."""

    last_wire_id: int
    error_code: int
    debug: bytes


@dataclass(slots=True)
class ConnectionFailed:
    """The peer broke the protocol: GOAWAY with `error_code` is in `take()`, nothing more will be read."""

    error_code: int
    reason: str
    not_http2: bool = False


Event = (
    InformationalReceived
    | ResponseReceived
    | DataReceived
    | TrailersReceived
    | StreamFailed
    | SettingsReceived
    | WindowOpened
    | PingAcknowledged
    | GoAwayReceived
    | ConnectionFailed
)
