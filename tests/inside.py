"""The parts of a connection, a response or a pool, for the tests of one of these parts.

What an object keeps to itself is known here, and in the tests of the object; tests of other things ask here
for the part that they are about, and use what that shows.
"""

from collections.abc import Collection
from typing import Any

import pytest

import hyperlite
from hyperlite.http1.connection import HTTP1Connection
from hyperlite.http2.connection import HTTP2Connection
from hyperlite.http2.stream import Stream
from hyperlite.messages import hosts
from hyperlite.messages.exchange import Exchange, Transport
from hyperlite.net import trust
from hyperlite.net.leader import Leadership
from hyperlite.origins.connection import PooledConnection
from hyperlite.origins.origin import Origin
from hyperlite.origins.registry import Registry
from hyperlite.pending import Pending
from hyperlite.transports import Transports


def transports_of(conn: hyperlite.HTTP20Connection) -> Transports:
    """Return what a connection object sends on."""
    return conn._transports


def pending_of(conn: hyperlite.HTTP20Connection) -> Pending:
    """Return the requests of a connection object whose responses no thread has taken."""
    return conn._pending


def transport_of(conn: hyperlite.HTTP20Connection) -> Transport[Any]:
    """Return the current transport of a connection object, which has one."""
    current = transports_of(conn).current
    assert current is not None
    return current


def http2_of(conn: hyperlite.HTTP20Connection) -> HTTP2Connection:
    """Return the current transport of a connection object, which speaks HTTP/2."""
    current = transport_of(conn)
    assert isinstance(current, HTTP2Connection)
    return current


def http1_of(conn: hyperlite.HTTP20Connection) -> HTTP1Connection:
    """Return the current transport of a connection object, which speaks HTTP/1.1."""
    current = transport_of(conn)
    assert isinstance(current, HTTP1Connection)
    return current


def exchange_of(conn: hyperlite.HTTP20Connection, stream_id: int) -> Exchange:
    """Return a request whose response no thread has taken, and that response."""
    return pending_of(conn).requests[stream_id]


def stream_of(conn: hyperlite.HTTP20Connection, stream_id: int) -> Stream:
    """Return a request on HTTP/2 whose response no thread has taken, and that response."""
    exchange = exchange_of(conn, stream_id)
    assert isinstance(exchange, Stream)
    return exchange


def leadership_of(transport: Transport[Any]) -> Leadership:
    """Return what decides which of the threads that wait on a transport works for all."""
    if isinstance(transport, HTTP2Connection):
        return transport._io.leadership
    assert isinstance(transport, HTTP1Connection)
    return transport._leadership


def sleepers_on(transport: Transport[Any]) -> Collection[Any]:
    """Return what stands for each thread that sleeps until another, which works for it, wakes it."""
    return leadership_of(transport)._sleepers


def work_left_of(transport: HTTP1Connection) -> tuple[bool, list[Any]]:
    """Return whether a thread is at work on a connection's socket, and the sockets that it is to close."""
    kept = transport._socket
    return kept.working, [*kept._doomed]


def lock_of(transport: Transport[Any]) -> Any:
    """Return the lock of a transport."""
    if isinstance(transport, HTTP2Connection):
        return transport._io.lock
    assert isinstance(transport, HTTP1Connection)
    return transport._lock


def registry_of(pool: hyperlite.ConnectionPool) -> Registry:
    """Return the origins of a pool."""
    return pool._origins


def origins_of(pool: hyperlite.ConnectionPool) -> list[Origin]:
    """Return each of the origins of a pool, in the order in which they were first asked for."""
    return list(registry_of(pool)._origins.values())


def origin_of(pool: hyperlite.ConnectionPool) -> Origin:
    """Return the one origin that a pool has."""
    (origin,) = origins_of(pool)
    return origin


def connection_of(origin: Origin) -> PooledConnection:
    """Return the one connection to an origin."""
    (connection,) = origin._connections
    return connection


def forget_default_contexts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the contexts that verify by default made anew, until the end of the test."""
    monkeypatch.setattr(trust, "_default_contexts", {})


def forget_names() -> None:
    """Have names of hosts encoded anew."""
    hosts._a_name.cache_clear()
