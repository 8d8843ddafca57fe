"""Responses on an HTTP/1.1 connection with a queue: they can be read into memory to make way for the next."""

import contextlib
import http.client as http_client
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, TypeVar

from .. import stock
from ..errors import ErrorCode
from ..messages.fields import Field, to_message
from ..messages.head import Framing, HeadReader, LineReader, malformed
from ..messages.marks import Marks
from ..messages.response import HTTP20Response, Lazy
from ..messages.response_rules import MAX_INFORMATIONAL, MAX_KEPT
from ..net.forking import OwnLock
from .body import HTTP1Body
from .timed_socket import Paused
from .wire import Wire

T = TypeVar("T")


class QueuedResponse(HTTP20Response):
    """An HTTP/1.1 response on a connection with a queue.

    http.client's methods read its body from an `HTTP1Body`.  That unwraps chunks, so `chunked` is False,
    as it is on HTTP/2.

    One thread may read it while another thread, whose response comes behind it, needs the connection and
    reads the rest of it into memory; `_guard` keeps the two apart.

    Args:
        wire: the one it is read from.
        method: of the request.
        require_close_notify: see `HTTP1Body`.
        stream_id: of the exchange.
        max_headers: fields that its head, and what is behind its chunks, may have; None: http.client's limit.
    """

    # Called when the response lets go of the connection; its argument says whether that can be used again.
    when_closed: "Callable[[QueuedResponse, bool], None] | None" = None
    # Called after that, with the same as a keyword argument, to give the connection back.
    when_over: "weakref.WeakMethod[Any] | None" = None

    exchange: object = None  # kept for as long as the response is

    def __init__(
        self,
        wire: Wire,
        debuglevel: int = 0,
        method: str | None = None,
        *,
        require_close_notify: bool = True,
        stream_id: int = 0,
        max_headers: int | None = None,
    ) -> None:
        super().__init__(wire, debuglevel, method)  # type: ignore[arg-type]  # http.client wants a socket
        self.stream_id: int | None = stream_id
        self._guard = OwnLock(threading.RLock)
        self._wire = wire
        self._require_close_notify = require_close_notify
        self._lines = LineReader(wire.file, max_headers)
        self._heads = HeadReader(self._lines)
        self._final: tuple[int, bytes, list[Field]] | None = None
        del self.headers, self.msg  # http.client has set them to None; they are made when they are first read
        self._seen: list[tuple[int, list[Field]]] = []
        self._seen_size = 0
        self._body: HTTP1Body | None = None

    @property
    def _marks(self) -> Marks:
        """When the request was sent, when the response began, and when it was complete; see `Marks`."""
        return self._wire.marks

    # -- the head ---------------------------------------------------------------------------------

    def begin(self, until: float | None = None) -> None:
        """Read the head.

        Args:
            until: the monotonic time at which reads raise `Paused`.

        Raises:
            Paused: the thread at work had no more time; it can be called again.
            HTTPException, OSError: there is no response, or it breaks HTTP.
        """
        with self._guard.own:
            self._wire.read_until = until
            try:
                while not self.advance():
                    pass
            finally:
                self._wire.read_until = None
            assert self._final is not None
            self._wire.head_at = time.monotonic()
            status, line, fields = self._final
            protocol, _, *reason = line.decode("latin-1").split(None, 2)
            if not protocol.startswith("HTTP/1.") and protocol != "HTTP/0.9":
                raise http_client.UnknownProtocol(protocol)
            self.version = 10 if protocol in ("HTTP/1.0", "HTTP/0.9") else 11
            self.status: int = status
            self.code = status
            self.reason = reason[0].strip() if reason else ""
            if self.debuglevel > 0:
                self._print(line)
            framing = Framing(status, self.version, fields, self._method)  # type: ignore[attr-defined]
            self.chunked = False
            if status == HTTPStatus.SWITCHING_PROTOCOLS and self._wire.exact:
                self.length = 0
                self.will_close: bool = False  # as http.client has it
                self.sock: socket.socket | None = self._wire.hand_over()
                self.fp = self.sock.makefile("rb")
                return
            self.length = framing.length
            self.will_close = framing.last
            self.fp = self._body = HTTP1Body(
                self._wire,
                self._lines,
                framing,
                require_close_notify=self._require_close_notify,
                stream_id=self.stream_id or 0,
            )

    @Lazy
    def headers(self) -> http_client.HTTPMessage:
        """The header fields: an HTTPMessage, made when it is first asked for."""
        return to_message(self._final[2] if self._final is not None else ())

    def _print(self, status_line: bytes) -> None:
        """Print what http.client prints of a response."""
        stock.say("reply:", repr(status_line.decode("latin-1")))
        for name, value in self.headers.items():
            stock.say("header:", f"{name}:", value)

    def advance(self) -> bool:
        """Read the next head; return true if it is the final one, or if that had come already.

        Raises:
            As `begin`.
        """
        with self._guard.own:
            if self._final is not None:
                return True
            status, line, fields = self._heads.read()
            if status >= HTTPStatus.OK or status == HTTPStatus.SWITCHING_PROTOCOLS:
                self._final = status, line, fields
                return True
            self._seen.append((status, fields))
            self._seen_size += self._heads.size
            if len(self._seen) > MAX_INFORMATIONAL or self._seen_size > MAX_KEPT:
                raise malformed(
                    f"more than {MAX_INFORMATIONAL} 1xx responses, or {MAX_KEPT} bytes of them",
                    ErrorCode.ENHANCE_YOUR_CALM,
                )
            return False

    def wait_continue(self, until: float) -> bool | None:
        """Wait for 100 Continue (RFC 9110 section 10.1.1).

        Returns:
            True if it has come; False if the final response has come instead; None if neither had come
            by `until`, a monotonic time.
        """
        try:
            with self.limited(until):
                while not self.advance():
                    if self._seen[-1][0] == HTTPStatus.CONTINUE:
                        return True
        except Paused:
            return None
        return False

    def has_refused(self) -> bool | None:
        """Tell, without waiting, whether a final response makes the rest of the request useless.

        That is a status of 300 or above; curl stops there too. The body of a 2xx may depend on the rest of
        the request.

        Returns:
            None if asking again is useless: it is another response, or another thread reads it.
        """
        guard = self._guard.own
        if not guard.acquire(blocking=False):
            return None
        try:
            if self._body is not None:
                return None
            with self.limited(time.monotonic()):
                while not self.advance():
                    pass
        except Paused:
            return False
        finally:
            guard.release()
        assert self._final is not None
        return True if self._final[0] >= HTTPStatus.MULTIPLE_CHOICES else None

    @contextlib.contextmanager
    def limited(self, until: float | None) -> Iterator[None]:
        """Have reads within this block raise `Paused` at a monotonic time."""
        with self._guard.own:
            self._wire.read_until = until
            try:
                yield
            finally:
                self._wire.read_until = None

    def _end_by(self, deadline: float) -> None:
        self._wire.end_by(deadline)

    @property
    def trailers(self) -> http_client.HTTPMessage:
        """The trailer fields (RFC 9112 section 7.1.2) behind the chunks: empty before they are read."""
        return to_message(self._body.trailers if self._body is not None else ())

    @property
    def informational(self) -> list[tuple[int, http_client.HTTPMessage]]:
        """The 1xx responses that came before this one: (status, header fields) each."""
        return [(status, to_message(fields)) for status, fields in self._seen]

    @property
    def _broken(self) -> Exception | None:
        return None if self._body is None else self._body.error

    @property
    def _taken(self) -> int:
        return 0 if self._body is None else self._body.handed_out

    # -- making way -------------------------------------------------------------------------------

    def make_way(self, limit: int, until: float | None) -> "tuple[HTTP1Body | None, bool] | None":
        """Read the rest of the body into memory, at most `limit` bytes of it.

        An error on the way is kept for the reader.  A longer body keeps the connection, and goes on reading
        from it.

        Returns:
            None if the time until `until`, a monotonic time, was too short.  Otherwise the body, or None if
            it was at its end; and whether the connection is free for the next response.
        """
        guard = self._guard.own
        if not guard.acquire(timeout=-1 if until is None else max(0, until - time.monotonic())):
            return None
        try:
            body = self._body
            assert body is not None
            if not body.stalled and (body.left is None or body.left <= limit):
                with self.limited(until):
                    body.hold(limit)
            self.when_closed = None
            # Under the guard, because a reader that reaches the end closes the file, and no callback follows.
            file: Any = self.fp
            self._note_end()
            return file, body.release()
        except Paused:
            return None
        except BaseException:
            self.tear()
            raise
        finally:
            guard.release()

    # -- reading ----------------------------------------------------------------------------------

    def read(self, amt: int | None = None) -> bytes:
        """Read as http.client does; but a body that is cut off is an `IncompleteBody`."""
        return self._accounted(super().read, amt)

    def _accounted(self, call: Callable[[Any], T], argument: Any) -> T:
        """Read while no other thread does. An interrupted read (KeyboardInterrupt) ends the body."""
        before = self._taken
        try:
            with self._guard.own:
                return call(argument)
        except Exception:
            raise
        except BaseException:
            lost = self._taken != before
            self.tear(lost=lost)
            if lost:  # even if the body was at its end: the next read must raise
                self.length = None
                self.fp = self._body
            raise

    def tear(self, *, lost: bool = False) -> None:
        """End the body because bytes are lost, or may be; its connection is not used again."""
        if self._body is not None:
            self._body.tear(lost=lost)

    def close(self) -> None:
        """End the response; before the end of its body this closes the connection."""
        with self._guard.own:
            try:
                if self.fp is not None:
                    self._tell(usable=self._is_usable())
            except BaseException:
                self.tear()  # the connection may not know of it, and is not to wait for the rest
                raise
            finally:
                super().close()

    def after_fork(self) -> None:
        """In the child: nothing waits for the connection."""
        self.when_closed = None

    def __del__(self) -> None:
        """Close quietly: in a finalizer no further request may be sent."""
        self.when_closed = self.when_over = None
        if "_body" in vars(self):  # or else __init__ was interrupted
            super().__del__()

    def _close_at_end(self, short: bool) -> None:
        if short and self._body is not None and self.fp is not None and self._body.complete:
            self._close_conn()

    def _close_conn(self) -> None:
        usable = self._is_usable()
        self._note_end()
        super()._close_conn()  # type: ignore[misc]
        self._tell(usable=usable)

    def _note_end(self) -> None:
        if not self._wire.end_at and (self._body is None or self._body.complete):
            self._wire.end_at = time.monotonic()

    def _is_usable(self) -> bool:
        return self.when_closed is not None and self._body is not None and self._body.release()

    def _tell(self, *, usable: bool) -> None:
        told, self.when_closed = self.when_closed, None
        if told is not None:
            told(self, usable)
        over, self.when_over = self.when_over, None
        if over is not None and (end := over()) is not None:
            end(reusable=usable)
