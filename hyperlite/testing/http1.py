"""The server's side of an HTTP/1.1 connection: a blocking loop, one request after the other."""

import http
import socket
import traceback
from contextlib import suppress

from hyperlite.testing.exchange import Exchange, StreamingHandler
from hyperlite.testing.messages import Headers, Request, Response, has, is_bodiless
from hyperlite.testing.service import Service
from hyperlite.testing.sockets import break_off, part

_PIECE = 1 << 16
_LONGEST_HEAD = 1 << 18
_REASONS = {status.value: status.phrase for status in http.HTTPStatus}


class Http1Connection:
    """A connection that speaks HTTP/1.1; `run` serves it in the calling thread."""

    def __init__(self, sock: socket.socket, service: Service, number: int, received: bytes = b"") -> None:
        """Take a connected socket, in blocking mode, and what has been read from it already."""
        self._socket = sock
        self._service = service
        self._number = number
        self._wire = _Wire(sock, received)
        self._taken = 0

    def run(self) -> None:
        """Answer requests until either side wants no more.

        Raises ConnectionError once the client is gone.
        """
        try:
            while self._serve():
                pass
        except _BadRequestError as error:
            message = f"{error}\n".encode()
            head = _head(400, [("content-length", str(len(message))), ("connection", "close")])
            self._wire.write(head + message)
        part(self._socket)

    def _serve(self) -> bool:
        """Answer a request; return whether there may be another."""
        version, request = self._request()
        self._taken += 1
        modern = version != "HTTP/1.0"
        body = _Body(self._wire, request)
        exchange = _Http1Exchange(
            request,
            self._service,
            self._wire,
            body,
            modern=modern,
            keep=modern
            and not _wants_close(request.headers)
            and self._taken != self._service.requests_per_connection,
        )
        handler = self._service.take(request)
        if isinstance(handler, StreamingHandler):
            handler.conduct(exchange)
        else:
            request.body = exchange.read_all()
            exchange.respond(self._service.answer(handler, request))
        if exchange.keep:
            # What the handler has left unread is in the way of the next request.
            body.skip()
        return exchange.keep

    def _request(self) -> tuple[str, Request]:
        head = self._wire.until(b"\r\n\r\n").decode("latin-1")
        try:
            line, *lines = head.split("\r\n")
            method, target, version = line.split(" ")
            fields = _fields(lines)
        except ValueError:
            raise _BadRequestError("This is no request.") from None
        if version not in ("HTTP/1.1", "HTTP/1.0"):
            raise _BadRequestError(f"{version} is not spoken here.")
        request = Request(method, target, "", fields, "http/1.1", self._number)
        request.authority = request.header("host") or ""
        return version, request


class _BadRequestError(ConnectionError):
    """The client has sent what makes no sense, or too much: the connection is of no more use."""


class _Wire:
    """A blocking socket and the bytes read ahead. Methods raise ConnectionError once the client is gone."""

    def __init__(self, sock: socket.socket, received: bytes) -> None:
        self._socket = sock
        self._data = bytearray(received)

    def until(self, mark: bytes) -> bytes:
        """Return what comes before the mark, and skip the mark."""
        start = 0
        while (end := self._data.find(mark, start)) < 0:
            if len(self._data) > _LONGEST_HEAD:
                raise _BadRequestError("This is too long.")
            start = max(0, len(self._data) - len(mark) + 1)
            self._fill()
        result = bytes(self._data[:end])
        del self._data[: end + len(mark)]
        return result

    def some(self, n: int) -> bytes:
        """Return what there is, at least one byte and at most n."""
        if not self._data:
            self._fill()
        result = bytes(self._data[:n])
        del self._data[:n]
        return result

    def write(self, data: bytes) -> None:
        """Send all of this."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise ConnectionError("The client is gone.") from error

    def break_off(self) -> None:
        """Close the connection without any more ado."""
        break_off(self._socket)

    def _fill(self) -> None:
        try:
            data = self._socket.recv(_PIECE)
        except OSError as error:
            raise ConnectionError("The client is gone.") from error
        if not data:
            raise ConnectionError("The client has closed the connection.")
        self._data += data


class _Body:
    """The body of a request, chunked or of a known length."""

    def __init__(self, wire: _Wire, request: Request) -> None:
        self._wire = wire
        self._request = request
        self._chunked = (request.header("transfer-encoding") or "").lower() == "chunked"
        self._left = 0 if self._chunked else _number(request.header("content-length") or "0", 10)
        self.complete = not self._chunked and not self._left

    def read(self, n: int) -> bytes:
        """Return what has arrived, at most `n` bytes; wait if nothing has; b"" is the end."""
        if self._chunked and not self._left and not self.complete:
            self._next_chunk()
        if self.complete:
            return b""
        data = self._wire.some(min(n, self._left))
        self._left -= len(data)
        if not self._left:
            if not self._chunked:
                self.complete = True
            elif self._wire.until(b"\r\n"):
                raise _BadRequestError("A chunk is longer than it says.")
        return data

    def skip(self) -> None:
        """Read to the end."""
        while self.read(_PIECE):
            pass

    def _next_chunk(self) -> None:
        self._left = _number(self._wire.until(b"\r\n").partition(b";")[0].decode("latin-1"), 16)
        if not self._left:
            lines = []
            while line := self._wire.until(b"\r\n"):
                lines.append(line.decode("latin-1"))
            try:
                self._request.trailers += _fields(lines)
            except ValueError:
                raise _BadRequestError("These are no trailers.") from None
            self.complete = True


class _Http1Exchange(Exchange):
    """A request and its response; plain handlers' too."""

    def __init__(
        self, request: Request, service: Service, wire: _Wire, body: _Body, *, modern: bool, keep: bool
    ) -> None:
        super().__init__(request, service.delay)
        self._service = service
        self._wire = wire
        self._body = body
        self._modern = modern
        self._chunked = False
        self.keep = keep
        """Whether the connection can take another request after this one."""

    def read_all(self) -> bytes:
        """Return the whole body."""
        if self._body.complete:
            return b""
        return b"".join(iter(self.read, b""))

    def respond(self, response: Response) -> None:
        """Send the response of a plain handler."""
        for status, headers in response.informational:
            self.inform(status, headers)
        self._delay += response.delay
        if isinstance(response.body, bytes) and not response.trailers:
            self._respond_at_once(response, response.body)
            return
        self.start(response.status, response.headers)
        pieces = (response.body,) if isinstance(response.body, bytes) else response.body
        try:
            for piece in pieces:
                self.send(piece)
        except Exception:
            if not self.dead:
                traceback.print_exc()
            self.reset()
        else:
            self.end(response.trailers)

    def _respond_at_once(self, response: Response, body: bytes) -> None:
        if self._delay:
            self.pause(self._delay)
        head = self._final_head(response.status, response.lengthy_headers())
        self._write(head if is_bodiless(self.request.method, response.status) else head + body)

    def pause(self, seconds: float | None) -> None:
        """Wait so many seconds, but not beyond the server's end."""
        self._service.closed.wait(seconds)

    def _goaway(self) -> None:
        self._disconnect()

    def _read(self, n: int) -> bytes:
        try:
            return self._body.read(n)
        except ConnectionError:
            self.dead = True
            self.keep = False
            raise

    def _inform(self, status: int, headers: Headers) -> None:
        self._write(_head(status, headers))

    def _start(self, status: int, headers: Headers) -> None:
        fields = list(headers)
        self._chunked = self._modern and not self._silent and not has(fields, "content-length")
        if self._chunked:
            fields.append(("transfer-encoding", "chunked"))
        self._write(self._final_head(status, fields))

    def _final_head(self, status: int, headers: list[tuple[str, str]]) -> bytes:
        # A client that is still held back may send the body after all, or the next request in its place.
        if self._continue:
            self.keep = False
        if _wants_close(headers):
            self.keep = False
        elif not self.keep:
            headers.append(("connection", "close"))
        return _head(status, headers)

    def _send(self, data: bytes) -> None:
        self._write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    def _end(self, trailers: Headers) -> None:
        if self._chunked:
            self._write(b"0\r\n" + _lines(trailers))

    def _reset(self, error_code: int) -> None:
        self._disconnect()

    def _disconnect(self) -> None:
        self.keep = False
        self._wire.break_off()

    def _write(self, data: bytes) -> None:
        try:
            self._wire.write(data)
        except ConnectionError:
            self.dead = True
            self.keep = False
            raise


def _head(status: int, headers: Headers) -> bytes:
    return b"HTTP/1.1 %d %b\r\n%b" % (status, _REASONS.get(status, "").encode(), _lines(headers))


def _lines(headers: Headers) -> bytes:
    """Return these lines and the empty line after them."""
    return "".join([*(f"{name}: {value}\r\n" for name, value in headers), "\r\n"]).encode("latin-1")


def _fields(lines: list[str]) -> list[tuple[str, str]]:
    """Parse header lines. Raises ValueError when one has no colon."""
    pairs = (line.split(":", 1) for line in lines)
    return [(name.lower(), value.strip()) for name, value in pairs]


def _number(text: str, base: int) -> int:
    with suppress(ValueError):
        if text.isalnum():  # int() is happy with signs and underscores, too.
            return int(text, base)
    raise _BadRequestError("This is no length.")


def _wants_close(headers: Headers) -> bool:
    return any(name.lower() == "connection" and "close" in value.lower() for name, value in headers)
