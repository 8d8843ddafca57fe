"""Response bodies: taken from the streams' inboxes, and credit for what was taken.

A read of what has come already takes few calls: it is the hottest path there is. Any thread may call; each
call takes the connection's lock.
"""

import functools
from collections.abc import Callable
from typing import TypeVar

from .socket_io import SocketIO
from .stream import Stream
from .waiting import Waiting, is_late, overdue

Taken = TypeVar("Taken", bytes, int)


class Downloads:
    """The response bodies of one connection. It has no state of its own: that is in the streams."""

    __slots__ = ("_io", "_table", "_waiting")

    def __init__(self, io: SocketIO, waiting: Waiting) -> None:
        self._io = io
        self._table = io.table
        self._waiting = waiting

    def read(self, stream: Stream, limit: int) -> bytes:
        """Take up to `limit` bytes; see `HTTP2Connection.read`."""

        def take(readable: int) -> bytes:
            if not readable:
                return b""
            size = min(limit, readable)
            self._took(stream, size)  # first: an interrupt between the two shows that bytes are lost
            return stream.inbox.take(size)

        data = self._read(stream, take)
        if self._table.writer.out:
            self._linger_after(stream, data)
        return data

    def read_rest(self, stream: Stream) -> bytes:
        """Take what is left of a complete body; see `HTTP2Connection.read_rest`."""
        io, table = self._io, self._table
        with io.lock:
            if stream.error is not None:
                raise stream.error
            size = stream.inbox.size
            self._took(stream, size)
            data = stream.inbox.take(size) if size else b""
        if table.abandoned or io.detached:  # as Aftermath does, where nothing else can go wrong: it is hot
            io.settle()
        if table.writer.out:
            self._linger_after(stream, data)
        return data

    def read_into(self, stream: Stream, view: memoryview) -> int:
        """Take as much as is there and fits; see `HTTP2Connection.read_into`."""

        def take(readable: int) -> int:
            size = min(len(view), readable)
            self._took(stream, size)
            return stream.inbox.take_into(view[:size])

        size = self._read(stream, take)
        if self._table.writer.out:
            self._linger_after(stream, view[:size])
        return size

    def _took(self, stream: Stream, size: int) -> None:
        """Under the lock: have the credit sent for what was read."""
        if self._table.took(stream, size):
            self._io.push()

    def _linger_after(self, stream: Stream, taken: bytes | memoryview) -> None:
        """Stay until the credit for a read is written; where that is interrupted, the read is undone."""
        try:
            self._io.linger()
        except BaseException:
            self.put_back(stream, bytes(taken))
            raise

    def _read(self, stream: Stream, take: Callable[[int], Taken]) -> Taken:
        """Take something of a body as soon as any is there, or at its end, when that is nothing."""
        if not stream.inbox.complete and stream.error is None and is_late(stream):
            self._waiting.pump()  # what has come in time counts
            late = overdue(stream, "the body did not end")
            if self._waiting.cancel(stream, late):
                raise late
        io = self._io
        with io.aftermath, io.lock:  # mostly it is there already
            taken = self._read_locked(stream, take)
        if taken is None:
            attempt = functools.partial(self._read_locked, stream, take)
            taken = self._waiting.wait(stream, attempt, "no more of the body came", shared=True)
        return taken

    def _read_locked(self, stream: Stream, take: Callable[[int], Taken]) -> Taken | None:
        if (readable := stream.inbox.readable) or stream.inbox.complete:
            return take(readable)
        if stream.error is not None:  # what had come before it was read
            raise stream.error
        self._table.engine.grow(stream.wire_id)
        self._io.push()
        return None

    def put_back(self, stream: Stream, data: bytes) -> None:
        """Undo a read; see `HTTP2Connection.put_back`."""
        io = self._io
        with io.aftermath, io.lock:
            if stream.given_up:  # by another thread meanwhile: these bytes are lost with the rest
                if data:
                    self._table.lose(stream)
                return
            stream.inbox.put_back(data)
            self._table.unread.put_back(stream, len(data))
