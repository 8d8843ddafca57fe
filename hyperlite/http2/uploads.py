"""Request bodies: 100 Continue, pieces one after the other, and the waits until they are written.

Which stream writes next is decided in `turns`. Any thread may call; each call takes the connection's lock.
"""

from ..errors import HTTP2Error, RequestTimeout
from ..messages.replay import may_repeat
from ..messages.request import EXPECT_WAIT
from .socket_io import SocketIO
from .stream import Stream
from .waiting import Waiting

_COMPLAINT = "the request could not be sent"


class Uploads:
    """The request bodies of one connection. It has no state of its own: that is in the table's `turns`."""

    __slots__ = ("_io", "_table", "_waiting")

    def __init__(self, io: SocketIO, waiting: Waiting) -> None:
        self._io = io
        self._table = io.table
        self._waiting = waiting

    def send_body(self, stream: Stream) -> None:
        """Send a body that is a file or an iterable, or that waits for 100 Continue."""
        request = stream.request
        if stream.table is not self._table or stream.tries.repeats:  # another thread is sending it again
            return
        try:
            if request.expects and self._wait_continue(stream):
                request.expects = False
            if request.open or request.expects:
                return
            for piece in request.pieces if request.pieces is not None else (request.body or b"",):
                if not self.write(stream, piece):
                    return
            self.end(stream)
        except HTTP2Error as error:
            # Otherwise the thread that waits for the response sends the request again.
            if stream.error is not error or not may_repeat(stream):
                raise

    def end(self, stream: Stream) -> None:
        """Send the end of a request that is open, and its trailers; see `HTTP2Connection.end`."""
        if stream.upload is not None and not _is_refused(stream):
            stream.request.announced.check_whole()
        self.write(stream, b"", last=True)

    def write(self, stream: Stream, data: bytes | memoryview, *, last: bool = False) -> bool:
        """Send a piece of a request's body; see `HTTP2Connection.write`."""
        if _is_refused(stream):
            return False
        stream.request.announced.count(len(data))
        if not (len(data) or last):
            return True
        io, table = self._io, self._table

        def attempt() -> bool | None:
            if stream.error is not None:
                raise stream.error
            if stream.upload is None:
                return False
            if stream.sending:  # another thread's piece goes first
                self._waiting.want((stream,))
                return None
            if table.writer.corked:
                table.writer.cork(False)
            table.turns.put(stream, data, last=last)
            io.push()
            return True

        with io.aftermath, io.lock:  # mostly no other piece waits
            begun = attempt()
        if begun is None:
            begun = self._waiting.wait(stream, attempt, _COMPLAINT)
        if not begun:
            return False
        self.wait_written(stream, queued=False)
        return last or stream.upload is not None

    def wait_written(self, stream: Stream, *, queued: bool) -> None:
        """Wait until the bytes given for a stream are written; `queued`: or until it waits for a slot."""
        writer = self._table.writer
        mark: int | None = None

        def attempt() -> bool | None:
            nonlocal mark
            if stream.table is not self._table:  # another thread has sent it again, on another connection
                return True
            if stream.error is not None and not queued:
                raise stream.error
            if stream.error is not None or stream.inbox.complete:
                return True
            if not stream.wire_id:
                if not queued:
                    self._waiting.want((stream,))
                return queued or None
            if stream.sending:
                return None
            mark = writer.written if mark is None else mark
            return True if writer.flushed >= mark else None

        try:
            self._waiting.wait(stream, attempt, _COMPLAINT, ends=True)
        except RequestTimeout:
            if not stream.inbox.complete:  # or else that has come at this moment, and no more is needed
                raise

    def _wait_continue(self, stream: Stream) -> bool:
        """Wait for 100 Continue; false if the peer refuses the body.

        If the peer says nothing, this returns true after a while (RFC 9110 section 10.1.1).
        """

        def attempt() -> bool | None:
            if stream.table is not self._table:  # another thread has sent it again, body and all
                return False
            if stream.error is not None:
                raise stream.error
            if stream.status:
                return stream.status < 300
            if any(status == 100 for status, _ in stream.inbox.informational):
                return True
            self._waiting.want((stream,))
            return None

        try:
            return self._waiting.wait(stream, attempt, "no 100 Continue came", EXPECT_WAIT)
        except RequestTimeout:
            return True


def _is_refused(stream: Stream) -> bool:
    """Tell whether a refusal has come instead of 100 Continue."""
    return stream.request.expects and stream.status >= 300
