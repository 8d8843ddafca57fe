"""Faults on demand: what servers and networks do that a client must cope with."""

import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from h2.errors import ErrorCodes

from hyperlite.testing.exchange import Exchange, Handler, PlainHandler, StreamingHandler
from hyperlite.testing.messages import Request, Response

Play = Callable[[Handler], Handler]
"""Puts a fault around the handler that would have answered."""


@dataclass
class _Fault:
    name: str
    path: str | None
    left: int | None
    play: Play
    http2_only: bool = False

    def concerns(self, request: Request) -> bool:
        return self.path in (None, request.path) and (request.protocol == "h2" or not self.http2_only)


class Faults:
    """The faults of one server, `server.faults`: each call here arranges one for requests to come.

    Each fault has these arguments:

    - `path`: the path of the requests that meet it; None is any.
    - `times`: how many requests meet it before the route answers again; None is every request until `clear`.

    The first fault that was arranged, and that concerns a request, is the one that it meets. `request.fault`
    says which that was. `after` is how many bytes of the route's body are sent first, behind the headers;
    with None not even the headers are. It, and `drip`, need a route that returns a `Response`.
    """

    def __init__(self, tls: ssl.SSLContext | None, alpn: Sequence[str]) -> None:
        """Take the server's TLS context and the protocols that it offers."""
        self._tls = tls
        self._alpn = list(alpn)
        self._lock = threading.Lock()
        self._faults: list[_Fault] = []
        self.http1_alone: bool = False
        """Whether new connections speak HTTP/1.1: see `http1_only`."""

    # -- the faults -------------------------------------------------------------------------------

    def reset(
        self,
        path: str | None = None,
        *,
        times: int | None = 1,
        after: int | None = None,
        error_code: int = ErrorCodes.INTERNAL_ERROR,
    ) -> None:
        """Reset the stream (RST_STREAM) with `error_code`; on HTTP/1.1 close the connection."""
        self._add("reset", path, times, partial(_interrupted, after, lambda one: one.reset(error_code)))

    def refuse(self, path: str | None = None, *, times: int | None = 1) -> None:
        """Refuse the stream (REFUSED_STREAM): the request is not processed, so any client may repeat it.

        On HTTP/1.1, which has no such thing, close the connection without an answer.
        """
        play = partial(_interrupted, None, lambda one: one.reset(ErrorCodes.REFUSED_STREAM))
        self._add("refuse", path, times, play)

    def goaway(self, path: str | None = None, *, times: int | None = 1) -> None:
        """Send a GOAWAY that leaves the request out, finish the requests before it, and close.

        The request is not processed, so any client may repeat it on another connection. On HTTP/1.1, which
        has no such thing, close the connection without an answer.
        """
        self._add("goaway", path, times, partial(_interrupted, None, Exchange.goaway))

    def stall(self, path: str | None = None, *, times: int | None = 1, after: int | None = None) -> None:
        """Send nothing more, and leave the connection open, until the client or the server closes."""
        self._add("stall", path, times, partial(_interrupted, after, _stall))

    def cut(self, path: str | None = None, *, times: int | None = 1, after: int | None = None) -> None:
        """Break the connection off, with all the streams on it."""
        self._add("cut", path, times, partial(_interrupted, after, Exchange.disconnect))

    def drip(
        self, path: str | None = None, *, times: int | None = 1, size: int = 1, pause: float = 0.01
    ) -> None:
        """Send the body in pieces of `size` bytes, `pause` seconds apart."""
        self._add("drip", path, times, partial(_dripping, size, pause))

    def slow(self, path: str | None = None, *, times: int | None = 1, seconds: float) -> None:
        """Wait so many seconds before the response. Other streams do not wait."""
        self._add("slow", path, times, partial(_slow, seconds))

    def require_http1(self, path: str | None = None, *, times: int | None = 1) -> None:
        """Reset the stream with HTTP_1_1_REQUIRED; over HTTP/1.1 the route answers, and nothing counts."""
        play = partial(_interrupted, None, lambda one: one.reset(ErrorCodes.HTTP_1_1_REQUIRED))
        self._add("require_http1", path, times, play, http2_only=True)

    def http1_only(self) -> None:
        """Speak nothing but HTTP/1.1 on connections to come; `Server.goaway` ends those that stand."""
        self.http1_alone = True
        if self._tls is not None:
            self._tls.set_alpn_protocols(["http/1.1"])

    def clear(self) -> None:
        """Forget the faults that no request has met yet, and `http1_only`."""
        with self._lock:
            self._faults.clear()
        if self.http1_alone and self._tls is not None:
            self._tls.set_alpn_protocols(self._alpn)
        self.http1_alone = False

    # -- what the server calls --------------------------------------------------------------------

    def meet(self, request: Request, handler: Handler) -> Handler:
        """Return what answers a request: its handler, or one that plays the fault that the request meets."""
        if not self._faults:
            return handler
        with self._lock:
            fault = next((one for one in self._faults if one.concerns(request)), None)
            if fault is None:
                return handler
            if fault.left is not None:
                fault.left -= 1
                if not fault.left:
                    self._faults.remove(fault)
        request.fault = fault.name
        return fault.play(handler)

    def _add(
        self, name: str, path: str | None, times: int | None, play: Play, *, http2_only: bool = False
    ) -> None:
        if times is not None and times < 1:
            raise ValueError(f"A fault is for one request or more, not {times}.")
        with self._lock:
            self._faults.append(_Fault(name, path, times, play, http2_only))


def _interrupted(after: int | None, end: Callable[[Exchange], None], handler: Handler) -> Handler:
    """Return a handler that sends a part of the response, and then does something else."""

    def conduct(exchange: Exchange) -> None:
        if after is not None:
            response = _begin(exchange, handler)
            for piece in _first(after, response.body):
                exchange.send(piece)
        end(exchange)

    return StreamingHandler(conduct)


def _dripping(size: int, pause: float, handler: Handler) -> Handler:
    def conduct(exchange: Exchange) -> None:
        response = _begin(exchange, handler)
        for piece in _pieces(response.body):
            for start in range(0, len(piece), size):
                exchange.send(piece[start : start + size])
                exchange.pause(pause)
        exchange.end(response.trailers)

    return StreamingHandler(conduct)


def _slow(seconds: float, handler: Handler) -> Handler:
    def answer(request: Request) -> Response:
        assert not isinstance(handler, StreamingHandler)
        response = handler(request)
        return replace(response, delay=response.delay + seconds)

    def conduct(exchange: Exchange) -> None:
        assert isinstance(handler, StreamingHandler)
        exchange.pause(seconds)
        handler.function(exchange)

    return StreamingHandler(conduct) if isinstance(handler, StreamingHandler) else answer


def _stall(exchange: Exchange) -> None:
    exchange.pause(None)
    exchange.reset()


def _begin(exchange: Exchange, handler: Handler) -> Response:
    """Call a plain handler, and send the head of its response."""
    if isinstance(handler, StreamingHandler):
        raise TypeError("drip() and after= need a route that returns a Response, not one that streams.")
    plain: PlainHandler = handler
    exchange.request.body = b"".join(iter(exchange.read, b""))
    response = plain(exchange.request)
    for status, headers in response.informational:
        exchange.inform(status, headers)
    if response.delay:
        exchange.pause(response.delay)
    exchange.start(response.status, response.lengthy_headers())
    return response


def _pieces(body: bytes | Iterable[bytes]) -> Iterable[bytes]:
    return (body,) if isinstance(body, bytes) else body


def _first(size: int, body: bytes | Iterable[bytes]) -> Iterator[bytes]:
    """Yield the first bytes of a body, in pieces."""
    for piece in _pieces(body):
        if size <= 0:
            return
        yield piece[:size]
        size -= len(piece)
