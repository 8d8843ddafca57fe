"""One request and its response, while they cross one connection or the next.

The connection object makes a `Stream`, its `transport` drives it, and the response reads it.  A stream
outlives a socket: a request that the server did not process is submitted again, to another transport.

Rule: only the modules of this package change a stream, and only under the connection's lock.  What is read
without the lock is read after `complete` or `error` was set, when nothing changes any more.
"""

import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from ..errors import HTTP2Error
from ..messages.buffer import Buffer
from ..messages.exchange import AnswerTransport, Exchange
from ..messages.fields import Field
from ..messages.replay import FIRST
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
        """The socket: what may be asked of it without the lock does not change."""
        ...

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        ...

    def ask(self, question: Callable[[Any], T], /) -> T:
        """Ask the socket something, while no other thread is inside it."""
        ...

    def timeout_of(self, stream: "Stream", /) -> float | None:
        """Return the seconds that each wait for a stream may last."""
        ...

    def read(self, stream: "Stream", limit: int, /) -> bytes:
        """Take up to `limit` bytes of a body, as soon as any are there; b"" at its end."""
        ...

    def read_into(self, stream: "Stream", view: memoryview, /) -> int:
        """Take as much of a body as is there and fits; 0 at its end."""
        ...

    def put_back(self, stream: "Stream", data: bytes, /) -> None:
        """Undo a read: the bytes are the next to be read again."""
        ...

    def rouse(self) -> None:
        """Have the thread that polls look again at what it waits for."""
        ...

    def shut_down(self) -> None:
        """Break the connection off."""
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
        advanced: credit given for unread bytes: see `unread`.
        wanted: a thread waits for the response.
        told: seconds of silence that were a timeout of its own already.
    """

    __slots__ = (
        "advanced",
        "complete",
        "fields",
        "informational",
        "length",
        "pushes",
        "taken",
        "told",
        "trailers",
        "wanted",
    )

    def __init__(self) -> None:
        super().__init__()
        # -- of what few responses have there is no list before it is needed --
        self.fields: Sequence[Field] = ()
        self.length: int | None = None
        self.informational: tuple[tuple[int, list[Field]], ...] = ()
        self.trailers: Sequence[Field] = ()
        self.pushes: list[Stream] | None = None
        self.complete = self.wanted = False
        self.taken = self.advanced = 0
        self.told = 0.0

    @property
    def readable(self) -> int:
        """How many bytes may be read now.

        Those that complete the announced length are held back until the stream's end has arrived
        too: a body is not complete before, whatever its length.
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
    """What of a request is not sent yet, behind its header block.

    Attributes:
        piece: of the body, to be sent when the stream has its turn; None: the next is yet to be given.
        last: END_STREAM follows it.
    """

    __slots__ = ("last", "piece")

    def __init__(self) -> None:
        self.piece: memoryview | None = None
        self.last = False


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
        self.stream_id = stream_id
        self.request = request
        self.thread = threading.get_ident()  # whose request it is
        # -- owned by the connection --
        self.tries = FIRST  # what is known of those before
        self.answered_before = 0  # what its transport had had answered when it was submitted
        self.given_up = False  # it is unwanted, and not sent again
        self.heir: Exchange | None = None  # the same request, where it goes on over HTTP/1.1
        # -- guarded by the transport's lock --
        self.waiters: tuple[Waiter, ...] = ()  # mostly there is none, or one
        self.reset()

    def reset(self) -> None:
        """Forget what happened on the last connection: the request is to be sent on another."""
        self.transport: StreamTransport | None = None
        self.wire_id = 0  # 0: not started
        self.written_at = 0  # how many bytes went into the transport before the header block
        # None: END_STREAM goes with the header block, or is sent, or the peer needs no more.
        self.upload = None if self.request.bare else Upload()
        self.status = 0  # 0: no final header block yet
        self.inbox = Inbox()
        self.error: HTTP2Error | None = None

    @property
    def table(self) -> object:
        """The table of its transport: a stream that was moved elsewhere has another, or none."""
        return self.transport and self.transport.table

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
        """Whether anything of an answer has come: the peer has then processed the request.

        A 1xx response counts: a server that sends 103 has looked at the request. A promise does not: it
        answers another request. Whatever the peer says afterwards (GOAWAY with a lower number,
        REFUSED_STREAM), an answered request is not sent again.
        """
        return bool(self.status or self.inbox.informational)

    @property
    def sending(self) -> bool:
        """Whether a piece of the request's body waits to be sent."""
        return self.upload is not None and self.upload.piece is not None

    def make_response(self, kind: Any) -> Any:
        """Return the response, whose header block has arrived, as one of the caller's `response_class`."""
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
