"""`StrictSocket` makes a request on HTTP/2 of the bytes of an HTTP/1.1 request that http.client writes.

http.client's `putrequest`, `putheader`, `endheaders`, `send` and `request`, and everything that is
built on them or patches them, end in bytes for a socket.  On HTTP/2 the socket is a `StrictSocket`,
which takes those bytes and makes an HTTP/2 request of them: the request line and the header lines
become fields, chunks become DATA.

Rule: END_STREAM is decided late.  A request without a content-length may still get a body, until its
response is asked for.

::

    HEAD ──> BODY ── so many bytes as its content-length says, or the last chunk ──> DONE ── finish() ──> HEAD
              └───── where it has neither: finish(), flush_request(), close() ────────┘
"""

import contextlib
import enum
import http.client as http_client
import io
from collections.abc import Callable, Iterable
from typing import Any

from .errors import ConnectionGoingAway, ConnectionLost, HTTP2Error
from .http2.connection import HTTP2Connection
from .http2.socket_facade import READ, SharedSocket, only_writing, unsupported
from .http2.stream import Stream
from .messages.exchange import give_up
from .messages.fields import Field, asks_for_upgrade, name_bytes, value_bytes
from .messages.replay import begin_again, for_all_tries, may_replay, pause
from .messages.request import Request
from .net.timeouts import soonest

# A weak reference to a method of an object that refers to the socket.
Renew = Callable[[], Callable[..., Any] | None]


PIECE = 65536  # bytes of a file to read at a time
PARTING = 1.0  # seconds that `close()` waits until the server has read a request that was just sent


class _State(enum.Enum):
    HEAD = "the head is not complete"
    BODY = "a body follows, or may follow"
    DONE = "the request is complete"


class StrictSocket(SharedSocket):
    """The `sock` of a connection of `hyperlite.client` that speaks HTTP/2, with one request at a time.

    Args:
        connection: the HTTP/2 connection.
        scheme, authority: of the requests whose head does not name another.
        renew: refers to a method that returns the socket on which to send a request again, and connects if
            needed.  The socket is a `StrictSocket`, or a plain one for HTTP/1.1, or None if no connection may
            be opened.  With a true argument, a plain socket replaces this one.

    Attributes:
        closes: whether the latest request asked for the end of the connection after its response.
    """

    def __init__(self, connection: HTTP2Connection, scheme: bytes, authority: bytes, renew: Renew) -> None:
        super().__init__(connection)
        self.connection = connection
        self._renew = renew
        self._scheme = scheme
        self._authority = authority
        self._next_id = 1
        self._head = b""  # of the latest request, as http.client has written it
        self.closes: bool = False
        self._begin()

    def _begin(self) -> None:
        self._state = _State.HEAD
        self._pending = bytearray()  # bytes of a head that is not complete yet
        self._request: Request | None = None
        self._stream: Stream | None = None  # set when the header block was sent

    @property
    def strict(self) -> "StrictSocket":
        """This object, for what a program has put around it; see `beneath`."""
        return self

    @property
    def usable(self) -> bool:
        """Whether a new request may be sent; looks whether the peer has closed the connection meanwhile."""
        return self.connection.check()

    def sendall(self, data: bytes | bytearray | memoryview, _flags: int = 0) -> None:
        """Take a piece of a request.

        Raises:
            ValueError, http.client.InvalidURL: the request may not be sent on HTTP/2.
            HTTP2Error: the connection or the stream failed; RequestTimeout: it could not be sent in time.
        """
        view = memoryview(data).cast("B")
        if self._state is _State.HEAD:
            view = self._take_head(view)
        if not len(view):
            return
        if self._state is _State.DONE:
            raise http_client.CannotSendRequest("the body is longer than its content-length")
        self._take_body(view)

    def send(self, data: Any, _flags: int = 0, /) -> int:
        """Take a piece of a request, all of it; returns its length in bytes. Raises: see `sendall`."""
        self.sendall(data)
        return memoryview(data).nbytes

    def sendmsg(self, buffers: Iterable[Any], *_: object) -> int:
        """Take several pieces of a request; returns their length in bytes. Raises: see `sendall`."""
        return self.send(b"".join(buffers))

    def write(self, data: Any) -> int:
        """Take a piece of a request; see `send`. An ssl.SSLSocket has this method."""
        return self.send(data)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Take a piece of a request from a file; returns its length in bytes.

        Args:
            file: open in binary mode.
            offset: where the piece begins in the file; 0: at the file's current position.
            count: its length; None: to the end of the file.

        Raises:
            ValueError: the file is open in text mode, or `count` is not above 0; or as `sendall`.
        """
        if "b" not in getattr(file, "mode", "b"):
            raise ValueError("a file that is sent must be open in binary mode")
        if count is not None and count <= 0:
            raise ValueError(f"count must be a positive number of bytes, not {count!r}")
        if offset:
            file.seek(offset)
        sent = 0
        while count is None or sent < count:
            data = file.read(PIECE if count is None else min(PIECE, count - sent))
            if not data:
                break
            sent += self.send(data)
        return sent

    def makefile(
        self,
        mode: str = "r",
        buffering: int | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> Any:
        """Return a file whose writes are pieces of a request.

        Raises:
            io.UnsupportedOperation: a mode for reading: a response on HTTP/2 does not come as HTTP/1.1's
                bytes.
        """
        if not set(mode) <= {"r", "w", "b"}:
            raise ValueError(f"invalid mode {mode!r} (only r, w, b allowed)")
        if "r" in mode or "w" not in mode:
            raise unsupported(f"makefile({mode!r})", READ)
        raw = _Upload(self)
        if buffering == 0:
            if "b" not in mode:
                raise ValueError("unbuffered streams must be binary")
            return raw
        size = io.DEFAULT_BUFFER_SIZE if buffering is None or buffering < 0 else buffering
        file = io.BufferedWriter(raw, size)
        return file if "b" in mode else io.TextIOWrapper(file, encoding, errors, newline)

    def shutdown(self, how: int, /) -> None:
        """With SHUT_WR, end the request's body, and the connection after its response; else end both now.

        Raises:
            OSError: EINVAL, for any other number.
            http.client.CannotSendRequest: less of the body was sent than its content-length announced.
        """
        if only_writing(how) and self._state is not _State.HEAD:
            self._complete()
        super().shutdown(how)

    def finish(self) -> Stream | None:
        """End the request because its response is asked for; return its stream, None without a request.

        Raises:
            http.client.CannotSendRequest: less of the body was sent than its content-length announced.
        """
        if self._state is _State.HEAD:
            return None
        self._complete()
        stream = self._stream
        self._begin()
        return stream

    def _complete(self) -> None:
        """End a request whose head is complete."""
        if self._state is _State.BODY:
            assert self._request is not None
            self._request.announced.check_whole()
            self._end()

    def await_head(self, stream: Stream) -> Any:
        """Wait for the header block of the response to the latest request, on whatever connection it comes.

        A request that the server has provably not processed is sent again, if its body came in one piece.
        It is sent over HTTP/1.1, as http.client has written it, if the server requires that or no longer has
        HTTP/2.

        Returns:
            The socket on which the response comes in HTTP/1.1; None if its header block has come on HTTP/2.

        Raises:
            HTTP2Error: the stream or the connection failed; RequestTimeout: nothing came in time.
            OSError: the connection could not be opened again.
        """
        connection = self.connection
        try:
            while True:
                try:
                    connection.wait_head(stream)
                    return None
                except HTTP2Error:
                    renew = self._renew()
                    if renew is None or not may_replay(stream):
                        raise
                    pause(stream)
                    successor = renew()
                    if successor is None:
                        raise
                    if not isinstance(successor, StrictSocket):
                        successor.sendall(b"%b\r\n\r\n%b" % (self._head, stream.request.body or b""))
                        return successor
                    begin_again(stream)
                    connection = successor.connection
                    if connection.submit([stream]):
                        connection.wait_sent(stream)
                    else:
                        stream.transport = connection
                        stream.error = ConnectionGoingAway(
                            "the connection takes no further requests", retry_safe=True
                        )
        except BaseException as error:
            for_all_tries(error, doubtful=stream.doubtful)
            give_up(stream)
            raise

    def close(self) -> None:
        """Close when the last response is read; a complete request still reaches the server."""
        try:
            with contextlib.suppress(http_client.HTTPException, OSError):  # close() raises nothing
                self._complete()
            if self._stream is not None:
                self._part_with(self._stream)
        finally:
            self._begin()
            super().close()

    def _part_with(self, stream: Stream) -> None:
        """End a request whose response was not asked for.

        A complete request still reaches the server, as with http.client: a program that reports something may
        not care for the answer.  A reset would lose the request.  So would a server that fails to write to a
        closed connection before it has read the request.  So the stream is not reset, and a PING asks whether
        the server has read it.
        """
        if self._state is not _State.DONE or self.connection.counts != (1, 0):
            self.connection.drop(stream)
            return
        with contextlib.suppress(HTTP2Error):
            self.connection.ping(soonest(PARTING, self.connection.timeout))
        self.connection.leave()

    def flush_request(self) -> None:
        """Send a request that is known to be complete, before its response is asked for."""
        request = self._request
        if request is not None and self._stream is None and not request.announced.ends:
            self._end()

    # -- the head ---------------------------------------------------------------------------------

    def _take_head(self, view: memoryview) -> memoryview:
        """Take the bytes that belong to the head; return the rest."""
        before = len(self._pending)
        self._pending += view
        end = self._pending.find(b"\r\n\r\n", max(0, before - 3))
        if end < 0:
            return view[:0]
        head = self._head = bytes(self._pending[:end])
        self._pending.clear()
        method, target, version, headers = _parse_head(head)
        names = {name for name, _ in headers}
        if b"upgrade" in names and asks_for_upgrade(headers) and (renew := self._renew()) is not None:
            renew(True).sendall(b"%b\r\n\r\n%b" % (head, bytes(view[end + 4 - before :])))
            return view[:0]
        plain = version == "HTTP/1.1" and b"connection" not in names
        self.closes = not plain and _asks_for_close(version, headers)
        self._request = Request.from_fields(
            method, target, headers, scheme=self._scheme, authority=self._authority
        )
        self._state = _State.BODY
        if self._request.announced.is_whole:
            self._end()
        if b"expect" in names and self._stream is None:
            self._open()
        return view[end + 4 - before :]

    # -- the body ---------------------------------------------------------------------------------

    def _take_body(self, view: memoryview) -> None:
        assert self._request is not None
        announced = self._request.announced
        announced.check_fits(len(view))
        if self._stream is None and announced.left == len(view):  # all of it in one piece, behind its head
            self._end(bytes(view))
            return
        for piece in announced.contents(view):
            # False means that the response is complete and the peer needs no more; the caller need not know.
            self.connection.write(self._stream or self._open(), piece, last=len(piece) == announced.left)
        if announced.is_whole:
            self._end()

    # -- sending ----------------------------------------------------------------------------------

    def _open(self) -> Stream:
        """Send the header block."""
        assert self._request is not None
        stream = Stream(self._next_id, self._request)
        self._stream = stream  # before the connection has it: after an interrupt, close() cancels it
        if not self.connection.submit([stream]):
            self._stream = None
            raise ConnectionLost("the connection is closed", retry_safe=True)
        self._next_id += 2
        self.connection.wait_sent(stream)
        return stream

    def _end(self, body: bytes | None = None) -> None:
        """Complete the request; `body` is the whole body, if the header block was not sent yet."""
        if self._stream is not None:
            self.connection.end(self._stream)
        else:
            assert self._request is not None
            self._request.complete(body)
            self._open()
        self._state = _State.DONE


def beneath(sock: Any) -> StrictSocket | None:
    """Return the socket of a connection in HTTP/2; None for another.

    Args:
        sock: that socket; or an object that a program has put around it (a subclass's `connect()` may do so),
            and whose attributes are the socket's.
    """
    if isinstance(sock, StrictSocket):
        return sock
    try:
        found = getattr(sock, "strict", None)
    except Exception:  # a stand-in for a socket may refuse what it does not know: httpretty's does
        return None
    return found if isinstance(found, StrictSocket) else None


def upgrades(data: Any) -> bool:
    """Tell whether bytes that are sent are the head of a request that asks for another protocol."""
    if not isinstance(data, bytes) or b"upgrade" not in data.lower():
        return False
    head = data.partition(b"\r\n\r\n")[0].replace(b"\r\n\t", b" ").replace(b"\r\n ", b" ")
    fields = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
    return asks_for_upgrade([(name, value) for name, _, value in fields])


class _Upload(io.RawIOBase):
    """The file beneath `StrictSocket.makefile("wb")`."""

    def __init__(self, sock: StrictSocket) -> None:
        self._sock = sock

    def writable(self) -> bool:
        """Return true: what is written is sent."""
        return True

    def write(self, data: Any, /) -> int:
        """Send a piece of a request; returns its length in bytes."""
        return self._sock.send(data)

    def fileno(self) -> int:
        """Return the descriptor of the socket."""
        number: int = self._sock.fileno()
        return number


def _parse_head(head: bytes) -> tuple[str, str, str, list[Field]]:
    """Return method, target, version and header fields of an HTTP/1 head, all of them checked."""
    request_line, *lines = head.split(b"\r\n")
    words = request_line.split(b" ")
    if len(words) != 3:  # the next hop would read another request than the caller of http.client meant
        raise ValueError(f"the method or the target is empty, or contains a space: {request_line!r}")
    method, target, version = words
    headers: list[Field] = []
    for line in lines:
        if line[:1] in (b" ", b"\t") and headers:  # http.client joins several values in this way
            name, value = headers[-1]
            headers[-1] = name, value_bytes(value + b" " + line.strip())
            continue
        name, _, value = line.partition(b":")
        headers.append((name_bytes(name), value_bytes(value)))
    return method.decode("ascii"), target.decode("ascii"), version.decode("ascii"), headers


def _asks_for_close(version: str, headers: list[Field]) -> bool:
    """Tell whether a server that speaks HTTP/1.1 closes after this request (RFC 9112 section 9.3)."""
    options = b",".join(value.lower() for name, value in headers if name == b"connection").split(b",")
    options = [option.strip() for option in options]
    return b"close" in options or (version == "HTTP/1.0" and b"keep-alive" not in options)
