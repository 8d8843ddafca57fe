"""Sends a request on HTTP/1.1: head, body, trailers; notes what the server answers meanwhile.

::

    head ──> [100 Continue awaited] ──> body, whole or by write() ──> [last chunk, trailers] ──> done
                  │                       │
                  └───────────────────────┴── the final response has come: the rest is not sent

http.client writes the head.  Sending can stop between any two bytes (`Paused`) and goes on where it stopped.
"""

import http.client as http_client
import ssl
import time
from collections.abc import Iterator
from typing import Any

from ..messages.request import EXPECT_WAIT, SAFE_TO_REPEAT, Request
from ..net.forking import OwnLock
from ..net.timeouts import soonest
from .response import QueuedResponse
from .timed_socket import Paused
from .wire import PIECE, Wire

# Fields that say where the body ends.
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


class Outgoing:
    """One request being sent.

    Args:
        connection: http.client's, whose socket is the wire.
        wire: what it is sent on.
        request: the one to send.
        response: the object that will read the answer.

    Attributes:
        response: the same.
        head_sent: the head has gone out.
        done: nothing more is to be sent.
        stopped: the server answered before all was sent, so nothing more is.
    """

    def __init__(
        self, connection: http_client.HTTPConnection, wire: Wire, request: Request, response: QueuedResponse
    ) -> None:
        self.response = response
        self.head_sent: bool = False
        self.done: bool = False
        self.stopped: bool = False
        self._connection = connection
        self._wire = wire
        self._request = request
        self._lock = OwnLock()  # one thread sends at a time
        self._begun = False
        self._chunked = False
        self._expects = request.expects
        self._answer_by: float | None = None
        body: Any = request.pieces if request.body is None else (request.body,)
        self._pieces: Iterator[Any] = iter(body or ())

    # -- calls ------------------------------------------------------------------------------------

    def run(self, until: float | None) -> None:
        """Send the request, or only its head if the body comes by `write`; can be called again if paused.

        Raises:
            Paused: at `until`, a monotonic time.
            OSError, HTTPException, and what the iterator of the body raises: it cannot be sent.
        """
        with self._lock.own:
            open_ended = self._request.open
            if not self._begun:
                self._begun = True
                self._put_head()
                while self._is_small and not self.done:
                    self._put_next()  # the body goes out with the head
            self._flush(until)
            self.head_sent = True
            self._wire.sent_at = self._wire.sent_at or time.monotonic()
            if self._expects and not self._may_go_on(until):
                self.stop()
            while not open_ended and not self.done:
                self._put_next()
                self._flush(until)

    def write(self, data: Any) -> bool:
        """Send a piece of an open request's body; false if the server has answered and needs no more.

        Raises:
            http.client.CannotSendRequest: the request is complete, or this is more than was announced.
            OSError: it cannot be sent.
        """
        with self._lock.own:
            self._check_open()
            if not self.done:
                self._put(memoryview(data).cast("B"))
                self._flush(None)
            return not self.stopped

    def end(self) -> None:
        """End an open request, and send its trailers.

        Raises:
            http.client.CannotSendRequest: it is complete already, or less was sent than was announced, or
                there are trailers and the request, with a content-length of its own, is not in chunks.
            OSError: it cannot be sent.
        """
        with self._lock.own:
            self._check_open()
            if self.done:
                return
            if self._request.trailers and not self._chunked:
                raise http_client.CannotSendRequest("trailer fields need chunks, not a content-length")
            self._put_end()
            self._flush(None)
            self.done = True

    def stop(self) -> None:
        """Send no more of the request: the server has answered without the rest."""
        self.stopped = self.stopped or not self.done
        self.done = True

    def may_be_repeated(self, error: BaseException) -> bool:
        """Tell whether the peer closed without an answer, and the request does no harm if it comes twice."""
        request, closed = self._request, (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
        safe = request.method in SAFE_TO_REPEAT and request.repeatable
        return safe and isinstance(error, closed) and not self._wire.heard

    @property
    def head(self) -> bytes:
        """The lines of the head; empty: it was not written yet."""
        return self._wire.head

    @property
    def _is_small(self) -> bool:
        request = self._request
        return not self._expects and request.pieces is None and len(request.body or b"") <= PIECE

    # -- steps, under the lock --------------------------------------------------------------------

    def _check_open(self) -> None:
        if self.done and not self.stopped:
            raise http_client.CannotSendRequest("the request is complete")

    def _put_head(self) -> None:
        request, connection = self._request, self._connection
        given = dict(request.checked)
        complete = dict(request.fields)
        self._choose_framing(given)
        # http.client would put the name and the password of an absolute target into Host.
        absolute = request.url[:4].lower() == "http" and request.method != "CONNECT"
        names_host = absolute and b"host" not in given
        connection.putrequest(
            request.method,
            request.url,
            skip_host=names_host or b"host" in given,
            skip_accept_encoding=b"accept-encoding" in given or b"accept-encoding" not in complete,
        )
        if names_host:
            connection.putheader("Host", complete[b":authority"])
        # One of the two, once (RFC 9112 section 6.2): servers differ in which of several they believe.
        if self._chunked:
            connection.putheader("Transfer-Encoding", "chunked")
        elif b"content-length" in complete:
            connection.putheader("Content-Length", complete[b"content-length"])
        for (spelling, _), (name, value) in zip(request.headers, request.checked, strict=True):
            if name not in _FRAMING:
                connection.putheader(spelling, value)
        if b"priority" in complete and b"priority" not in given:
            connection.putheader("Priority", complete[b"priority"])
        if request.trailers and b"trailer" not in given:
            connection.putheader("Trailer", b", ".join(dict(request.trailers)))
        connection.endheaders()

    def _choose_framing(self, given: dict[bytes, bytes]) -> None:
        """Decide whether the body goes in chunks; chunks that a caller framed by hand were unwrapped."""
        request = self._request
        of_unknown_length = request.pieces is not None and b"content-length" not in given
        self._chunked = b"transfer-encoding" in given or bool(request.trailers) or of_unknown_length

    def _may_go_on(self, until: float | None) -> bool:
        """Wait for 100 Continue; false if the final response has come instead."""
        if self._answer_by is None:
            self._answer_by = time.monotonic() + EXPECT_WAIT
        outcome = self.response.wait_continue(soonest(self._answer_by, until))
        if outcome is None and time.monotonic() < self._answer_by:
            raise Paused
        self._expects = False
        return outcome is not False

    def _put_next(self) -> None:
        """Put the next piece of the body, or its end."""
        for piece in self._pieces:
            if len(piece):
                self._put(piece)
                return
        self._put_end()
        self.done = True

    def _put(self, piece: Any) -> None:
        size = len(piece)
        self._request.announced.count(size)
        if not self._chunked:
            self._connection.send(piece)
        elif size:  # an empty chunk would be the last
            self._connection.send(b"%X\r\n" % size)
            self._connection.send(piece)
            self._connection.send(b"\r\n")

    def _put_end(self) -> None:
        self._request.announced.check_whole()
        if self._chunked:
            lines = [b"%b: %b\r\n" % field for field in self._request.trailers]
            self._connection.send(b"".join([b"0\r\n", *lines, b"\r\n"]))

    def _flush(self, until: float | None) -> None:
        """Send what was put; if the server does not take it, look whether it has answered instead."""
        try:
            everything = self._wire.flush(until, self.response.has_refused if self.head_sent else None)
        except (ConnectionError, ssl.SSLError):
            if not self.head_sent or not self._was_answered():
                raise
            everything = False
        if not everything:
            self.stop()

    def _was_answered(self) -> bool:
        """Tell whether an answer has come on a connection that takes no more bytes."""
        try:
            return self.response.has_refused() is not False
        except (http_client.HTTPException, OSError):
            return False
