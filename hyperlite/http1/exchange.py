"""One request and its response on HTTP/1.1, from the queue to the end, whichever socket carries them.

It corresponds to a `Stream` of HTTP/2. The connection object makes it, and `HTTP1Connection` drives it.

Rule: only `http1.connection` changes an exchange, under the lock of its connection or as the leader.
"""

import http.client as http_client
import socket
import threading
from collections.abc import Callable
from typing import Any

from ..messages.exchange import Exchange, Transport
from ..messages.marks import NOT_YET, Marks
from ..messages.request import UNSET, Request
from ..messages.waiters import Waiter
from ..net.timeouts import remaining, soonest
from .request_writer import Outgoing
from .response import QueuedResponse
from .wire import Wire


class HTTP1Exchange:
    """One request and its response on HTTP/1.1.

    Args:
        stream_id: the caller's id for it.
        request: the caller's.
    """

    __slots__ = (
        "__weakref__",
        "doubt",
        "error",
        "given_up",
        "heir",
        "outgoing",
        "request",
        "response",
        "sent",
        "sock",
        "stream_id",
        "thread",
        "transport",
        "waiters",
    )

    def __init__(self, stream_id: int, request: Request) -> None:
        self.stream_id: int = stream_id
        self.request: Request = request
        self.thread: int = threading.get_ident()
        self.given_up: bool = False
        self.heir: Exchange | None = None
        self.waiters: tuple[Waiter, ...] = ()
        # -- owned by the transport --
        self.transport: Transport[HTTP1Exchange] | None = None
        self.sock: socket.socket | None = None
        self.outgoing: Outgoing | None = None
        self.sent: bool | None = None  # or its head, where the body is still to be written
        self.response: QueuedResponse | None = None
        self.error: BaseException | None = None
        self.doubt: BaseException | None = None  # the error of a first try that may have been processed

    @property
    def doubtful(self) -> bool:
        """Whether a first try may have been processed."""
        return self.doubt is not None

    @property
    def settled(self) -> bool:
        """Whether the response's head, or its failure, has arrived."""
        return self.response is not None or self.error is not None

    @property
    def marks(self) -> Marks:
        """When it was sent, when its response began, and when that was complete."""
        return NOT_YET if self.outgoing is None else self.outgoing.response._marks

    @property
    def request_head(self) -> bytes:
        """The lines of the request's head; empty: it was not written yet."""
        return b"" if self.outgoing is None else self.outgoing.head

    def make_response(self, _kind: Any) -> QueuedResponse:
        """Return the response, whose head has arrived."""
        assert self.response is not None
        return self.response

    def patience(self, usual: float | None) -> float | None:
        """Return the seconds that a wait may last, None for no limit; `usual` are the connection's."""
        timeout: float | None = usual if self.request.timeout is UNSET else self.request.timeout
        return soonest(timeout, remaining(self.request.deadline))

    def outgoing_on(
        self,
        sock: socket.socket,
        speak: Callable[[Any], http_client.HTTPConnection],
        *,
        require_close_notify: bool,
    ) -> Outgoing:
        """Return the request, to be sent on a socket; for the other arguments see `HTTP1Connection`."""
        request = self.request
        wire = Wire(
            sock,
            timeout=request.timeout,
            deadline=request.deadline,
            stream_id=self.stream_id,
            duplex=request.open,
            exact=request.upgrades,
        )
        connection = speak(wire)
        response = QueuedResponse(
            wire,
            connection.debuglevel,
            request.method,
            require_close_notify=require_close_notify,
            stream_id=self.stream_id,
            max_headers=getattr(connection, "max_response_headers", None),
        )
        return Outgoing(connection, wire, request, response)

    def drop(self) -> None:
        """Let go of what reads from the socket, where it has failed; a response handed out keeps it."""
        if self.response is None and self.outgoing is not None:
            self.outgoing.response.close()
