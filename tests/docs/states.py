"""The states of a stream, of an HTTP/1.1 exchange and of a connection, as tables.

A row is a state, what happens, and the state after it. `test_states.py` takes real objects through each row,
and `diagrams.py` draws the tables in docs/architecture/.
"""

from typing import NamedTuple

from hyperlite.http1.exchange import HTTP1Exchange
from hyperlite.http2.connection import HTTP2Connection
from hyperlite.http2.stream import Stream


class Row(NamedTuple):
    """A transition."""

    state: str
    event: str
    after: str


STREAM = [
    Row("queued", "a slot is free: the header block is sent", "waiting"),
    Row("queued", "the caller gives it up", "failed"),
    Row("waiting", "a 1xx response comes", "waiting"),
    Row("waiting", "the final header block comes", "body"),
    Row("waiting", "the final header block comes, with END_STREAM", "complete"),
    Row("waiting", "the peer refuses it: it is sent on another connection", "queued"),
    Row("waiting", "RST_STREAM, a timeout, or the end of the connection", "failed"),
    Row("body", "DATA comes", "body"),
    Row("body", "END_STREAM comes, with DATA or trailers", "complete"),
    Row("body", "RST_STREAM, a timeout, or the end of the connection", "failed"),
]

EXCHANGE = [
    Row("queued", "its turn comes: the head and the body are sent", "sent"),
    Row("queued", "its turn comes: the head of an open request is sent", "open"),
    Row("queued", "the caller gives it up", "failed"),
    Row("open", "the caller ends the body", "sent"),
    Row("open", "the head of the response comes", "answered"),
    Row("sent", "the head of the response comes", "answered"),
    Row("sent", "the deadline passes, or the connection ends", "failed"),
    Row("answered", "the body is read to its end, or dropped", "over"),
]

CONNECTION = [
    Row("idle", "a request is submitted", "open"),
    Row("open", "the last stream ends", "idle"),
    Row("idle", "the peer closes it, or sends GOAWAY", "closed"),
    Row("open", "GOAWAY comes, or its owner drains it", "draining"),
    Row("draining", "the last stream ends", "closed"),
    Row("open", "the peer breaks the protocol, or the socket ends", "closed"),
    Row("draining", "the socket ends", "closed"),
]

TABLES = {"stream": STREAM, "exchange": EXCHANGE, "connection": CONNECTION}


def of_stream(stream: Stream) -> str:
    """Return the state of a stream, by STREAM."""
    if stream.error is not None:
        return "failed"
    if stream.inbox.complete:
        return "complete"
    if stream.status:
        return "body"
    return "waiting" if stream.wire_id else "queued"


def of_exchange(exchange: HTTP1Exchange) -> str:
    """Return the state of an HTTP/1.1 exchange, by EXCHANGE."""
    if exchange.error is not None:
        return "failed"
    if exchange.response is not None:
        return "over" if exchange.response.isclosed() else "answered"
    if exchange.outgoing is None:
        return "queued"
    return "sent" if exchange.outgoing.done else "open"


def of_connection(connection: HTTP2Connection) -> str:
    """Return the state of an HTTP/2 connection, by CONNECTION."""
    return repr(connection).split()[1].rstrip(",:")
