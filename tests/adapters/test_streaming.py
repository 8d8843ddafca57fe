"""response.raw, and bodies read piece by piece."""

import gc
import http.client
import socket
import threading
from collections.abc import Collection

import pytest
import urllib3
from requests import Session

from hyperlite.adapters.requests import HTTP20Adapter
from hyperlite.origins.lease import Lease
from hyperlite.origins.origin import Origin
from hyperlite.testing.server import Exchange, Server, streaming
from tests.conftest import Serve


def leased(session: Session) -> int:
    adapter = session.get_adapter("https://")
    assert isinstance(adapter, HTTP20Adapter)
    return sum(origin["leased"] for origin in adapter.pool.stats()["origins"].values())


def test_raw_is_urllib3s(session: Session, server: Server):
    with session.get(server.url("/cookies"), stream=True) as response:
        raw = response.raw
        assert isinstance(raw, urllib3.HTTPResponse)
        assert raw.headers.getlist("set-cookie") == ["a=1", "b=2"]
        assert (raw.status, raw.reason) == (200, "OK")
        assert raw.version_string == ("HTTP/2" if server.log[0][0] == "h2" else "HTTP/1.1")
        assert isinstance(raw._original_response, http.client.HTTPResponse)
        assert raw._original_response.msg.get_all("Set-Cookie") == ["a=1", "b=2"]
        assert raw.connection is not None
        assert raw.connection.sock is not None
        assert leased(session) == 1
        assert raw.read() == b""
        assert raw.closed
    assert leased(session) == 0


def test_pieces(session: Session, server: Server):
    with session.get(server.url("/sized?n=100000"), stream=True) as response:
        assert response.raw.length_remaining == 100_000
        assert response.raw.read(10) == b"x" * 10
        assert response.raw.tell() == 10
        assert [len(piece) for piece in response.raw.stream(65536)] == [65536, 100_000 - 10 - 65536]
    with session.get(server.url("/chunks?n=300"), stream=True) as response:
        assert list(response.iter_lines()) == [b"%09d" % n for n in range(300)]
    with session.get(server.url("/chunks?n=3"), stream=True) as response:
        assert response.raw.data == b"000000000\n000000001\n000000002\n"
    assert leased(session) == 0
    assert server.connections == 1


@pytest.mark.parametrize("size", [1, 512, None])
def test_what_has_arrived_is_not_held_back(session: Session, serve: Serve, size: int | None):
    """As with chunks over urllib3: an event stream works."""

    @streaming
    def events(exchange: Exchange) -> None:
        exchange.start(200, [])
        exchange.send(b"first\n\n")
        assert exchange.read() == b""
        taken.wait(10)
        exchange.send(b"second\n\n")
        exchange.end()

    for alpn in ("h2", "http/1.1"):
        taken = threading.Event()
        server = serve(routes={"/": events}, alpn=(alpn,))
        with session.get(server.url("/"), stream=True, timeout=10) as response:
            lines = response.iter_lines(size)
            assert next(lines) == b"first"
            taken.set()
            assert [line for line in lines if line] == [b"second"]


def test_closing_early(session: Session, server: Server):
    response = session.get(server.url("/sized?n=10000000"), stream=True)
    assert response.raw.read(5) == b"xxxxx"
    response.close()
    assert leased(session) == 0
    assert session.get(server.url("/")).content == b"hello"
    assert server.connections == (1 if server.log[0][0] == "h2" else 2)


def test_dropping_unread(session: Session, server: Server):
    session.get(server.url("/sized?n=10000000"), stream=True)
    gc.collect()
    assert leased(session) == 0
    assert session.get(server.url("/")).content == b"hello"
    assert leased(session) == 0
    assert server.connections == (1 if server.log[0][0] == "h2" else 2)


def test_dropping_unread_while_others_ask(session: Session, serve: Serve, monkeypatch: pytest.MonkeyPatch):
    """On HTTP/1.1 no other request gets that connection, at no moment."""
    server = serve(alpn=("http/1.1",))
    session.get(server.url("/sized?n=5"), stream=True)
    gc.collect()
    release, met = Origin.release, []

    def releasing(origin: Origin, leases: Collection[Lease], *, reusable: bool = True) -> None:
        if not met:
            met.extend(leases)
            other = origin.lease(10)
            assert other.connection is not met[0].connection
            release(origin, leases, reusable=reusable)
            further = origin.lease(10)
            assert further.connection is not met[0].connection
            further.end()
            other.end()
        else:
            release(origin, leases, reusable=reusable)

    monkeypatch.setattr(Origin, "release", releasing)
    assert session.get(server.url("/")).content == b"hello"
    assert len(met) == 1
    assert leased(session) == 0


def test_release_conn_before_the_end(session: Session, server: Server):
    response = session.get(server.url("/sized?n=1000000"), stream=True)
    response.raw.release_conn()
    assert leased(session) == 0
    assert session.get(server.url("/")).content == b"hello"
    assert response.content == b"x" * 1_000_000


def test_shutdown(session: Session, h2: Server):
    """Ends this response alone."""
    other = session.get(h2.url("/sized?n=10000000"), stream=True)
    with session.get(h2.url("/sized?n=10000000"), stream=True) as response:
        response.raw.shutdown()
        with pytest.raises(urllib3.exceptions.ProtocolError):
            response.raw.read()
    assert len(other.content) == 10_000_000


@pytest.mark.parametrize("how", [None, socket.SHUT_RD, socket.SHUT_RDWR])
def test_after_a_shutdown_nothing_but_the_body_is_read(session: Session, server: Server, how: int | None):
    """Of a TLS socket that is shut down, ssl reads what comes as it is: ciphertext, for the body."""
    with session.get(server.url("/sized?n=3000000"), stream=True) as response:
        assert response.raw.read(10) == b"x" * 10
        if how is None:
            response.raw.shutdown()
        else:
            response.raw._sock_shutdown(how)
        read = bytearray()
        with pytest.raises(urllib3.exceptions.ProtocolError):
            while piece := response.raw.read(1000):
                read += piece
    assert set(read) <= set(b"x")
    assert session.get(server.url("/")).content == b"hello"


def test_head(session: Session, server: Server):
    response = session.head(server.url("/sized?n=1000"))
    assert response.headers["content-length"] == "1000"
    assert response.content == b""
    assert leased(session) == 0
