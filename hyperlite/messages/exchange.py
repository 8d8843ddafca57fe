"""What HTTP/2 and HTTP/1.1 have in common: one request with its response, and the connection that carries it.

Two Protocols.  `http2.stream.Stream` and `http1.exchange.HTTP1Exchange` are the `Exchange`s,
`http2.connection.HTTP2Connection` and `http1.connection.HTTP1Connection` the `Transport`s.  Code that works
on either protocol uses these, and imports neither class.
"""

from collections.abc import Sequence
from http.client import HTTPMessage
from typing import Any, Protocol, TypeVar

from ..errors import HTTP2Error
from .body_file import BodyFile
from .fields import Field
from .marks import Marks
from .request import Request
from .waiters import Arrivals, Carried

E = TypeVar("E", bound="Exchange")


class Exchange(Carried, Protocol):
    """One request and its response."""

    stream_id: int
    """The id that the caller knows the request by."""
    request: Request
    thread: int
    """The thread that has made the request."""
    given_up: bool
    """No thread wants the response any more: the request is not sent again."""

    @property
    def transport(self) -> "Transport[Any] | None":
        """The connection that carries it; None: no connection does, or a thread is sending it again."""

    @property
    def heir(self) -> "Exchange | None":
        """The exchange that has taken the place of this one, on another protocol; None: there is none."""

    @property
    def marks(self) -> Marks:
        """When it was sent, when its response began, and when that was complete."""

    @property
    def request_head(self) -> bytes | Sequence[Field]:
        """The head of the request as it is sent: lines of HTTP/1.1, fields of HTTP/2; empty: not known."""

    @property
    def error(self) -> BaseException | None:
        """Why the exchange has failed; None: it has not."""

    @property
    def settled(self) -> bool:
        """Whether the response's head, or the failure, has arrived."""

    @property
    def doubtful(self) -> bool:
        """Whether an earlier try may have been processed."""

    def make_response(self, kind: Any) -> Any:
        """Return the response, whose head has arrived; `kind` is the class that the caller wants."""


class Received(Protocol):
    """What has come of a response."""

    fields: Sequence[Field]
    """Of the final header block."""
    length: int | None
    """Bytes of the body; None: that was not announced."""
    trailers: Sequence[Field]
    taken: int
    """Bytes of the body that were read."""
    complete: bool
    """The whole response has come."""

    @property
    def informational(self) -> Sequence[tuple[int, Sequence[Field]]]:
        """The 1xx responses: status and fields of each."""

    @property
    def exhausted(self) -> bool:
        """Whether the whole body has come and was read."""

    @property
    def pushes(self) -> "Sequence[Answer] | None":
        """The pushed responses that no caller has taken."""


class Answer(Exchange, Protocol):
    """An exchange from which the response is read piece by piece: a stream of HTTP/2."""

    status: int
    """0 before the header block has come."""

    @property
    def inbox(self) -> Received:
        """What has come of the response."""

    @property
    def transport(self) -> "AnswerTransport[Any] | None":
        """The connection on which the response comes."""


class Carrier(Protocol[E]):
    """What takes exchanges, of the class `exchange_class`, as a pool's connection uses it."""

    exchange_class: type[E]
    """The class of the exchanges: made of an id and a request."""

    @property
    def counts(self) -> tuple[int, int]:
        """How many exchanges are under way, and how many wait for their turn."""

    def check(self) -> bool:
        """Tell whether further requests may be submitted; look whether the peer has closed the connection."""

    def submit(self, exchanges: Sequence[E], /, *, gather: bool = False) -> bool:
        """Send requests, or queue those that have to wait; false if the connection takes no more.

        Args:
            exchanges: the requests.
            gather: more requests may follow at once, so the connection may wait for them before it sends.
        """

    def wait_sent(self, exchange: E, /) -> None:
        """Wait until a submitted request, its body included, is sent or queued."""

    def wait_head(self, exchange: E, /) -> bool:
        """Wait for the response's head; false if another connection has the exchange now."""

    def drop(self, exchange: E, /) -> None:
        """Give an exchange up: no thread will wait for it, read it or send it any more."""

    def close(self) -> None:
        """Give up the exchanges that were not answered yet, and close when the last response was read."""

    def abandon_all(self) -> None:
        """From a finalizer, let go of the socket: no caller can use the connection any more."""


class Transport(Carrier[E], Protocol[E]):
    """A connection that takes exchanges.  Any thread may call it."""

    protocol: str
    """What is spoken: the name that ALPN has for it."""
    tries_again: bool
    """The connection itself sends requests again; false: its owner does."""
    timeout: float | None
    """Seconds that each wait may last; None: no limit."""

    @property
    def answered(self) -> int:
        """How many responses have come, if the owner of requests sends them again; else 0."""

    @property
    def closed(self) -> bool:
        """Whether the connection has ended."""

    @property
    def session(self) -> Any:
        """The TLS session, for the next connection to resume it; None: there is none."""

    def write(self, exchange: E, data: Any, /) -> bool:
        """Send a piece of the body of a request that is open; false if the peer needs no more of it."""

    def end(self, exchange: E, /) -> None:
        """Send the end of a request that is open, and its trailers."""

    def wait_any(self, arrivals: Arrivals[E], timeout: float | None, dial_by: float | None, /) -> None:
        """Wait until an exchange is posted that is to be looked at, for `timeout` seconds at most.

        Args:
            arrivals: of exchanges that this transport carries.
            timeout: seconds; None: no limit.
            dial_by: the monotonic time until which opening a connection may take longer.
        """

    def due(self, exchange: E, since: float, /) -> float | None:
        """Return the monotonic time at which `expire` is to be called; None: never.

        Args:
            exchange: which.
            since: the monotonic time from which its timeout counts; infinity: the timeout does not count.
        """

    def expire(self, exchange: E, since: float, /) -> bool:
        """Fail a request if its time is over; tell whether it is settled now. For `since` see `due`."""

    def prioritize(self, stream_id: int, value: bytes, /) -> None:
        """Change the priority of a request under way; do nothing if the protocol has none."""

    def ping(self, timeout: float | None, /) -> float:
        """Return the seconds of a round trip.

        Raises:
            http.client.NotConnected: the protocol has no PING, or the connection is closed.
        """

    def trace(self, shown: bool, /) -> None:
        """Print each frame from now on, or stop that; do nothing if there are no frames."""

    def drain(self) -> None:
        """Take no further requests, and close when those under way are over."""


class AnswerTransport(Transport[E], Protocol[E]):
    """A connection that takes exchanges from which the response is read piece by piece."""

    def open_body(self, answer: E, /) -> BodyFile:
        """Return the body, as a file."""

    def read_rest(self, answer: E, /) -> bytes:
        """Return what is left of a body that is complete."""

    def promises(self, answer: E, response: Any, /) -> "list[Promise]":
        """Return the responses that the server has promised along with this one."""

    def cancel(self, exchange: E, error: HTTP2Error | None = None, /) -> bool:
        """End an exchange, so that its reader fails too; return false if it was over."""

    def drop(self, exchange: E, error: HTTP2Error | None = None, /) -> None:
        """Give an exchange up. An `error` is what a further read of the body raises."""

    def abandon(self, exchange: E, /) -> None:
        """Give an exchange up from a finalizer, which may not wait."""


class Promise(Protocol):
    """A response that a server promised unasked; see `HTTP20Push`."""

    method: str
    scheme: str
    authority: str
    path: str
    request_headers: HTTPMessage

    def getresponse(self) -> Any:
        """Return the promised response, an `HTTP20Response`, when its header block has arrived."""

    def cancel(self) -> None:
        """Refuse the response."""


def standing(exchange: Exchange) -> Exchange:
    """Return a request's current exchange: its heir, if it goes on over another protocol."""
    return exchange.heir or exchange


def give_up(exchange: Exchange) -> None:
    """End an exchange that no thread wants any more, on whichever transport it is.

    A call that sends a request or waits for the response does this when it fails or is interrupted: its
    caller cannot name the exchange afterwards.
    """
    exchange.given_up = True  # first: another thread may be about to send it again
    for one in (exchange, exchange.heir):
        if one is not None and one.transport is not None:
            one.transport.drop(one)
