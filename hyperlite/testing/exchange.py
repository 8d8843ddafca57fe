"""Handlers that stream: they are called when the headers are there, and read and write as they like."""

import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from h2.errors import ErrorCodes

from hyperlite.testing.messages import Headers, Request, Response, is_bodiless


class Exchange(ABC):
    """A request and its response, both under way.

    It is for one thread, the handler's. Every call raises ConnectionError once the stream or its connection
    is gone, and RuntimeError when it comes out of turn.
    """

    request: Request
    """The request. Its body is not filled in, and its trailers only when `read` has returned the end."""

    def __init__(self, request: Request, delay: float) -> None:
        """Take the request and the seconds to wait before the response."""
        self.request = request
        self._delay = delay
        self._continue = request.expects_continue
        self._silent = False
        self.started: bool = False
        """Whether the response has been started."""
        self.ended: bool = False
        """Whether it has been ended, or the exchange broken off."""
        self.dead: bool = False
        """Whether the stream or its connection is known to be gone."""

    def read(self, n: int = 65536) -> bytes:
        """Return what has arrived of the body, at most `n` bytes; wait if nothing has; b"" is the end.

        Only what is read is credited to the client's flow control. The first call sends the 100 (Continue) to
        a client that expects it.
        """
        if self._continue:
            self.inform(100)
        return self._read(n)

    def inform(self, status: int, headers: Headers = ()) -> None:
        """Send an informational (1xx) response, with a `status` and `headers`."""
        if self.started:
            raise RuntimeError("The response has started already.")
        if status == 100:
            self._continue = False
        self._inform(status, headers)

    def start(self, status: int = 200, headers: Headers = ()) -> None:
        """Send the status and the headers, after the server's delay."""
        if self.started:
            raise RuntimeError("The response has started already.")
        if self._delay:
            self.pause(self._delay)
        self.started = True
        self._silent = is_bodiless(self.request.method, status)
        self._start(status, headers)
        self._continue = False

    def send(self, data: bytes) -> None:
        """Send `data`, a piece of the body; wait until flow control has let all of it pass."""
        if not self.started or self.ended:
            raise RuntimeError("The response has not started, or has ended.")
        if data and not self._silent:
            self._send(data)

    def end(self, trailers: Headers = ()) -> None:
        """End the response, after these trailers if there are any."""
        if not self.started or self.ended:
            raise RuntimeError("The response has not started, or has ended.")
        self.ended = True
        self._end(() if self._silent else trailers)

    def reset(self, error_code: int = ErrorCodes.INTERNAL_ERROR) -> None:
        """Break off: reset the stream with `error_code`, or close an HTTP/1.1 connection."""
        self.started = self.ended = self.dead = True
        self._reset(error_code)

    def goaway(self) -> None:
        """Leave the request out of a GOAWAY: requests before it are finished, and the connection is closed.

        On HTTP/1.1 the connection is closed without an answer.
        """
        self.started = self.ended = self.dead = True
        self._goaway()

    def disconnect(self) -> None:
        """Break the connection off, with all the streams on it."""
        self.started = self.ended = self.dead = True
        self._disconnect()

    @abstractmethod
    def pause(self, seconds: float | None) -> None:
        """Wait so many seconds, None for ever. It ends early with the server.

        On HTTP/2 it also ends with the stream, and raises ConnectionError then.
        """

    @abstractmethod
    def _goaway(self) -> None: ...

    @abstractmethod
    def _disconnect(self) -> None: ...

    @abstractmethod
    def _read(self, n: int) -> bytes: ...

    @abstractmethod
    def _inform(self, status: int, headers: Headers) -> None: ...

    @abstractmethod
    def _start(self, status: int, headers: Headers) -> None: ...

    @abstractmethod
    def _send(self, data: bytes) -> None: ...

    @abstractmethod
    def _end(self, trailers: Headers) -> None: ...

    @abstractmethod
    def _reset(self, error_code: int) -> None: ...


@dataclass(frozen=True)
class StreamingHandler:
    """A function that conducts exchanges; `streaming` makes one."""

    function: Callable[[Exchange], None]

    def conduct(self, exchange: Exchange) -> None:
        """Call the function and bring the exchange to an end that it has left open.

        A failure gives a 500 (Internal Server Error), or a reset if the response has started.
        """
        try:
            self.function(exchange)
            if exchange.dead:
                return  # The client does not wait for an answer any more.
            if not exchange.started:
                raise RuntimeError("The handler has returned without a response.")
            if not exchange.ended:
                exchange.end()
        except Exception as error:
            if exchange.dead and isinstance(error, ConnectionError):
                return  # It is only the client that went away.
            traceback.print_exc()
            with suppress(ConnectionError):
                self._fail(exchange)

    def _fail(self, exchange: Exchange) -> None:
        if exchange.started:
            exchange.reset()
        else:
            exchange.start(500)
            exchange.end()


PlainHandler = Callable[[Request], Response]
"""A function that answers a request whose whole body has arrived."""

Handler = PlainHandler | StreamingHandler
"""What answers a request."""


def streaming(function: Callable[[Exchange], None]) -> StreamingHandler:
    """Make a handler of a function that reads and writes an `Exchange` itself, in a thread of its own."""
    return StreamingHandler(function)
