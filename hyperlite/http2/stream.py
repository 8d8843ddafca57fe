"""One request and its response, while they cross one connection or the next.

The connection object makes a `Stream`, its `transport` drives it, and the response reads it.  A stream
outlives a socket: a request that the server did not process is submitted again, to another transport.

Rule: only the modules of this package change a stream, and only under the connection's lock.  A reader
without the lock reads only after `complete` or `error` is set, when no field changes any more.
"""

import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from ..errors import HTTP2Error
from ..messages.buffer import Buffer
from ..messages.exchange import AnswerTransport, Exchange
from ..messages.fields import Field
from ..messages.marks import Marks
from ..messages.replay import FIRST, Tries
from ..messages.request import Request
from ..messages.waiters import Waiter

T = TypeVar("T")


class StreamTransport(AnswerTransport["Stream"], Protocol):
    """The connection of a stream, as its readers and its socket's holders see it."""

    @property
    def table(self) -> object:
        """The streams of this connection."""
        ...

    @property
    def sock(self) -> socket.socket:
        """The socket. Without the lock, ask it only for what never changes."""
        ...

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        ...

    def ask(self, question: Callable[[Any], T], /) -> T:
        """Ask the socket a question under the lock, so that no other thread uses it."""
        ...

    def timeout_of(self, stream: "Stream", /) -> float | None:
        """Return the seconds that each wait for a stream may last."""
        ...

    def read(self, stream: "Stream", limit: int, /) -> bytes:
        """Take up to `limit` bytes of a body, as soon as there are any; b"" at its end."""
        ...

    def read_into(self, stream: "Stream", view: memoryview, /) -> int:
        """Read into a buffer the bytes of a body that have come; returns their number, 0 at the end."""
        ...

    def put_back(self, stream: "Stream", data: bytes, /) -> None:
        """Undo a read: the next read returns these bytes again."""
        ...

    def rouse(self) -> None:
        """Wake the leader, so that it looks again at its own exchange."""
        ...

    def shut_down(self) -> None:
        """Close the connection at once, and fail every request under way."""
        ...


class Inbox(Buffer):
    """What has come of one response: its fields, and the bytes of its body that were not read.

    Attributes:
        fields: of the final header block.
        length: of the body, in bytes; None: not announced.
        informational: the 1xx responses, status and fields of each.
        trailers: the trailer fields.
        pushes: pushed streams that no caller has taken; None: the server has promised nothing.
        complete: the whole response has come.
        taken: bytes of the body that were read.
        advanced: unread bytes for which the peer has credit already: see `unread`.
        wanted: a thread waits for the response.
        told: seconds of silence that this response was already charged with, in a timeout of its own.
        sent_at, head_at, end_at: the monotonic times at which the engine got the header block of its request,
            its own final header block came, and it was complete; 0: not yet.
    """

    __slots__ = (
        "advanced",
        "complete",
        "end_at",
        "fields",
        "head_at",
        "informational",
        "length",
        "pushes",
        "sent_at",
        "taken",
        "told",
        "trailers",
        "wanted",
    )

    def __init__(self) -> None:
        Buffer.__init__(self)  # super() would take as long as all that follows
        # -- most responses need no list of these, so it is made late --
        self.fields: Sequence[Field] = ()
        self.length: int | None = None
        self.informational: tuple[tuple[int, list[Field]], ...] = ()
        self.trailers: Sequence[Field] = ()
        self.pushes: list[Stream] | None = None
        self.complete: bool = False
        self.wanted: bool = False
        self.taken: int = 0
        self.advanced: int = 0
        self.told: float = 0.0
        self.sent_at: float = 0.0
        self.head_at: float = 0.0
        self.end_at: float = 0.0

    @property
    def readable(self) -> int:
        """How many bytes may be read now.

        The last announced byte is held back until the stream's end has come, because the body is not
        complete before that.
        """
        size = self.size
        if self.complete or self.length is None or self.taken + size < self.length:
            return size
        return max(0, size - 1)

    @property
    def exhausted(self) -> bool:
        """Whether the whole body has arrived and was read."""
        return self.complete and not self.size


class Upload:
    """The part of a request behind its header block that is not sent yet.

    Attributes:
        piece: of the body, to be sent when the stream has its turn; None: there is no piece at the moment.
        last: END_STREAM follows it.
    """

    __slots__ = ("last", "piece")

    def __init__(self) -> None:
        self.piece: memoryview | None = None
        self.last: bool = False


class Stream:
    """One request and its response.

    Args:
        stream_id: the id that the caller knows it by.
        request: what is asked for.
    """

    __slots__ = (
        "__weakref__",
        "answered_before",
        "error",
        "given_up",
        "heir",
        "inbox",
        "request",
        "status",
        "stream_id",
        "thread",
        "transport",
        "tries",
        "upload",
        "waiters",
        "wire_id",
        "written_at",
    )

    def __init__(self, stream_id: int, request: Request) -> None:
        # -- set once --
        self.stream_id: int = stream_id
        self.request: Request = request
        self.thread: int = threading.get_ident()  # that made the request
        # -- owned by the connection --
        self.tries: Tries = FIRST  # what is known of earlier tries
        self.answered_before: int = 0  # how many responses its transport had had when it was submitted
        self.given_up: bool = False  # no thread wants the response: it is not sent again
        self.heir: Exchange | None = None  # the same request, where it goes on over HTTP/1.1
        # -- guarded by the transport's lock --
        self.waiters: tuple[Waiter, ...] = ()  # mostly none or one
        self.reset()

    def reset(self) -> None:
        """Forget the last connection, so that the request can be sent on another."""
        self.transport: StreamTransport | None = None
        self.wire_id: int = 0  # 0: not started
        self.written_at: int = 0  # how many bytes went into the transport before the header block
        # None: END_STREAM goes with the header block, or is sent, or the peer needs no more.
        self.upload: Upload | None = None if self.request.bare else Upload()
        self.status: int = 0  # 0: no final header block yet
        self.inbox: Inbox = Inbox()
        self.error: HTTP2Error | None = None

    @property
    def table(self) -> object:
        """The stream table of its transport; None: it has no transport."""
        return self.transport and self.transport.table

    @property
    def marks(self) -> Marks:
        """When it was sent, when its response began, and when that was complete."""
        return Marks(self.inbox.sent_at, self.inbox.head_at, self.inbox.end_at)

    @property
    def request_head(self) -> Sequence[Field]:
        """The header fields of the request."""
        return self.request.fields

    @property
    def doubtful(self) -> bool:
        """Whether an earlier try may have been processed."""
        return self.tries.doubtful

    @property
    def settled(self) -> bool:
        """Whether the response's header block, or its failure, has arrived."""
        return bool(self.status) or self.error is not None

    @property
    def answered(self) -> bool:
        """Whether an answer has begun to come: then the peer has processed the request.

        A 1xx response counts, because a server that sends 103 has looked at the request. A promise does not
        count, because it answers another request. An answered request is not sent again, even if the peer
        claims afterwards that it was not processed (GOAWAY with a lower number, REFUSED_STREAM).
        """
        return bool(self.status or self.inbox.informational)

    @property
    def sending(self) -> bool:
        """Whether a piece of the request's body waits to be sent."""
        return self.upload is not None and self.upload.piece is not None

    def make_response(self, kind: Any) -> Any:
        """Return the response, whose header block has come; `kind` is the caller's `response_class`."""
        return kind.from_stream(self, self.request.method)

    def __repr__(self) -> str:
        if self.error is not None:
            state = f"failed: {self.error}"
        elif self.inbox.complete:
            state = "complete"
        elif self.status:
            state = f"status {self.status}, body under way"
        else:
            state = "waiting for the response" if self.wire_id else "queued"
        return f"<Stream {self.stream_id} on wire {self.wire_id}: {state}, {self.inbox.size} bytes unread>"
