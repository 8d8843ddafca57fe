"""One socket shared by any number of threads: which thread reads, which sleep, and what could not be written.

The rules:

- The socket does not block, and every call on it is made under `lock`; every wait happens outside.
  So no two threads are ever inside one SSL object, and no thread holds the lock while the peer takes
  its time.
- There is no background thread: a thread that waits reads for all.  One thread at a time leads (see
  net/leader.py) and receives; the others sleep until something happened on their stream, or the lead is
  free.
- Only the leader receives: bytes taken by another thread could be the ones the leader is waiting for.
- What could not be written stays in the `Writer`, and a thread that waits watches the socket for writing
  too.  A thread that leaves something behind while another, which does not know of it, polls, stays until
  it is gone.
- A finalizer may run in the middle of anything, and never waits for the lock. Where it finds that taken, it
  leaves a note, and the thread that has the lock deals with it when it has let go (`Aftermath`): before it
  sleeps, polls or returns.
- A thread that is interrupted between two states leaves `busy` behind: the next one closes the
  connection instead of going on with half a frame.
"""

import contextlib
import functools
import socket
import ssl
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Collection, Container
from typing import TypeVar

from ..errors import ConnectionLost, ErrorCode, HTTP2Error, ProtocolError
from ..messages.request import SAFE_TO_REPEAT
from ..messages.waiters import Awaited
from ..net.forking import FOREIGN
from ..net.leader import TRY_AGAIN, Job, Leadership
from ..net.sockets import Remains, Watch, wait_for
from ..net.timeouts import soonest
from ..net.tls import Session, session_of
from .receive import Receiver
from .stream import Stream
from .streams import StreamTable
from .writer import WOULD_BLOCK

T = TypeVar("T")

# What is dealt with together. One TLS record at the most comes out of one SSL_read; a plain socket may have
# more. Larger pieces would not stay in the processor's cache between being received and being looked at.
RECEIVE_SIZE = 65536
# How many pieces of what is there one call takes that may not wait.
LOOKS = 16
# Seconds without a word that tell a peer that has nothing to say from one that never stops.
PAUSE = 0.01
# What may lie unwritten in answer to a peer (PING, SETTINGS) that does not read. Go: 10,000 frames.
MAX_UNWRITTEN = 8 << 20


class Aftermath:
    """What follows each use of a connection's lock: dealing with what finalizers have left meanwhile.

    It is entered before the lock is taken, so that it is left when the lock is free again::

        with io.aftermath, io.lock:
            ...

    A finalizer leaves its note and then looks at the lock; here the lock is let go, and then the notes are
    looked at. So one of the two sees the other, and no note lies there while every thread sleeps.
    """

    __slots__ = ("_abandoned", "_detached", "_io")

    def __init__(self, io: "SocketIO") -> None:
        self._abandoned, self._detached = io.table.abandoned, io.detached
        self._io = weakref.ref(io)  # a cycle would leave a dropped connection to the collector

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        if (self._abandoned or self._detached) and (io := self._io()) is not None:
            io.settle()


class SocketIO:
    """A non-blocking socket, its lock, and its waiting threads.

    Everything but `lock`, `aftermath` and `timeout` is guarded by `lock`, the one lock of a connection. Lock
    order: the lock of the connection object, then this one.

    Args:
        sock: connected; no other code uses it from now on.
        table: the streams.
        receiver: applies what the peer says to them.
        timeout: seconds that each wait may last, or None.

    Attributes:
        aftermath: entered with the lock: see there.
        leadership: which thread works, and which sleep.
        detached: selectors that polled and have ended since, until `settle`.
        pollers: how many threads and selectors poll the socket: the last of them closes it.
        session: the TLS session, once the connection drains, or is closed.
        remains: what can be asked of the socket once it is closed.
        watch: of the leader, or of the thread that has the lock while none leads.
    """

    __slots__ = (
        "__weakref__",
        "_dry",
        "_watched",
        "aftermath",
        "detached",
        "leadership",
        "lock",
        "pollers",
        "receiver",
        "remains",
        "session",
        "sock",
        "table",
        "timeout",
        "watch",
    )

    def __init__(
        self, sock: socket.socket, table: StreamTable, receiver: Receiver, timeout: float | None
    ) -> None:
        self.sock = sock
        self.table = table
        self.receiver = receiver
        self.timeout = timeout
        self.session: Session | None = None
        self.remains: Remains | None = None
        self.watch = Watch(sock)
        self.lock = threading.Lock()
        self.detached: deque[None] = deque()
        self.aftermath = Aftermath(self)
        self.leadership = Leadership(self.lock, self.aftermath)
        self.pollers = 0
        self._watched = False  # a thread that polls watches for writing
        self._dry = False  # there was nothing to receive: a thread that wants more polls first

    def after_fork(self) -> None:
        """In the child: the connection is the parent's. See net/forking.py."""
        table = self.table
        self.lock = threading.Lock()
        self.leadership = Leadership(self.lock, self.aftermath)
        self.pollers = 0
        self.detached.clear()
        table.writer.out = bytearray()  # a thread that was sending from the old one has locked its size
        self.sock.close()
        with self.lock:
            if table.closed is None:
                table.closed = ConnectionLost(FOREIGN)
                table.fail_all(table.closed)

    # -- without the lock -------------------------------------------------------------------------

    def settle(self) -> None:
        """Deal with what finalizers have left; where the lock is taken, its holder does it afterwards."""
        while (self.table.abandoned or self.detached) and not self.lock.locked():
            # Not acquire(): an interrupt between that and a `try` would leave the lock taken for ever. A
            # thread that takes it in this very moment soon lets go: it waits for no lock that it finds taken.
            with self.lock:
                self.push()
                self._close_descriptor()
                if self.table.writer.out and self.leadership.held and not self._watched:
                    self.leadership.call()  # the leader does not know that there is something to write

    def linger(self) -> None:
        """Stay until what this thread left behind is written, if the leader does not know of it."""
        with self.aftermath:
            with self.lock:
                alone = not self.table.writer.out or not self.leadership.held or self._watched
            if not alone:
                self._poll(False, None, self.timeout)

    def wait(
        self,
        awaited: Awaited,
        streams: Collection[Stream],
        attempt: Callable[[], T | None],
        timeout: float | None,
        complaint: str,
    ) -> T:
        """Try `attempt`, under the lock, until it returns something, reading for all threads in between.

        Args:
            awaited: whose change may make it succeed.
            streams: the streams of which one must go on for that; none: it needs none.
            attempt: returns None if it is too early.
            timeout: seconds, or None.
            complaint: what to say when they are over.

        Raises:
            RequestTimeout: they are. And whatever `attempt` raises.
        """
        table = self.table
        writer = table.writer

        def step(leads: bool) -> Job | None:
            if writer.corked:
                writer.cork(False)
            if leads and not self._dry and self._receive_all():
                return TRY_AGAIN
            silence = table.relieve(streams)
            if silence == 0:
                self.push()
                table.check_progress(streams)
                silence = None
            works = leads or (bool(writer.out) and not self._watched)
            return functools.partial(self._poll, leads, silence) if works else None

        try:
            return self.leadership.wait(awaited, attempt, step, timeout, complaint)
        finally:
            if table.abandoned or self.detached:
                self.settle()

    def _poll(self, read: bool, silence: float | None, timeout: float | None) -> None:
        """Wait, no longer than either number of seconds says; then receive what has come, and write."""
        table, liveness = self.table, self.table.liveness
        polling, write, grace, ready, start = False, False, None, True, 0.0
        try:
            with self.lock:
                if table.closed is not None or not (read or table.writer.out):
                    return
                write = bool(table.writer.out)  # now, not before: a finalizer may have had more to be sent
                polling = True
                self.pollers += 1
                self._watched |= write
            if table.abandoned or self.detached:  # see Aftermath; the rest is followed by one
                self.settle()
            grace = liveness.grace if read else None
            timeout = soonest(soonest(timeout, silence), grace)
            start = time.monotonic()
            if read and not write:
                ready = self.watch.wait(timeout)
            else:
                ready = wait_for(self.sock, read=read, write=write, timeout=timeout)
        finally:
            with self.lock:
                self.pollers -= polling
                if polling and read:
                    self._polled(start, ready, challenged=grace is not None)
                    if write and ready:  # what was sent may be taken only now
                        liveness.stir(time.monotonic())
                if write:
                    self._watched = False
                if table.closed is not None or self.detached:
                    self._close_descriptor()
        if read and ready:
            with self.lock:
                self._receive_all()
        if table.writer.out:
            with self.lock:
                self.push()

    # -- under the lock ---------------------------------------------------------------------------

    def _polled(self, start: float, ready: bool, *, challenged: bool) -> None:
        """Take note of a poll: when it began, whether anything came, whether a PING was under way."""
        now = time.monotonic()
        self._dry = not ready
        if self.table.liveness.polled(start, now, came=ready, challenged=challenged):
            self.shut_unresponsive()
        if now - start > PAUSE:
            self.table.engine.pause()

    def check(self) -> bool:
        """Tell whether the connection is open and whole."""
        if self.table.busy:
            self.shut(ConnectionLost("a thread was interrupted in the middle of a frame"))
        return self.table.closed is None

    def push(self) -> None:
        """Do what must be done before the lock is let go.

        What finalizers have given up is dropped, a connection that is over is closed, and the socket gets
        what it takes of what there is to send. A thread that waits watches for the rest, or `linger` does.
        """
        table = self.table
        if table.abandoned:
            table.tidy()
        if table.draining:
            self.close_if_over()
        if (table.busy or table.closed is not None) and not self.check():
            return
        table.busy = True
        writer = table.writer
        while True:
            more = table.produce()
            if not writer.out or not writer.send() or not more:
                break
        if writer.out:
            writer.backlog = True
        elif writer.backlog:
            writer.backlog = False
            self.leadership.wake_all()  # some of the threads may have waited for just that
        table.busy = False

    def _receive_all(self) -> bool:
        """Take what has come, and no more than `LOOKS` pieces: a peer may never stop talking."""
        looks = LOOKS
        while looks > 0 and (came := self._receive(self.table.expected(looks))):
            looks -= came
            if self.receiver.is_idle:  # no stream is open: skip a recv that would return EWOULDBLOCK
                self._dry = True
                break
        if looks < LOOKS:
            self.push()
            if len(self.table.writer.out) > MAX_UNWRITTEN:
                self.shut(
                    ProtocolError(
                        f"the peer does not read: {len(self.table.writer.out)} bytes in answer to it lie "
                        "unwritten",
                        error_code=ErrorCode.ENHANCE_YOUR_CALM,
                    )
                )
        return looks < LOOKS

    def receive_unless_led(self) -> None:
        """Take what has come, unless the leader is to do it."""
        if not self.leadership.held:
            self._receive_all()

    def look(self) -> None:
        """Take what has come unasked for to an idle connection, while no thread leads."""
        if self.leadership.held:
            return
        for _ in range(LOOKS):  # over TLS one brings one record: GOAWAY may lie behind another
            self._dry = self.table.closed is not None or not self.watch.wait(0)
            if self._dry or not self._receive_all():
                return

    def _receive(self, looks: int) -> int:
        """Take what the socket has, looking so often; returns how many pieces that was.

        They are dealt with together: much of what that costs is the same for one as for many.
        """
        table = self.table
        if (table.busy or table.closed is not None) and not self.check():
            return 0
        table.busy = True
        pieces: list[bytes] = []
        ended, cause, room = False, None, RECEIVE_SIZE
        try:
            while len(pieces) < looks and room > 0 and not ended:
                if data := self.sock.recv(RECEIVE_SIZE):
                    pieces.append(data)
                    room -= len(data)
                else:
                    ended, cause = True, table.writer.error
        except WOULD_BLOCK:
            self._dry = True
        except OSError as error:
            ended, cause = True, error
        failure = None
        if pieces:
            table.liveness.received(time.monotonic())
            failure = self.receiver.receive(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        table.busy = False  # the engine is whole again, and may have GOAWAY to send
        if failure is not None:
            self.shut(failure)
        elif table.draining:
            self.close_if_over()
        if ended:
            self.shut(*self.receiver.ended(cause))
        return len(pieces) + ended

    # -- under the lock: the end ------------------------------------------------------------------

    def close_if_over(self) -> None:
        """Close a connection that takes no further requests, when the last stream is over."""
        if self.table.is_over:
            self.shut(ConnectionLost("the connection was closed"))

    def shut_unresponsive(self) -> None:
        """Close, because the peer gave no sign of life."""
        reason = f"no answer to a PING within {self.table.liveness.ping_timeout:g} s"
        self.shut(ConnectionLost(reason), repeat=SAFE_TO_REPEAT)

    def shut(self, error: HTTP2Error, repeat: Container[str] = ()) -> None:
        """Close, and fail what is under way; nothing if that was done before.

        Args:
            error: with which it fails.
            repeat: methods that may be repeated although the server may have processed them.
        """
        table = self.table
        if table.closed is not None:
            return
        table.closed = error
        writer = table.writer
        if not table.busy:
            table.engine.close()
            writer.out += table.engine.take()
            writer.send()
        table.fail_all(error, writer.gone, repeat)
        self._close_socket()

    def keep_session(self) -> None:
        """Keep the TLS session, for the next connection to resume it."""
        self.session = session_of(self.sock) or self.session

    def _close_socket(self) -> None:
        """Close; a thread that polls is woken, and the last one closes the descriptor."""
        writer = self.table.writer
        writer.out.clear()
        self.table.busy = False
        if writer.is_foreign:
            return  # it is the parent's; `after_fork()` is about to close the descriptor
        self.keep_session()
        self.remains = Remains(self.sock, self.session and self.session.session)
        with contextlib.suppress(OSError, ValueError):
            if isinstance(self.sock, ssl.SSLSocket):
                self.sock.unwrap()  # close_notify; it would also wait for the peer's, and does not
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.leadership.wake_all()
        self._close_descriptor()

    def _close_descriptor(self) -> None:
        """Close the descriptor, if the connection is closed and nothing polls it any more."""
        while self.detached:
            self.detached.pop()
            self.pollers -= 1
        if self.table.closed is not None and not self.pollers:
            self.sock.close()
