"""Requests that a function answers, in the place of servers: `ConnectionPool(handler=…)`.

The function takes the place of a connection.  All that is above a connection goes on as it does with a
server: redirects, further tries, decoding, cookies, limits, `fetch_many()`.  A response is checked by the
rules that hold for one on HTTP/2.
"""

import http.client as http_client
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeAlias

from ..errors import (
    BodyReset,
    IncompleteBody,
    MalformedBody,
    MalformedResponse,
    RequestTimeout,
    StreamReset,
    again,
)
from ..http2.stream import Stream
from ..messages.body_file import ALL, BodyFile, incomplete
from ..messages.buffer import Buffer
from ..messages.fields import Field, to_message
from ..messages.request import UNSET, Request
from ..messages.response import HTTP20Response
from ..messages.response_rules import Message
from ..net.resolving import check_host
from ..net.timeouts import end_of_step, remaining
from ..origins.connection import PooledConnection
from ..origins.key import Key
from .checks import kind
from .request import FetchRequest

Fields: TypeAlias = Sequence[tuple[str, str]]


class Reply(Protocol):
    """What a handler returns; `hyperlite.testing.Response` is one."""

    @property
    def status(self) -> int:
        """The status code, 200 or more."""
        ...

    @property
    def headers(self) -> Fields:
        """The header fields, (name, value) pairs; names in any case."""
        ...

    @property
    def body(self) -> bytes | Iterable[bytes]:
        """The body: bytes, which get a content-length, or pieces that are taken when they are read."""
        ...

    @property
    def trailers(self) -> Fields:
        """The fields behind the body."""
        ...

    @property
    def informational(self) -> Sequence[tuple[int, Fields]]:
        """The 1xx responses that come first."""
        ...

    @property
    def delay(self) -> float:
        """Seconds before the response."""
        ...


Handler: TypeAlias = Callable[[FetchRequest], Reply]
_ATTRIBUTES = ("status", "headers", "body", "trailers", "informational", "delay")
# Responses with these statuses have no body (RFC 9110 sections 15.3.5 and 15.4.5).
_BODILESS = (204, 304)


def connector(handler: Handler) -> Callable[..., PooledConnection]:
    """Return what a pool with a handler calls instead of dialling; see `origins.connection.dial()`."""

    def connect(key: Key, *_: Any, **_options: Any) -> PooledConnection:
        if key.resolver is not None:
            check_host(key.resolver, key.host, key.port)
        return PooledConnection(key._replace(proxy=None), None, HandledConnection(handler))

    return connect


class HandledRequest(Stream):
    """A request that a handler answers."""

    __slots__ = ("reply",)

    reply: Reply

    def make_response(self, _kind: Any) -> "HandledResponse":
        """Return the response.

        Raises:
            MalformedResponse: its head breaks HTTP. TypeError: a part of it is of another type.
        """
        return HandledResponse.of(self.request, self.reply)


class HandledConnection:
    """Calls the handler in the place of a connection; there is one for each request.

    A connection that had served a request before would get one more try after a failure, which is not
    counted, because a server may have closed it.
    """

    exchange_class: type[HandledRequest] = HandledRequest
    counts: tuple[int, int] = (0, 0)

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def check(self) -> bool:
        """Return true: there is no peer that could have closed it."""
        return True

    def submit(self, _exchanges: Sequence[HandledRequest], /, *, gather: bool = False) -> bool:
        """Return true; `wait_head` does the work."""
        return True

    def wait_sent(self, exchange: HandledRequest, /) -> None:
        """Read the request's body into memory.

        Raises:
            http.client.CannotSendRequest: it is not as long as its content-length says.
        """
        request = exchange.request
        if request.pieces is not None:
            parts = []
            for piece in request.pieces:
                request.announced.count(len(piece))
                parts.append(piece)
            request.announced.check_whole()
            request.body = b"".join(parts)

    def wait_head(self, exchange: HandledRequest, /) -> bool:
        """Call the handler.

        Raises:
            RequestTimeout: it has taken longer than the request may take.
            TypeError: it has returned something else. Exception: the handler has raised it.
        """
        request = exchange.request
        until = end_of_step(request)
        reply = self._handler(_as_asked(request))
        if not all(hasattr(reply, name) for name in _ATTRIBUTES):
            raise TypeError(f"the handler has returned {kind(reply)}, and not a hyperlite.testing.Response")
        left = remaining(until)
        if reply.delay:
            time.sleep(reply.delay if left is None else min(reply.delay, left))
        if remaining(until) == 0:
            late = until == request.deadline or request.timeout in (None, UNSET)
            limit = "before the deadline" if late else f"within {request.timeout:g} s"
            raise RequestTimeout(f"nothing came {limit}")
        exchange.reply = reply
        return True

    def drop(self, _exchange: HandledRequest, /) -> None:
        """Do nothing: a request that is given up leaves nothing behind."""

    def close(self) -> None:
        """Do nothing: a response can be read to its end."""

    def abandon_all(self) -> None:
        """Do nothing: there is no socket."""


def _as_asked(request: Request) -> FetchRequest:
    """Return a request as a handler gets it: as it would be sent, its body in memory."""
    fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.fields]
    pseudo = {name: value for name, value in fields if name.startswith(":")}
    url = f"{pseudo[':scheme']}://{pseudo[':authority']}{pseudo[':path']}"
    headers = [field for field in fields if field[0] not in pseudo]
    return FetchRequest(url, request.method, headers=headers, body=request.body)


class HandledResponse(HTTP20Response):
    """The response that a handler has returned, as one on HTTP/2."""

    _body: "HandledBody"
    _seen: list[tuple[int, list[Field]]]

    @classmethod
    def of(cls, request: Request, reply: Reply) -> "HandledResponse":
        """Return the response to a request.

        Args:
            request: which.
            reply: what the handler has returned for it.

        Raises:
            As `HandledRequest.make_response()`.
        """
        message = Message(request.method == "HEAD")
        seen = [(status, _encoded(headers)) for status, headers in reply.informational]
        for status, fields in seen:
            message.block([_status(status), *fields], end_stream=False)
        fields, body, trailers = _encoded(reply.headers), reply.body, _encoded(reply.trailers)
        bodiless = request.method == "HEAD" or reply.status in _BODILESS
        if isinstance(body, bytes):
            if reply.status not in _BODILESS and all(name != b"content-length" for name, _ in fields):
                fields.append((b"content-length", b"%d" % len(body)))
            body = (body,)
        message.block([_status(reply.status), *fields], end_stream=False)
        if not message.status:
            raise MalformedResponse(f"malformed response: {reply.status} is no final status")
        made = cls.__new__(cls)
        made._body = HandledBody(request, () if bodiless else body, trailers, message)
        made._seen = seen
        vars(made).update(
            _method=request.method,
            fp=made._body,
            headers=to_message(fields),
            length=message.length,
            status=message.status,
        )
        return made

    @property
    def trailers(self) -> http_client.HTTPMessage:
        """The trailer fields: empty before the body is read."""
        return to_message(self._body.trailers)

    @property
    def informational(self) -> list[tuple[int, http_client.HTTPMessage]]:
        """The 1xx responses that came before this one: (status, header fields) each."""
        return [(status, to_message(fields)) for status, fields in self._seen]

    @property
    def _taken(self) -> int:
        return self._body.taken

    def _end_by(self, deadline: float) -> None:
        self._body.end_by(deadline)

    def _close_at_end(self, short: bool) -> None:
        if short and self.fp is not None and self._body.over:
            self._close_conn()  # type: ignore[attr-defined]


class HandledBody(BodyFile):
    """The body of a handler's response. The pieces are taken from the handler's iterable when they are read.

    Args:
        request: which is answered.
        pieces: of the body.
        trailers: the fields behind it.
        message: checks the response.

    Attributes:
        taken: bytes that were read.
        trailers: the same, once the body has come to its end.
    """

    def __init__(
        self, request: Request, pieces: Iterable[bytes], trailers: Sequence[Field], message: Message
    ) -> None:
        self._pieces: Iterator[bytes] = iter(pieces)
        self._deadline = request.deadline
        self._announced_trailers = trailers
        self._message = message
        self._arrived = Buffer()
        self._failure: Exception | None = None
        self.taken: int = 0
        self.trailers: Sequence[Field] = ()

    @property
    def over(self) -> bool:
        """Whether the whole body was read."""
        return self._message.complete and not self._arrived.size

    def end_by(self, deadline: float) -> None:
        """Set a monotonic time at which reads end; an earlier one stays."""
        self._deadline = deadline if self._deadline is None else min(self._deadline, deadline)

    def close(self) -> None:
        """Let go of the pieces that were not taken."""
        if not self.closed:
            super().close()
            if (close := getattr(self._pieces, "close", None)) is not None:
                close()

    def _advance(self) -> bool:
        """Take pieces until there are bytes to read; false at the end of the body.

        The last announced byte is followed by the end, or the body breaks HTTP.
        """
        while not self._message.complete and not (self._arrived.size and self._message.room != 0):
            if self._failure is not None:
                raise again(self._failure)
            try:
                self._pull()
            except Exception as error:
                self._failure = self._cut_off(error)
                raise self._failure from (error if self._failure is not error else error.__cause__)
            except BaseException:
                self._failure = self._incomplete("a read was interrupted")
                raise
        return bool(self._arrived.size)

    def _pull(self) -> None:
        if remaining(self._deadline) == 0:
            raise RequestTimeout("the body did not end before the deadline")
        piece = next(self._pieces, None)
        if piece is not None:
            data = bytes(memoryview(piece))
            self._message.data(len(data), end_stream=False)
            self._arrived.put(data)
        elif self._announced_trailers:
            self._message.block(self._announced_trailers, end_stream=True)
            self.trailers = self._announced_trailers
        else:
            self._message.data(0, end_stream=True)

    def _cut_off(self, error: Exception) -> Exception:
        """Return the error of a body that has failed: of a connection's own errors, as on HTTP/2."""
        if isinstance(error, TimeoutError) or not isinstance(error, OSError | http_client.HTTPException):
            return error
        cut_off = IncompleteBody
        if isinstance(error, StreamReset):
            cut_off = MalformedBody if isinstance(error, MalformedResponse) else BodyReset
        return self._incomplete(str(error) or type(error).__name__, cut_off)

    def _incomplete(self, reason: str, cut_off: type[IncompleteBody] = IncompleteBody) -> IncompleteBody:
        return incomplete(reason, self.taken + self._arrived.size, self._message.length, cut_off)

    def _take(self, limit: int) -> bytes:
        if not self._advance():
            return b""
        data = self._arrived.take(min(limit, self._arrived.size))
        self.taken += len(data)
        return data

    _take_some = _take

    def _take_into(self, view: memoryview) -> int:
        size = self._arrived.take_into(view[: self._arrived.size]) if self._advance() else 0
        self.taken += size
        return size

    def _put_back(self, data: bytes) -> None:
        self._arrived.put_back(data)
        self.taken -= len(data)

    def _give_back(self, data: bytes, wanted: int, error: BaseException) -> None:
        length = self._message.length
        whole = wanted == ALL or (length is not None and self.taken - len(data) + wanted >= length)
        if whole and isinstance(error, IncompleteBody):
            error.partial = data
        else:
            self._put_back(data)


def _status(status: int) -> Field:
    return b":status", b"%d" % status


def _encoded(headers: Fields) -> list[Field]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
