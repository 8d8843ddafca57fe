"""The bytes of one exchange on HTTP/1.1, sent and received by the methods that http.client calls.

http.client writes by `sendall` and reads from the file of `makefile`.  If a wait ends early, nothing that was
read or sent is lost: the next thread goes on from there.
"""

import io
import socket
import ssl
import weakref
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, cast

from ..messages.marks import Marks
from ..messages.request import UNSET
from ..net.timeouts import soonest
from .timed_socket import TimedSocket

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

# Bytes written in one step, which has one timeout. Small pieces are joined up to this size.
PIECE = 65536


class Wire:
    """A socket, for as long as one request and its response use it.

    Args:
        sock: connected; its own timeout is that of each step, unless the request has one.
        timeout: seconds that each step may last, None for no limit, or `UNSET`: the socket's.  The socket's
            too from when it is set anew.
        deadline: the monotonic time by which the exchange must be over, or None.
        stream_id: of the exchange, for errors.
        duplex: one thread may read while another sends.
        exact: never read ahead: another protocol may go on behind the response's head.

    Attributes:
        file: the file from which http.client reads.
        ragged: the TLS connection ended without close_notify (RFC 8446 section 6.1).
        heard: bytes have come.
        head: the first bytes that were given to be sent: the head of the request.
        read_until: the monotonic time at which the thread that reads is to be `Paused`, or None.
        sent_at, head_at, end_at: the monotonic times at which the head of the request was sent, and the head
            and the end of the response came; 0: not yet.
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
            # wrap_socket's argument: an end without close_notify is an error, and not an end of file.
            sock.suppress_ragged_eofs = False  # type: ignore[attr-defined]
        self._socket = TimedSocket(
            sock, timeout=timeout, deadline=deadline, stream_id=stream_id, duplex=duplex
        )
        self._unsent: deque[memoryview] = deque()
        self._stopped = False
        self._filling = False
        self._failure: BaseException | None = None
        self.ragged: bool = False
        self.heard: bool = False
        self.head: bytes = b""
        self.read_until: float | None = None
        self.sent_at: float = 0.0
        self.head_at: float = 0.0
        self.end_at: float = 0.0
        self.exact = exact
        size = 1 if exact else io.DEFAULT_BUFFER_SIZE
        self.file: io.BufferedReader = cast("io.BufferedReader", io.BufferedReader(_Reader(self, sock), size))

    # -- for http.client --------------------------------------------------------------------------

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        """Return `file`."""
        return self.file

    def sendall(self, data: Any) -> None:
        """Buffer bytes, which `flush` sends."""
        self._unsent.append(memoryview(data).cast("B"))
        self.head = self.head or data

    @property
    def marks(self) -> Marks:
        """When the request was sent, when the response began, and when it was complete."""
        return Marks(self.sent_at, self.head_at, self.end_at)

    @property
    def is_over(self) -> bool:
        """Whether the deadline has passed, so that nothing more can be read or sent."""
        return self._socket.is_over

    def end_by(self, deadline: float) -> None:
        """Set a monotonic time at which everything must be over; an earlier deadline stays."""
        self._socket.deadline = soonest(self._socket.deadline, deadline)

    def close(self) -> None:
        """Close the socket, when `file` is closed too."""
        self._socket.sock.close()

    def hand_over(self) -> socket.socket:
        """Return the socket, on which another protocol goes on, in the state http.client leaves it in."""
        self.file.close()
        sock = self._socket.sock
        if isinstance(sock, ssl.SSLSocket):
            sock.suppress_ragged_eofs = True  # type: ignore[attr-defined]
        return sock

    # -- sending ----------------------------------------------------------------------------------

    def flush(self, until: float | None = None, refused: Callable[[], bool | None] | None = None) -> bool:
        """Send what `sendall` took.

        Args:
            until: the monotonic time at which to raise `Paused`.
            refused: called when the peer does not read; tells whether an answer has come that makes the rest
                useless. None means that it need not be called again.

        Returns:
            False if there is such an answer, and what is not sent is dropped.

        Raises:
            RequestTimeout, OSError: it cannot be sent.
        """
        unsent = self._unsent
        while unsent:
            while len(unsent) > 1 and len(unsent[0]) + len(unsent[1]) <= PIECE:
                unsent.appendleft(memoryview(b"".join((unsent.popleft(), unsent.popleft()))))
            sent = self._socket.send(unsent[0][:PIECE], until, refused)
            if sent < 0:
                unsent.clear()
                return False
            if sent < len(unsent[0]):
                unsent[0] = unsent[0][sent:]
            else:
                unsent.popleft()
        return True

    # -- receiving --------------------------------------------------------------------------------

    def has_more(self) -> bool:
        """At the end of a body, tell whether bytes lie behind it; nothing more can be read after this."""
        self._stopped = True
        return bool(self.file.peek(1))

    def fill(self, size: int) -> bytes:
        """Read so many bytes at once; fewer at the end, or after an error, which the next read raises."""
        return self._whole(self.file.read, size) or b""

    def fill_into(self, view: memoryview) -> memoryview:
        """Read into a buffer as `fill` does; returns the part of it that was filled."""
        return view[: self._whole(self.file.readinto, view) or 0]

    def _whole(self, call: Callable[[Any], Any], argument: Any) -> Any:
        """Read, and keep errors for the next read: a buffered file that meets one loses what it has read."""
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
        """Read what has come, or wait for it; 0 at the end, None if no more can be had now."""
        if self._stopped:
            return None
        if self._failure is not None:
            self._fail_now()
        try:
            count = self._socket.receive_into(buffer, self.read_until)
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


class _Reader(io.RawIOBase):
    """The raw file of what a `Wire` receives. It keeps the socket open, as a socket's own file does.

    A response may be dropped unread as part of a reference cycle (an error's traceback refers to a frame that
    refers to the error). The collector finalizes the objects of a cycle in any order, and a socket that is
    finalized before its files warns.  So the object that keeps it open is not part of the cycle.
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
            vars(self).pop("_wire", None)  # it refers to this object
