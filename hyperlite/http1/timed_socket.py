"""A socket whose every step has a time limit, for one exchange on HTTP/1.1, in both directions at once.

A socket's own timeout starts again with each byte that drips in.  Here each step checks the deadline of the
exchange before it begins.

Rules: if one thread may send while another reads (`duplex`), the socket's calls do not block and are made
    under `_lock`, so that no two threads are ever inside one TLS object; every wait is outside the lock.
"""

import os
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import ConnectionLost, RequestTimeout
from ..messages.request import UNSET
from ..net.forking import FOREIGN
from ..net.sockets import wait_for
from ..net.timeouts import deadline_after, remaining, soonest

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

# Setting a socket's timeout is a system call, and so is setting it back: a change below 1 % is not worth it.
NEARLY = 0.99

# What a call on a non-blocking socket raises instead of blocking.
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Paused(Exception):
    """The thread at work has no more time for another thread's exchange, which another leader resumes."""


class TimedSocket:
    """A socket, for as long as one exchange uses it.

    Args:
        sock: connected; its own timeout is that of each step, unless the request has one.
        timeout: seconds that each step may last, None for no limit, or `UNSET`: the socket's.  The socket's
            too from when it is set anew.
        deadline: the monotonic time by which the exchange must be over, or None.
        stream_id: of the exchange, for errors.
        duplex: one thread may read while another sends.

    Attributes:
        sock, deadline: the arguments; an earlier deadline may replace the first.
    """

    __slots__ = (
        "_before",
        "_duplex",
        "_lock",
        "_paused",
        "_pid",
        "_stream_id",
        "_timeout",
        "deadline",
        "sock",
    )

    def __init__(
        self, sock: socket.socket, *, timeout: Any, deadline: float | None, stream_id: int, duplex: bool
    ) -> None:
        self.sock: socket.socket = sock
        self._timeout = timeout
        self._before = None if timeout is UNSET else sock.gettimeout()  # changed later: by the program
        self.deadline: float | None = deadline
        self._stream_id = stream_id
        self._duplex = duplex
        self._pid = os.getpid()
        self._lock = threading.Lock()  # around each call of the socket
        self._paused = 0.0  # seconds of the step under way that are over: threads were `Paused` in it

    @property
    def is_over(self) -> bool:
        """Whether the deadline has passed, so that nothing more can be read or sent."""
        return self.deadline is not None and time.monotonic() >= self.deadline

    # -- calls ------------------------------------------------------------------------------------

    def send(self, data: memoryview, until: float | None, refused: Callable[[], bool | None] | None) -> int:
        """Send something of these bytes; returns how much, -1 if it was refused; see `Wire.flush`."""
        if not self._duplex and refused is None:
            return self._alone(self.sock.send, data, until, "the request could not be sent")
        step: float | None = None
        while True:
            sent, wants_read = self._try(self.sock.send, data)
            if sent is not None:
                self._paused = 0.0
                return sent
            step = self._step_end() if step is None else step
            may_look = refused is not None
            self._wait(wants_read or may_look, not wants_read, step, until, "the request could not be sent")
            if refused is not None:
                outcome = refused()
                if outcome:
                    return -1
                if outcome is None:  # another thread reads, and will see it
                    refused = None

    def receive_into(self, buffer: "Buffer", until: float | None) -> int:
        """Read what has come, or wait for it until the thread is to be `Paused`; 0 at the end."""
        if not self._duplex:
            return self._alone(self.sock.recv_into, buffer, until, "nothing came")
        step: float | None = None
        while True:
            count, wants_read = self._try(self.sock.recv_into, buffer)
            if count is not None:
                self._paused = 0.0
                return count
            step = self._step_end() if step is None else step
            self._wait(wants_read, not wants_read, step, until, "nothing came")

    def _alone(self, call: Callable[[Any], int], argument: Any, until: float | None, complaint: str) -> int:
        """Make a blocking call, because no other thread uses the socket: that is quicker."""
        self._check_process()
        sock = self.sock
        own: float | None = sock.gettimeout()
        step = self._step(own)
        seconds = left = step if step is None else max(0.0, step - self._paused)
        start = 0.0
        if until is not None or self.deadline is not None:
            if self.is_over:
                self._complain(complaint, None)
            start = time.monotonic()
            seconds = soonest(left, remaining(soonest(self.deadline, until)))
            if own is not None and seconds is not None and own * NEARLY <= seconds <= own:
                seconds = own
        try:
            if seconds == own:
                count = call(argument)
            else:
                sock.settimeout(seconds)
                try:
                    count = call(argument)
                finally:
                    sock.settimeout(own)
        except (TimeoutError, *_WOULD_BLOCK):
            if seconds == left and not self.is_over:
                self._paused = 0.0
                raise RequestTimeout(f"{complaint} within {step:g} s", stream_id=self._stream_id) from None
            self._complain(complaint, None)
            self._paused += time.monotonic() - start
            raise Paused from None
        self._paused = 0.0
        return count

    def _check_process(self) -> None:
        """Refuse to use the socket in a child process: the parent would miss bytes that the child reads."""
        if os.getpid() != self._pid:
            raise ConnectionLost(FOREIGN, stream_id=self._stream_id)

    # -- time -------------------------------------------------------------------------------------

    def _try(self, call: Callable[[Any], int], argument: Any) -> tuple[int | None, bool]:
        """Make a call that would not block; returns its result or None, and whether it waits for reading."""
        self._check_process()
        self._complain("the exchange was not over", None)
        with self._lock:
            own = self.sock.gettimeout()
            self.sock.settimeout(0)
            try:
                return call(argument), False
            except _WOULD_BLOCK as error:
                if isinstance(error, ssl.SSLError):
                    return None, isinstance(error, ssl.SSLWantReadError)
                return None, call == self.sock.recv_into
            finally:
                self.sock.settimeout(own)

    def _step_end(self) -> float:
        """Return the monotonic time at which the step that begins now, or goes on, has lasted too long."""
        with self._lock:  # another thread sets the socket's timeout to 0 and back under this lock
            own = self.sock.gettimeout()
        end = deadline_after(self._step(own))
        return float("inf") if end is None else end - self._paused

    def _step(self, own: float | None) -> float | None:
        """Return how many seconds a step may last.

        Args:
            own: the socket's timeout.  If it has changed since the start, the program has set it for this
                exchange, by `response.fp.raw._sock`.
        """
        if self._timeout is UNSET or own != self._before:
            return own
        seconds: float | None = self._timeout
        return seconds

    def _wait(self, read: bool, write: bool, step: float, until: float | None, complaint: str) -> None:
        end = soonest(soonest(step, self.deadline), until)
        timeout = None if end == float("inf") else remaining(end)
        start = time.monotonic()
        if wait_for(self.sock, read=read, write=write, timeout=timeout):
            return
        self._complain(complaint, step)
        if until is not None and time.monotonic() >= until:
            self._paused += time.monotonic() - start
            raise Paused

    def _complain(self, complaint: str, step: float | None) -> None:
        """Raise RequestTimeout if the exchange's own time is over."""
        if self.is_over:
            raise RequestTimeout(f"{complaint} before the deadline", stream_id=self._stream_id)
        if step is not None and time.monotonic() >= step:
            self._paused = 0.0
            raise RequestTimeout(f"{complaint} within the timeout", stream_id=self._stream_id)
