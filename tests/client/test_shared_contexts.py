"""What connections share is reached by no caller: a change of one connection's context holds for no other."""

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

import hyperlite
from hyperlite import client
from hyperlite.adapters.requests import HTTP20Adapter
from hyperlite.net import trust
from hyperlite.testing.certificates import certificates
from hyperlite.testing.server import Server
from tests.conftest import Serve
from tests.inside import connection_of, forget_default_contexts, origins_of

OTHER = "other.test"  # no certificate has this name


@pytest.fixture(params=["h2", "http/1.1"])
def server(request: pytest.FixtureRequest, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server whose authority is the usual one, by each name."""
    server = serve(alpn=(request.param,))
    forget_default_contexts(monkeypatch)
    monkeypatch.setenv("SSL_CERT_FILE", server.ca_file)
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *others, **named: real("127.0.0.1", *others, **named)
    )
    return server


class Client:
    """A way of asking: returns the socket that it asked on."""

    def __init__(self, server: Server, stack: contextlib.ExitStack) -> None:
        self.server = server
        self.stack = stack

    def ask(self, host: str) -> Any:
        raise NotImplementedError


class Strict(Client):
    kind: Any = client.HTTPSConnection

    def ask(self, host: str) -> Any:
        conn = self.kind(host, self.server.port, timeout=10)
        self.stack.callback(conn.close)
        conn.request("GET", "/")
        assert conn.getresponse().read() == b"hello"
        return conn.sock


class Multiplexing(Strict):
    kind = hyperlite.HTTP20Connection


class Pool(Client):
    options: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, server: Server, stack: contextlib.ExitStack) -> None:
        super().__init__(server, stack)
        self.pool = stack.enter_context(hyperlite.ConnectionPool(retries=0, proxies=False, **self.options))

    def ask(self, host: str) -> Any:
        assert self.pool.fetch(f"https://{host}:{self.server.port}/").body == b"hello"
        return connection_of(origins_of(self.pool)[-1]).sock


class PoolWithAFile(Pool):
    options = {"verify": certificates().ca_file}  # noqa: RUF012


class Requests(Client):
    def __init__(self, server: Server, stack: contextlib.ExitStack) -> None:
        super().__init__(server, stack)
        self.session = stack.enter_context(requests.Session())
        self.session.mount("https://", HTTP20Adapter())
        self.session.verify = server.ca_file
        self.session.trust_env = False

    def ask(self, host: str) -> Any:
        response = self.session.get(f"https://{host}:{self.server.port}/", stream=True, timeout=10)
        sock = response.raw.connection.sock
        assert response.content == b"hello"
        return sock


@pytest.fixture(params=[Strict, Multiplexing, Pool, PoolWithAFile, Requests])
def asking(request: pytest.FixtureRequest, server: Server) -> Iterator[Client]:
    with contextlib.ExitStack() as stack:
        yield request.param(server, stack)


def by_attribute(sock: Any) -> ssl.SSLContext:
    return sock.context


def by_private_attribute(sock: Any) -> ssl.SSLContext:
    return sock._context or sock.context


@pytest.mark.parametrize("reach", [by_attribute, by_private_attribute])
def test_the_context_of_a_socket_is_no_other_connections(
    asking: Client, reach: Callable[[Any], ssl.SSLContext]
) -> None:
    context = reach(asking.ask("localhost"))
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with pytest.raises((ssl.SSLCertVerificationError, requests.exceptions.SSLError)):
        asking.ask(OTHER)
    assert trust.default_context().verify_mode is ssl.CERT_REQUIRED


def test_it_is_like_the_one_that_the_connection_was_made_with(asking: Client) -> None:
    sock = asking.ask("localhost")
    context = sock.context
    assert context is sock.context
    assert context.verify_mode is ssl.CERT_REQUIRED
    authority = ssl.PEM_cert_to_DER_cert(Path(certificates().ca_file).read_text())
    assert authority in context.get_ca_certs(binary_form=True)
    assert context is not trust.default_context()


@pytest.mark.parametrize("kind", [client.HTTPSConnection, hyperlite.HTTP20Connection])
def test_a_callers_context_is_the_sockets(server: Server, kind: Any) -> None:
    context = server.context()
    conn = kind("localhost", server.port, context=context, timeout=10)
    conn.request("GET", "/")
    assert conn.getresponse().read() == b"hello"
    assert conn.sock.context is context
    conn.close()


class MakesItsSockets(ssl.SSLContext):
    """As truststore's."""

    def wrap_socket(self, *args: Any, **options: Any) -> ssl.SSLSocket:
        return super().wrap_socket(*args, **options)


@pytest.mark.parametrize("kind", [Strict, Multiplexing, Pool])
def test_a_context_that_makes_its_sockets_itself(
    server: Server, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hook() -> ssl.SSLContext:
        context = MakesItsSockets(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(server.ca_file)
        context.set_alpn_protocols(["h2", "http/1.1"])
        return context

    monkeypatch.setattr(ssl, "_create_default_https_context", hook)
    with contextlib.ExitStack() as stack:
        asking = kind(server, stack)
        context = asking.ask("localhost").context
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with pytest.raises(ssl.SSLCertVerificationError):
            asking.ask(OTHER)


def test_a_session_is_resumed_with_a_shared_context(server: Server) -> None:
    with hyperlite.HTTP20Connection("localhost", server.port, timeout=10) as conn:
        for reused in (False, True):
            assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"
            assert conn.sock.session_reused is reused
            _ = conn.sock.context
            conn.close()


def test_the_context_of_a_replaced_hook(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each connection's is what the hook returns."""
    made: list[ssl.SSLContext] = []

    def hook() -> ssl.SSLContext:
        made.append(server.context())
        return made[-1]

    monkeypatch.setattr(ssl, "_create_default_https_context", hook)
    with hyperlite.HTTP20Connection("localhost", server.port, timeout=10) as conn:
        conn.getresponse(conn.request("GET", "/")).read()
        assert [conn.sock.context] == made[1:]
