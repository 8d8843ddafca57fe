"""A response that is over, without its connection: what pickle and copy keep of one.

A `FetchResponse` stands on an `HTTP20Response`, which stands on a stream or a socket.  When all of it has
come, the status, the fields and the trailers are all that is left to ask that one for.
"""

import http.client as http_client
from typing import Any, NamedTuple

from ..messages.fields import message_of
from ..messages.marks import NOT_YET, Marks
from ..messages.request import IN_MEMORY
from ..messages.response import HTTP_2, HTTP20Response
from ..messages.spelling import spelled_message
from ..messages.urls import URL
from .reader import Reader

Fields = list[tuple[str, str]]
_LEFT_OUT = frozenset({"raw", "_again", "_headers", "_lease", "_reader", "_url"})


class Head(NamedTuple):
    """All that a response has beside its body."""

    method: str
    version: int
    status: int
    reason: str
    fields: Fields  # their names as the server has sent them
    trailers: Fields
    informational: list[tuple[int, Fields]]
    stream_id: int | None
    marks: Marks

    @classmethod
    def of(cls, raw: HTTP20Response, method: str, headers: http_client.HTTPMessage) -> "Head":
        """Take the head of a response.

        Args:
            raw: the response.
            method: of its request.
            headers: its header fields, their names as the server has sent them.
        """
        informational = [(status, message.items()) for status, message in raw.informational]
        return cls(
            method,
            raw.version,
            raw.status,
            raw.reason,
            headers.items(),
            raw.trailers.items(),
            informational,
            raw.stream_id,
            raw._marks,
        )

    @property
    def message(self) -> http_client.HTTPMessage:
        """The fields, their names as the server has sent them."""
        return message_of(list(self.fields))


class KeptResponse(HTTP20Response):
    """The `HTTP20Response` beneath a response that was pickled or copied: all but the body."""

    _head: Head
    _marks: Marks = NOT_YET  # a property of one that has a stream

    @classmethod
    def from_head(cls, head: Head) -> "KeptResponse":
        """Return the response with this head."""
        made = cls.__new__(cls)
        message = head.message
        if head.version == HTTP_2:
            fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in head.fields]
            message = spelled_message(fields)
        vars(made).update(
            _head=head,
            _method=head.method,
            fp=None,
            headers=message,
            length=0,
            _marks=head.marks,
            reason=head.reason,
            status=head.status,
            stream_id=head.stream_id,
            version=head.version,
        )
        return made

    @property
    def trailers(self) -> http_client.HTTPMessage:
        """The trailer fields."""
        return message_of(self._head.trailers)

    @property
    def informational(self) -> list[tuple[int, http_client.HTTPMessage]]:
        """The 1xx responses that came before this one: (status, header fields) each."""
        return [(status, message_of(fields)) for status, fields in self._head.informational]

    def __reduce__(self) -> tuple[Any, ...]:
        return KeptResponse.from_head, (self._head,)


def state_of(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return what is kept of the attributes of a response: none that belongs to its connection."""
    state = {name: value for name, value in attributes.items() if name not in _LEFT_OUT}
    method, headers, body, *times = attributes["_asked"]
    state["_asked"] = method, headers, body if isinstance(body, IN_MEMORY) else None, *times
    return state


def restored(kind: Any, head: Head, url: URL, state: dict[str, Any], progress: tuple[bool, bool]) -> Any:
    """Return a response that was pickled or copied.

    Args:
        kind: the class.
        head: what is left of the response beneath.
        url: of the response.
        state: further attributes.
        progress: whether a part of the body was handed out, piece by piece, and all of it.
    """
    made = kind.__new__(kind)
    raw = KeptResponse.from_head(head)
    vars(made).update(state, raw=raw, _headers=head.message, _lease=None, _url=url)
    if any(progress):
        made._reader = Reader(raw)
        made._reader.begun, made._reader.ended = progress
    return made
