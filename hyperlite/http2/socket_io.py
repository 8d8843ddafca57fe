"""One socket shared by any number of threads: which thread reads, which sleep, and what could not be written.

The rules:

- The socket does not block. Every call on it runs under `lock`, and every wait runs without it.  So no two
  threads are ever inside one SSL object, and no thread holds the lock while it waits for the peer.
- There is no background thread.  One waiting thread leads (see net/leader.py) and receives for all; the
  others sleep until something happens on their stream, or the lead is free.
- Only the leader receives: another thread could take the bytes that the leader polls for.
- Bytes that the socket does not take stay in the `Writer`, and a waiting thread also polls for writing.  If
  another thread polls already, without knowing of these bytes, the thread that left them stays until they
  are written (`linger`).
- A finalizer may run at any moment and never waits for the lock.  If the lock is taken, it leaves a note.
  The thread that holds the lock acts on the note after it has let go (`Aftermath`), before it sleeps, polls
  or returns.
- A thread that is interrupted while the engine works leaves `busy` set.  The next thread then closes the
  connection, because half a frame may have been made or read.
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
from ..net.heap import GIVEN_BACK, keep_heap
from ..net.leader import TRY_AGAIN, Job, Leadership
from ..net.sockets import Remains, Watch, wait_for
from ..net.timeouts import soonest
from ..net.tls import Session, session_of
from .receive import Receiver
from .stream import Stream
from .streams import RECORD, StreamTable
from .writer import WOULD_BLOCK

T = TypeVar("T")

# Bytes that are received before they are processed. One SSL_read returns at most one TLS record; a plain
# socket may return more. Larger pieces would leave the processor's cache before they are processed.
RECEIVE_SIZE = 65536
# How many pieces a call that must not wait receives at most.
LOOKS = 16
# Seconds of silence after which the engine's guard counts a pause: a flood has none.
PAUSE = 0.01
# Bytes of answers (to PING, SETTINGS) that may lie unwritten when a peer does not read. Go: 10,000 frames.
MAX_UNWRITTEN = 8 << 20


class Aftermath:
    """Acts on the notes of finalizers after each use of a connection's lock.

    A thread enters it before the lock, and so leaves it after the lock::

        with io.aftermath, io.lock:
            ...

    A finalizer leaves its note first and then looks at the lock. The thread lets go of the lock first and
    then looks for notes. So one of the two sees the other, and no note lies there while all threads sleep.
    """

    __slots__ = ("_abandoned", "_detached", "_io")

    def __init__(self, io: "SocketIO") -> None:
        self._abandoned, self._detached = io.table.abandoned, io.detached
        self._io = weakref.ref(io)  # a cycle would leave a dropped connection to the collector

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        if (self._abandoned or self._detached) and (io := self._io()) is not None:
            io.clean_up()


class SocketIO:
    """A non-blocking socket, its lock, and its waiting threads.

    `lock`, the one lock of a connection, guards everything but `lock`, `aftermath` and `timeout`. Lock order:
    the lock of the connection object, then this one.

    Args:
        sock: connected; no other code uses it from now on.
        table: the streams.
        receiver: applies the engine's events to them.
        timeout: seconds that each wait may last, or None.

    Attributes:
        aftermath: see `Aftermath`.
        leadership: which thread works, and which sleep.
        detached: one entry for each selector that has stopped polling, until `clean_up` counts it.
        pollers: how many threads and selectors poll the socket: the last of them closes it.
        session: the TLS session, once the connection drains or is closed.
        remains: answers for the socket once it is closed.
        watch: polls for reading; the leader uses it, or the holder of the lock while no thread leads.
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
        self.sock: socket.socket = sock
        self.table: StreamTable = table
        self.receiver: Receiver = receiver
        self.timeout: float | None = timeout
        self.session: Session | None = None
        self.remains: Remains | None = None
        self.watch: Watch = Watch(sock)
        self.lock: threading.Lock = threading.Lock()
        self.detached: deque[None] = deque()
        self.aftermath: Aftermath = Aftermath(self)
        self.leadership: Leadership = Leadership(self.lock, self.aftermath)
        self.pollers: int = 0
        self._watched = False  # a thread polls for writing
        self._dry = False  # the last recv found nothing: poll before the next

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

    def clean_up(self) -> None:
        """Act on the notes of finalizers; if the lock is taken, its holder does this afterwards."""
        while (self.table.abandoned or self.detached) and not self.lock.locked():
            # Not acquire(): an interrupt between it and a `try` would leave the lock taken for ever. A thread
            # that takes the lock at this moment soon lets go, because it waits for no other lock.
            with self.lock:
                self.push()
                self._close_descriptor()
                if self.table.writer.out and self.leadership.held and not self._watched:
                    self.leadership.call()  # the leader polls only for reading

    def linger(self) -> None:
        """Write what this thread has left in the writer, if the leader polls only for reading."""
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
        """Call `attempt` under the lock until it returns something; in between, lead or sleep.

        Args:
            awaited: its change may make the attempt succeed.
            streams: the attempt needs one of these to go on; empty: it needs none.
            attempt: returns None if it is too early.
            timeout: seconds, or None.
            complaint: the beginning of the error's text.

        Raises:
            RequestTimeout: the time is over. And whatever `attempt` raises.
        """
        table = self.table
        writer = table.writer

        def step(leads: bool) -> Job | None:
            if writer.corked:
                writer.cork(False)
            if leads and not self._dry and self._receive_all():
                return TRY_AGAIN
            silence = table.credit_ahead(streams)
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
                self.clean_up()

    def _poll(self, read: bool, silence: float | None, timeout: float | None) -> None:
        """Poll for at most `silence` and `timeout` seconds; then receive, if `read`, and write."""
        table, liveness = self.table, self.table.liveness
        polling, polled, write, grace, ready, start = False, False, False, None, True, 0.0
        try:
            with self.lock:
                if table.closed is not None or not (read or table.writer.out):
                    return
                write = bool(table.writer.out)  # not earlier: a finalizer may have added bytes meanwhile
                polling = True
                self.pollers += 1
                self._watched |= write
            if table.abandoned or self.detached:  # see Aftermath; later uses of the lock are followed by one
                self.clean_up()
            grace = liveness.grace if read else None
            if silence is not None or grace is not None:
                timeout = soonest(soonest(timeout, silence), grace)
            start = time.monotonic()
            if read and not write:
                ready = self.watch.wait(timeout)
            else:
                ready = wait_for(self.sock, read=read, write=write, timeout=timeout)
            polled = True
        finally:
            with self.lock:
                self.pollers -= polling
                if polling and read:
                    self._polled(start, ready, challenged=grace is not None)
                    if write and ready:  # the peer may have taken these bytes only now
                        liveness.stir(time.monotonic())
                if write:
                    self._watched = False
                if table.closed is not None or self.detached:
                    self._close_descriptor()
                if polled:  # or else the thread is interrupted, and does no more than it must
                    if read and ready:
                        self._receive_all()
                    if table.writer.out:
                        self.push()

    # -- under the lock ---------------------------------------------------------------------------

    def _polled(self, start: float, ready: bool, *, challenged: bool) -> None:
        """Take note of a poll; `challenged`: it was one for the answer to a PING."""
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
        """Do what must be done before a thread lets go of the lock.

        Drop the streams that finalizers have given up, close a connection that is over, and send what the
        socket takes. A waiting thread, or `linger`, sends the rest.
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
            self.leadership.wake_all()  # some threads wait until their bytes are written
        table.busy = False

    def _receive_all(self) -> bool:
        """Receive up to `LOOKS` pieces, since a peer may never stop sending; tell whether any came."""
        looks = LOOKS
        while looks > 0 and (came := self._receive(self.table.expected(looks))):
            looks -= came
            if self.receiver.is_idle:  # no stream is open: skip a recv that would return EWOULDBLOCK
                self._dry = True
                break
        if looks < LOOKS:
            if self.table.unread.total > GIVEN_BACK:
                keep_heap()
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
        """Receive what has come, unless a thread leads: then it receives."""
        if not self.leadership.held:
            self._receive_all()

    def look(self) -> None:
        """Receive what has come on an idle connection, while no thread leads."""
        if self.leadership.held:
            return
        for _ in range(LOOKS):  # over TLS each takes one record: GOAWAY may lie behind another
            self._dry = self.table.closed is not None or not self.watch.wait(0)
            if self._dry or not self._receive_all():
                return

    def _receive(self, looks: int) -> int:
        """Receive with up to `looks` calls of recv; return how many pieces came.

        The pieces are processed together, which costs less than one by one.
        """
        table = self.table
        if (table.busy or table.closed is not None) and not self.check():
            return 0
        table.busy = True
        pieces: list[bytes] = []
        ended, cause, room = False, None, RECEIVE_SIZE
        size = RECORD if table.writer.secure else RECEIVE_SIZE
        try:
            while len(pieces) < looks and room > 0 and not ended:
                if data := self.sock.recv(size):
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
            failure = self.receiver.receive(*pieces)
        table.busy = False  # the engine is consistent again, and may have GOAWAY to send
        if failure is not None:
            self.shut(failure)
        elif table.draining:
            self.close_if_over()
        if ended:
            self.shut(*self.receiver.ended(cause))
        return len(pieces) + ended

    # -- under the lock: the end ------------------------------------------------------------------

    def close_if_over(self) -> None:
        """Close a draining connection if the last stream is over."""
        if self.table.is_over:
            self.shut(ConnectionLost("the connection was closed"))

    def shut_unresponsive(self) -> None:
        """Close, because the peer did not answer a PING."""
        reason = f"no answer to a PING within {self.table.liveness.ping_timeout:g} s"
        self.shut(ConnectionLost(reason), repeat=SAFE_TO_REPEAT)

    def shut(self, error: HTTP2Error, repeat: Container[str] = ()) -> None:
        """Close, and fail the streams under way; do nothing on a closed connection.

        Args:
            error: the error of these streams.
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
        """Close the socket and wake the threads that poll it; the last of them closes the descriptor."""
        writer = self.table.writer
        writer.out.clear()
        self.table.busy = False
        if writer.is_foreign:
            return  # the socket is the parent's; `after_fork()` is about to close the descriptor
        self.keep_session()
        self.remains = Remains(self.sock, self.session and self.session.session)
        with contextlib.suppress(OSError, ValueError):
            if isinstance(self.sock, ssl.SSLSocket):
                self.sock.unwrap()  # sends close_notify; the socket does not block, so no wait for the peer's
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.leadership.wake_all()
        self._close_descriptor()

    def _close_descriptor(self) -> None:
        """Close the descriptor if the connection is closed and no thread or selector polls it."""
        while self.detached:
            self.detached.pop()
            self.pollers -= 1
        if self.table.closed is not None and not self.pollers:
            self.sock.close()
