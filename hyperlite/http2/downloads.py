"""Response bodies: bytes are taken from the streams' inboxes, and the peer gets credit for them.

Any thread may call; each call takes the connection's lock. A read of bytes that have already come is the
hottest path of the library, so it makes few calls.
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
            self._took(stream, size)  # first: if an interrupt comes between, the loss of bytes shows
            return stream.inbox.take(size)

        data = self._read(stream, take)
        if self._table.writer.out:
            self._linger_after(stream, data)
        return data

    def read_rest(self, stream: Stream) -> bytes:
        """Take the rest of a complete body; see `HTTP2Connection.read_rest`."""
        io, table = self._io, self._table
        with io.lock:
            if stream.error is not None:
                raise stream.error
            size = stream.inbox.size
            if table.took(stream, size):
                io.push()
            data = stream.inbox.take(size) if size else b""
        if table.abandoned or io.detached:  # as Aftermath does, where nothing else can go wrong: it is hot
            io.clean_up()
        if table.writer.out:
            self._linger_after(stream, data)
        return data

    def read_into(self, stream: Stream, view: memoryview) -> int:
        """Read into a buffer; see `HTTP2Connection.read_into`."""

        def take(readable: int) -> int:
            size = min(len(view), readable)
            self._took(stream, size)
            return stream.inbox.take_into(view[:size])

        size = self._read(stream, take)
        if self._table.writer.out:
            self._linger_after(stream, view[:size])
        return size

    def _took(self, stream: Stream, size: int) -> None:
        """Under the lock: send the credit for bytes that were read."""
        if self._table.took(stream, size):
            self._io.push()

    def _linger_after(self, stream: Stream, taken: bytes | memoryview) -> None:
        """Stay until the credit for a read is written; if that is interrupted, undo the read."""
        try:
            self._io.linger()
        except BaseException:
            self.put_back(stream, bytes(taken))
            raise

    def _read(self, stream: Stream, take: Callable[[int], Taken]) -> Taken:
        """Call `take` as soon as bytes of the body are there, or at its end with none."""
        if not stream.inbox.complete and stream.error is None and is_late(stream):
            self._waiting.pump()  # bytes that came in time count
            late = overdue(stream, "the body did not end")
            if self._waiting.cancel(stream, late):
                raise late
        io = self._io
        with io.aftermath, io.lock:  # mostly the bytes are there already
            taken = self._read_locked(stream, take)
        if taken is None:
            attempt = functools.partial(self._read_locked, stream, take)
            taken = self._waiting.wait(stream, attempt, "no more of the body came", shared=True)
        return taken

    def _read_locked(self, stream: Stream, take: Callable[[int], Taken]) -> Taken | None:
        if (readable := stream.inbox.readable) or stream.inbox.complete:
            return take(readable)
        if stream.error is not None:  # the bytes that came before it have been read
            raise stream.error
        self._table.engine.grow(stream.wire_id)
        self._io.push()
        return None

    def put_back(self, stream: Stream, data: bytes) -> None:
        """Undo a read; see `HTTP2Connection.put_back`."""
        io = self._io
        with io.aftermath, io.lock:
            if stream.given_up:  # another thread gave it up meanwhile: these bytes are lost too
                if data:
                    self._table.lose(stream)
                return
            stream.inbox.put_back(data)
            self._table.unread.put_back(stream, len(data))
