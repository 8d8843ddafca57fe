"""The socket of one exchange on HTTP/1.1: time limits, and both directions at once.

http.client writes to it by `sendall` and reads from its `makefile`.  A socket's own timeout starts anew
with each byte that drips in; here the deadline of the exchange is looked at before each step.

Rules: where one thread may send while another reads (`duplex`), the socket's calls do not block and are
made under `_lock`, so that no two are ever inside one TLS object; every wait is outside it.  What a wait
that ends early has read or sent is not lost: whoever comes next goes on from there.
"""

import io
import os
import socket
import ssl
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, cast

from ..errors import ConnectionLost, RequestTimeout
from ..messages.request import UNSET
from ..net.forking import FOREIGN
from ..net.sockets import wait_for
from ..net.timeouts import deadline_after, remaining, soonest

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

# Bytes written at a time: what one step's timeout is for. Small pieces are put together up to it.
PIECE = 65536

# To set a socket's timeout is a system call, and to set it back another: not for the hundredth part of it.
NEARLY = 0.99

# What a call on a socket that does not block raises when it would.
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Paused(Exception):
    """The thread at work has no more time for somebody else's exchange; all is as it was."""


class Wire:
    """A socket, for as long as one request and its response use it.

    Args:
        sock: connected; its own timeout is that of each step, unless the request has one.
        timeout: seconds that each step may last, None for no limit, or `UNSET`: the socket's.  The socket's
            too from when it is set anew.
        deadline: the monotonic time by which all must be over, or None.
        stream_id: of the exchange, for errors.
        duplex: one thread may read while another sends.
        exact: read no byte more than is asked for: another protocol may go on behind the response's head.

    Attributes:
        file: what is read from it.
        ragged: the TLS connection ended without close_notify (RFC 8446 section 6.1).
        heard: something has come.
        read_until: the monotonic time at which the thread that reads is to be `Paused`, or None.
        deadline: the argument; an earlier one may take its place.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        timeout: Any = UNSET,
        deadline: float | None = None,
        stream_id: int = 0,
        duplex: bool = False,
        exact: bool = False,
    ) -> None:
        if isinstance(sock, ssl.SSLSocket):
            # wrap_socket's argument: a peer that leaves without close_notify is not to be taken for an end.
            sock.suppress_ragged_eofs = False  # type: ignore[attr-defined]
        self._sock = sock
        self._timeout = timeout
        self._before = None if timeout is UNSET else sock.gettimeout()  # another since then is the caller's
        self.deadline = deadline
        self._stream_id = stream_id
        self._duplex = duplex
        self._pid = os.getpid()
        self._lock = threading.Lock()  # around each call of the socket
        self._unsent: deque[memoryview] = deque()
        self._stopped = False
        self._paused = 0.0  # seconds of the step under way that are over: threads were `Paused` in it
        self._filling = False
        self._failure: BaseException | None = None
        self.ragged = False
        self.heard = False
        self.read_until: float | None = None
        self.exact = exact
        size = 1 if exact else io.DEFAULT_BUFFER_SIZE
        self.file = cast("io.BufferedReader", io.BufferedReader(_Reader(self, sock), size))

    # -- for http.client --------------------------------------------------------------------------

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        """Return `file`."""
        return self.file

    def sendall(self, data: Any) -> None:
        """Take what is to be sent; `flush` sends it."""
        self._unsent.append(memoryview(data).cast("B"))

    @property
    def is_over(self) -> bool:
        """Whether the deadline has passed, so that nothing more can be read or sent."""
        return self.deadline is not None and time.monotonic() >= self.deadline

    def close(self) -> None:
        """Close the socket, when `file` is closed too."""
        self._sock.close()

    def hand_over(self) -> socket.socket:
        """Return the socket, on which another protocol goes on, as http.client has it."""
        self.file.close()
        sock = self._sock
        if isinstance(sock, ssl.SSLSocket):
            sock.suppress_ragged_eofs = True  # type: ignore[attr-defined]
        return sock

    # -- sending ----------------------------------------------------------------------------------

    def flush(self, until: float | None = None, refused: Callable[[], bool | None] | None = None) -> bool:
        """Send what `sendall` took.

        Args:
            until: when to be `Paused`, a monotonic time.
            refused: asked, where the peer does not read, whether it has sent an answer that makes the
                rest useless; None if it need not be asked again.

        Returns:
            False if there is such an answer, and what is not sent is dropped.

        Raises:
            RequestTimeout, OSError: it cannot be sent.
        """
        unsent = self._unsent
        while unsent:
            while len(unsent) > 1 and len(unsent[0]) + len(unsent[1]) <= PIECE:
                unsent.appendleft(memoryview(b"".join((unsent.popleft(), unsent.popleft()))))
            sent = self._send(unsent[0][:PIECE], until, refused)
            if sent < 0:
                unsent.clear()
                return False
            if sent < len(unsent[0]):
                unsent[0] = unsent[0][sent:]
            else:
                unsent.popleft()
        return True

    def _send(self, data: memoryview, until: float | None, refused: Callable[[], bool | None] | None) -> int:
        """Send something of it; returns how much, -1 if it was refused."""
        if not self._duplex and refused is None:
            return self._alone(self._sock.send, data, until, "the request could not be sent")
        step: float | None = None
        while True:
            sent, wants_read = self._try(self._sock.send, data)
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

    # -- receiving --------------------------------------------------------------------------------

    def has_more(self) -> bool:
        """Tell, at the end, whether bytes were read beyond it; nothing more can be read after this."""
        self._stopped = True
        return bool(self.file.peek(1))

    def fill(self, size: int) -> bytes:
        """Read so many bytes in one go; fewer at the end, and where it failed, which the next read says."""
        return self._whole(self.file.read, size) or b""

    def fill_into(self, view: memoryview) -> memoryview:
        """Read into a buffer as `fill` does; returns the part of it that was filled."""
        return view[: self._whole(self.file.readinto, view) or 0]

    def _whole(self, call: Callable[[Any], Any], argument: Any) -> Any:
        """Read with errors kept: a buffered file that sees one forgets what it has read before it."""
        if self._failure is not None:
            self._fail_now()
        self._filling = True
        try:
            outcome = call(argument)
        finally:
            self._filling = False
        if not outcome and self._failure is not None:
            self._fail_now()
        return outcome

    def _fail_now(self) -> NoReturn:
        failure, self._failure = self._failure, None
        assert failure is not None
        raise failure

    def receive_into(self, buffer: "Buffer") -> int | None:
        """Read what has come, or wait for it; 0 at the end, None where no more is to be had now."""
        if self._stopped:
            return None
        if self._failure is not None:
            self._fail_now()
        try:
            if self._duplex:
                count = self._receive_shared(buffer)
            else:
                count = self._alone(self._sock.recv_into, buffer, self.read_until, "nothing came")
        except ssl.SSLEOFError:
            self.ragged = True
            return 0
        except BaseException as error:
            if not self._filling:
                raise
            self._failure = error
            return None
        self.heard = self.heard or count > 0
        return count

    def _alone(self, call: Callable[[Any], int], argument: Any, until: float | None, complaint: str) -> int:
        """Make a call where no other thread uses the socket: it waits by itself, which is quicker."""
        self._check_process()
        sock = self._sock
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
        """Refuse to use the socket in a child of the process whose it is: what one takes the other misses."""
        if os.getpid() != self._pid:
            raise ConnectionLost(FOREIGN, stream_id=self._stream_id)

    def _receive_shared(self, buffer: "Buffer") -> int:
        """Receive where another thread may want to send meanwhile."""
        step: float | None = None
        while True:
            count, wants_read = self._try(self._sock.recv_into, buffer)
            if count is not None:
                self._paused = 0.0
                return count
            step = self._step_end() if step is None else step
            self._wait(wants_read, not wants_read, step, self.read_until, "nothing came")

    # -- time -------------------------------------------------------------------------------------

    def _try(self, call: Callable[[Any], int], argument: Any) -> tuple[int | None, bool]:
        """Make a call that would not block; returns its result or None, and whether it waits for reading."""
        self._check_process()
        self._complain("the exchange was not over", None)
        with self._lock:
            own = self._sock.gettimeout()
            self._sock.settimeout(0)
            try:
                return call(argument), False
            except _WOULD_BLOCK as error:
                if isinstance(error, ssl.SSLError):
                    return None, isinstance(error, ssl.SSLWantReadError)
                return None, call == self._sock.recv_into
            finally:
                self._sock.settimeout(own)

    def _step_end(self) -> float:
        """Return the monotonic time at which the step that begins now, or goes on, has lasted too long."""
        with self._lock:  # in which another thread sets the socket's timeout to nothing, and back
            own = self._sock.gettimeout()
        end = deadline_after(self._step(own))
        return float("inf") if end is None else end - self._paused

    def _step(self, own: float | None) -> float | None:
        """Return how many seconds a step may last.

        Args:
            own: the socket's timeout.  Where it is not what it was at the start, it has been set for this
                exchange: programs do that by `response.fp.raw._sock`.
        """
        if self._timeout is UNSET or own != self._before:
            return own
        seconds: float | None = self._timeout
        return seconds

    def _wait(self, read: bool, write: bool, step: float, until: float | None, complaint: str) -> None:
        end = soonest(soonest(step, self.deadline), until)
        timeout = None if end == float("inf") else remaining(end)
        start = time.monotonic()
        if wait_for(self._sock, read=read, write=write, timeout=timeout):
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


class _Reader(io.RawIOBase):
    """What a `Wire` receives, as a raw file. It keeps the socket open, as a socket's own file does.

    Where a response is dropped unread as part of a cycle (an error's traceback, for one, knows the frame that
    knows the error), the collector finalizes in any order, and a socket whose turn comes before its
    files' complains.  So what keeps it open is no part of the cycle.
    """

    def __init__(self, wire: Wire, sock: socket.socket) -> None:
        self._wire = wire
        self._sock = sock
        self._let_go = weakref.finalize(self, sock.makefile("rb", buffering=0).close)
        self._let_go.atexit = False

    def readable(self) -> bool:
        """Return true."""
        return True

    def readinto(self, buffer: "Buffer", /) -> int | None:
        """Read what has come, or wait for it."""
        return self._wire.receive_into(buffer)

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._sock.fileno()

    def close(self) -> None:
        """Let go of the socket."""
        if not self.closed:
            if hasattr(self, "_let_go"):  # or else __init__ was interrupted
                self._let_go()
            super().close()
            vars(self).pop("_wire", None)  # which refers to this
