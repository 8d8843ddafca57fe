"""One socket shared by any number of threads: who reads, who sleeps, and what could not be written.

The rules:

- The socket does not block, and every call on it is made under `_lock`; every wait happens outside.
  So no two threads are ever inside one SSL object, and nobody holds the lock while the peer takes
  his time.
- There is no background thread: whoever waits reads for all.  One thread at a time is the reader (it
  holds the *baton*, see baton.py); the others sleep until something happened on their stream or the
  baton is passed to them.
- Only the reader receives: bytes taken by another thread could be the ones the reader is waiting for.
- What could not be written stays in `_out`, byte for byte (SSL wants the same bytes again), and
  somebody who waits watches the socket for writing too.  A thread that leaves something behind while
  another, who does not know of it, reads, stays until it is gone.
- A finalizer may run in the middle of anything, and never waits for the lock. Where it finds that taken, it
  leaves a note, and the thread that has the lock deals with it when it has let go (`Aftermath`): before it
  sleeps, polls or returns.
- A thread that is interrupted between two states leaves `_busy` behind: the next one closes the
  connection instead of going on with half a frame.
"""

import contextlib
import functools
import os
import socket
import ssl
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from ..errors import ConnectionLost, ErrorCode, HTTP2Error, ProtocolError
from ..net.forking import FOREIGN
from ..net.leader import TRY_AGAIN, Awaited, Baton, Job
from ..net.sockets import Remains, Watch, wait_for
from ..net.timeouts import soonest
from ..net.tls import Session, session_of
from .liveness import Liveness

T = TypeVar("T")

# What is dealt with together. One TLS record at the most comes out of one SSL_read; a plain socket may have
# more. Larger pieces would not stay in the processor's cache between being received and being looked at.
RECEIVE_SIZE = 65536
# How many pieces of what is there one call takes that may not wait.
LOOKS = 16
# Seconds without a word that tell who has nothing to say from who never stops.
PAUSE = 0.01
# What may lie unwritten in answer to the peer (PING, SETTINGS) who does not read. Go: 10,000 frames.
MAX_UNWRITTEN = 8 << 20

# Linux alone lets go of what it has gathered by itself; the BSDs' TCP_NOPUSH is no such thing.
_CORK: int | None = getattr(socket, "TCP_CORK", None)
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Aftermath:
    """What follows each use of a connection's lock: dealing with what finalizers have left meanwhile.

    It is entered before the lock is taken, so that it is left when the lock is free again::

        with self._aftermath, self._lock:
            ...

    A finalizer leaves its note and then looks at the lock; here the lock is let go, and then the notes are
    looked at. So one of the two sees the other, and no note lies there while every thread sleeps.
    """

    __slots__ = ("_abandoned", "_detached", "_link")

    def __init__(self, link: "Link") -> None:
        self._abandoned, self._detached = link._abandoned, link._detached
        self._link = weakref.ref(link)  # a cycle would leave a dropped connection to the collector

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        if (self._abandoned or self._detached) and (link := self._link()) is not None:
            link._settle()


class Link(ABC):
    """A non-blocking socket, its lock, its unwritten bytes and its waiting threads."""

    def __init__(self, sock: socket.socket, timeout: float | None, liveness: Liveness) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.timeout = timeout
        self.session: Session | None = None  # once it drains, or is closed
        self._remains: Remains | None = None  # once it is closed
        self._watch = Watch(sock)  # of the one who has the baton, or the lock while nobody has
        self._secure = isinstance(sock, ssl.SSLSocket)
        self._lock = threading.Lock()
        # -- guarded by _lock: the socket --
        self._out = bytearray()
        self._written = 0  # bytes that went into _out, ever
        self._flushed = 0  # of which the socket took so many
        self._gone = 0  # and so many may have left: TLS writes on while it says that it would block
        self._backlog = False  # something could not be written at once
        self._corked = False  # the kernel gathers what is written
        self._abandoned: deque[Any] = deque()  # streams that finalizers have left: see Aftermath
        self._dry = False  # there was nothing to receive: who wants more polls first
        self._liveness = liveness
        self._write_error: OSError | None = None
        self._closed: HTTP2Error | None = None  # why
        self._busy = False
        # -- guarded by _lock: the baton --
        self._detached: deque[None] = deque()  # selectors that polled and have ended since: see Aftermath
        self._aftermath = Aftermath(self)
        self._baton = Baton(self._lock, self._aftermath)
        self._watched = False  # somebody who polls watches for writing
        self._pollers = 0  # threads and selectors that poll the socket: the last of them closes it
        self._pid = os.getpid()

    # -- what the streams' side does --------------------------------------------------------------

    @abstractmethod
    def _tidy_locked(self) -> None:
        """Do what was put off by finalizers, before anything is sent."""

    @abstractmethod
    def _produce_locked(self) -> bool:
        """Add to `_out` what there is to be sent; tell whether there may be more when this is gone."""

    @abstractmethod
    def _consume_locked(self, data: bytes) -> None:
        """Take what was received."""

    @abstractmethod
    def _expected_locked(self, most: int) -> int:
        """Return how many pieces the peer is to send at the least, 1 to `most`."""

    @abstractmethod
    def _idle_locked(self) -> bool:
        """Tell whether nothing is expected of the peer."""

    @abstractmethod
    def _ended_locked(self, cause: OSError | None) -> None:
        """Take note that the socket ended."""

    @abstractmethod
    def _paused_locked(self) -> None:
        """Take note that the peer was silent for a while before what comes next."""

    @abstractmethod
    def _unresponsive_locked(self) -> None:
        """Take note that the peer gave no sign of life."""

    @abstractmethod
    def _shut_locked(self, error: HTTP2Error) -> None:
        """Close the connection and fail what is under way on it; nothing if that was done before."""

    @abstractmethod
    def _relieve_locked(self, waiting: Collection[Awaited]) -> float | None:
        """Do what can be done so that a wait for these streams can end.

        Returns:
            Seconds of silence after which there is more that can be done; None if there is not.
        """

    @abstractmethod
    def _fail_all_locked(self, error: HTTP2Error) -> None:
        """Fail what is under way, without a word to the peer."""

    def after_fork(self) -> None:
        """In the child: the connection is the parent's. See forking.py."""
        self._lock = threading.Lock()
        self._baton = Baton(self._lock, self._aftermath)
        self._pollers = 0
        self._detached.clear()
        self._out = bytearray()  # a new one: a thread that was sending from the old one has locked its size
        self.sock.close()
        with self._lock:
            if self._closed is None:
                self._closed = ConnectionLost(FOREIGN)
                self._fail_all_locked(self._closed)

    # -- driving it from outside ------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether the connection is over."""
        return self._closed is not None

    def fileno(self) -> int:
        """Return the socket's descriptor, or -1."""
        return self.sock.fileno()

    def attach(self) -> int | None:
        """Return the descriptor for a selector; it stays open, and so no other socket's, until `detach()`.

        Returns:
            None if the connection is closed.
        """
        with self._aftermath, self._lock:
            if self._closed is not None:
                return None
            self._pollers += 1
            return self.sock.fileno()

    def detach(self) -> None:
        """End what `attach()` began. A finalizer may call: this does not wait."""
        self._detached.append(None)
        self._settle()

    def _settle(self) -> None:
        """Deal with what finalizers have left; where the lock is taken, its holder does it afterwards."""
        while (self._abandoned or self._detached) and not self._lock.locked():
            # Not acquire(): an interrupt between that and a `try` would leave the lock taken for ever. A
            # thread that takes it in this very moment soon lets go: it waits for no lock that it finds taken.
            with self._lock:
                self._push_locked()
                self._close_descriptor_locked()
                if self._out and self._baton.held and not self._watched:
                    self._baton.call()  # the thread that polls does not know that there is something to write

    @property
    def wants_write(self) -> bool:
        """Whether something waits for the socket to take it."""
        return bool(self._out)

    @property
    def grace(self) -> float | None:
        """Seconds of polling in which the peer must say something, where a sign of life is waited for."""
        return self._liveness.grace

    def unheard(self, seconds: float) -> None:
        """Take note that the socket was polled for so long from outside, and nothing came."""
        with self._aftermath, self._lock:
            if self._closed is None and self._liveness.unheard(seconds):
                self._unresponsive_locked()

    def pump(self, *, receive: bool = True) -> None:
        """Receive what has come, unless that is to wait, and send what can be sent; waits for nothing."""
        with self._aftermath, self._lock:
            if self._corked:
                self._cork_locked(False)
            if receive and not self._baton.held:
                self._receive_all_locked()
            self._push_locked()

    # -- waiting ----------------------------------------------------------------------------------

    def _wait(
        self,
        streams: Collection[Awaited],
        attempt: Callable[[], T | None],
        timeout: float | None,
        complaint: str,
    ) -> T:
        """Try `attempt`, under the lock, until it returns something, reading for everybody in between.

        `streams` are those whose events may make it succeed. Raises RequestTimeout with the complaint.
        """

        def step(holding: bool) -> Job | None:
            if self._corked:
                self._cork_locked(False)
            if holding and not self._dry and self._receive_all_locked():
                return TRY_AGAIN
            silence = self._relieve_locked(streams)
            works = holding or (bool(self._out) and not self._watched)
            return functools.partial(self._poll, holding, silence) if works else None

        try:
            return self._baton.wait(streams, attempt, step, timeout, complaint)
        finally:
            if self._abandoned or self._detached:
                self._settle()

    def _poll(self, read: bool, silence: float | None, timeout: float | None) -> None:
        """Wait, no longer than either number of seconds says; then receive what has come, and write."""
        polling, write, grace, ready, start = False, False, None, True, 0.0
        try:
            with self._lock:
                if self._closed is not None or not (read or self._out):
                    return
                write = bool(self._out)  # asked here, not before: a finalizer may have had more to be sent
                polling = True
                self._pollers += 1
                self._watched |= write
            if self._abandoned or self._detached:  # see Aftermath; the rest is followed by one
                self._settle()
            grace = self._liveness.grace if read else None
            timeout = soonest(soonest(timeout, silence), grace)
            start = time.monotonic()
            if read and not write:
                ready = self._watch.wait(timeout)
            else:
                ready = wait_for(self.sock, read=read, write=write, timeout=timeout)
        finally:
            with self._lock:
                self._pollers -= polling
                if polling and read:
                    self._polled_locked(start, ready, asked=grace is not None)
                    if write and ready:  # what was sent may be taken only now
                        self._liveness.stir(time.monotonic())
                if write:
                    self._watched = False
                if self._closed is not None or self._detached:
                    self._close_descriptor_locked()
        if read and ready:
            with self._lock:
                self._receive_all_locked()
        if self._out:
            with self._lock:
                self._push_locked()

    def _polled_locked(self, start: float, ready: bool, *, asked: bool) -> None:
        """Take note of a poll: when it began, whether anything came, whether a PING was under way."""
        now = time.monotonic()
        self._dry = not ready
        if self._liveness.polled(start, now, came=ready, challenged=asked):
            self._unresponsive_locked()
        if now - start > PAUSE:
            self._paused_locked()

    def _linger(self) -> None:
        """Stay until what we left behind is written, if the one who reads does not know of it."""
        with self._aftermath:
            with self._lock:
                alone = not self._out or not self._baton.held or self._watched
            if not alone:
                self._poll(False, None, self.timeout)

    # -- under the lock: the socket ---------------------------------------------------------------

    def _check_locked(self) -> bool:
        """Tell whether the connection is open and whole."""
        if self._busy:
            self._shut_locked(ConnectionLost("a thread was interrupted in the middle of a frame"))
        return self._closed is None

    def _cork_locked(self, corked: bool) -> None:
        """Have the kernel gather what is written, or send it as it comes, and what it has gathered.

        Each small write wakes the peer, which costs more than all that is done here for a request.
        The first request of many goes out at once; those that follow, while nobody waits for an
        answer yet, are gathered.  Nothing can be forgotten: the kernel keeps them for 0.2 s at the
        most, or until a segment is full (tcp(7), TCP_CORK).
        """
        if _CORK is not None:
            with contextlib.suppress(OSError):  # not TCP, or closed
                self.sock.setsockopt(socket.IPPROTO_TCP, _CORK, corked)
            self._corked = corked  # the last: who is interrupted before it leaves it to the next one

    def _push_locked(self) -> None:
        """Hand to the socket what it takes of what there is to send."""
        if self._abandoned:
            self._tidy_locked()
        if (self._busy or self._closed is not None) and not self._check_locked():
            return
        self._busy = True
        while True:
            more = self._produce_locked()
            if not self._out or not self._send_locked() or not more:
                break
        if self._out:
            self._backlog = True
        elif self._backlog:
            self._backlog = False
            self._baton.wake_all()  # some of them may have waited for just that
        self._busy = False

    def _send_locked(self) -> bool:
        """Send from `_out`, all of it if the socket takes it; false if that may take no more now."""
        if self._write_error is not None or os.getpid() != self._pid:  # a finalizer, before `after_fork()`
            self._out.clear()
            return False
        out = self._out
        try:
            while out:
                # TLS writes on while it says that it would block; a plain socket does not.
                before, self._gone = self._gone, self._flushed + len(out)
                sent = self.sock.send(out)
                self._flushed += sent
                if not self._secure:
                    self._gone = self._flushed
                del out[:sent]
        except _WOULD_BLOCK:
            if not self._secure:
                self._gone = before
            return False
        except OSError as error:
            if not self._secure:
                self._gone = before
            # What the peer said before it closed may still be there to be read: an answer, or GOAWAY.
            self._write_error = error
            out.clear()
            return False
        return True

    def _receive_all_locked(self) -> bool:
        """Take what has come, and no more than `LOOKS` pieces: a peer may never stop talking."""
        looks = LOOKS
        while looks > 0 and (came := self._receive_locked(self._expected_locked(looks))):
            looks -= came
            if self._idle_locked():  # one look less, and a vain one at that: nothing is to come
                self._dry = True
                break
        if looks < LOOKS:
            self._push_locked()
            if len(self._out) > MAX_UNWRITTEN:
                self._shut_locked(
                    ProtocolError(
                        f"the peer does not read: {len(self._out)} bytes in answer to it lie unwritten",
                        error_code=ErrorCode.ENHANCE_YOUR_CALM,
                    )
                )
        return looks < LOOKS

    def _look_locked(self) -> bool:
        """Take what has come unasked for, while nobody reads; tell whether that was anything."""
        self._dry = self._closed is not None or not self._watch.wait(0)
        return not self._dry and self._receive_all_locked()

    def _receive_locked(self, looks: int) -> int:
        """Take what the socket has, looking so often; returns how many pieces that was.

        They are dealt with together: much of what that costs is the same for one as for many.
        """
        if (self._busy or self._closed is not None) and not self._check_locked():
            return 0
        self._busy = True
        pieces: list[bytes] = []
        ended, cause, room = False, None, RECEIVE_SIZE
        try:
            while len(pieces) < looks and room > 0 and not ended:
                if data := self.sock.recv(RECEIVE_SIZE):
                    pieces.append(data)
                    room -= len(data)
                else:
                    ended, cause = True, self._write_error
        except _WOULD_BLOCK:
            self._dry = True
        except OSError as error:
            ended, cause = True, error
        if pieces:
            self._liveness.received(time.monotonic())
            self._consume_locked(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        self._busy = False
        if ended:
            self._ended_locked(cause)
        return len(pieces) + ended

    def _close_socket_locked(self) -> None:
        """Close; a thread that polls is woken, and the last one closes the descriptor."""
        self._out.clear()
        self._busy = False
        if os.getpid() != self._pid:
            return  # it is the parent's; `after_fork()` is about to close the descriptor
        self.session = session_of(self.sock) or self.session
        self._remains = Remains(self.sock, self.session and self.session.session)
        with contextlib.suppress(OSError, ValueError):
            if isinstance(self.sock, ssl.SSLSocket):
                self.sock.unwrap()  # close_notify; it would also wait for the peer's, and does not
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self._baton.wake_all()
        self._close_descriptor_locked()

    def _close_descriptor_locked(self) -> None:
        """Close the descriptor, if the connection is closed and nothing polls it any more."""
        while self._detached:
            self._detached.pop()
            self._pollers -= 1
        if self._closed is not None and not self._pollers:
            self.sock.close()
