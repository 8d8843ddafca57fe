"""`protocols=` and HYPERLITE_PROTOCOLS: which protocols a connection may speak."""

import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

import hyperlite
from hyperlite import cli, client
from hyperlite.errors import NotHTTP2
from hyperlite.net.protocols import VARIABLE
from hyperlite.testing.certificates import certificates
from tests.conftest import Connect, Serve
from tests.peer import TIMEOUT, Task

H2, HTTP11, BOTH = ("h2",), ("http/1.1",), ("h2", "http/1.1")


@pytest.fixture
def refusing() -> Iterator[tuple[int, Task]]:
    """A server that ends the handshake, because it has none of the protocols that are offered."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT)

        def refuse() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.settimeout(TIMEOUT)
                sock.recv(65536)
                sock.sendall(b"\x15\x03\x03\x00\x02\x02\x78")  # RFC 7301 section 3.2: alert 120
                sock.recv(65536)

        task = Task(refuse)
        yield listener.getsockname()[1], task
        task.join()


class TestWithTLS:
    @pytest.mark.parametrize(
        ("protocols", "version"),
        [(None, 20), (BOTH, 20), (BOTH[::-1], 20), (H2, 20), (["h2"], 20), (HTTP11, 11)],
    )
    def test_what_is_chosen_is_spoken(
        self, serve: Serve, connect: Connect, protocols: Any, version: int
    ) -> None:
        conn = connect(serve(), protocols=protocols)
        assert conn.getresponse(conn.request("GET", "/")).version == version

    @pytest.mark.parametrize("alpn", [HTTP11, ()])
    def test_http2_alone_that_the_server_does_not_choose_is_an_error(
        self, serve: Serve, connect: Connect, alpn: Any
    ) -> None:
        server = serve(alpn=alpn)
        conn = connect(server, protocols=H2)
        with pytest.raises(NotHTTP2, match=f"localhost:{server.port} did not choose HTTP/2"):
            conn.request("GET", "/")
        assert conn.sock is None
        assert server.log == []

    def test_or_has_the_server_end_the_handshake(self, refusing: tuple[int, Task]) -> None:
        port, _ = refusing
        context = certificates().client_context()
        conn = hyperlite.HTTP20Connection("localhost", port, context=context, timeout=TIMEOUT, protocols=H2)
        with pytest.raises(NotHTTP2, match="did not choose HTTP/2"):
            conn.request("GET", "/")

    def test_a_context_that_makes_its_sockets_itself(self, serve: Serve, connect: Connect) -> None:
        """It cannot be told what to offer; what it has the server choose is checked."""

        class Own(ssl.SSLContext):
            def wrap_socket(self, *args: Any, **options: Any) -> ssl.SSLSocket:
                return super().wrap_socket(*args, **options)

        server = serve()
        for offers, protocols, error in (
            (["h2"], HTTP11, ConnectionError),
            ([], H2, NotHTTP2),
        ):
            context = Own(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(server.ca_file)
            if offers:
                context.set_alpn_protocols(offers)
            conn = connect(server, protocols=protocols, context=context)
            with pytest.raises(error, match="HTTP/2"):
                conn.request("GET", "/")


class TestWithoutTLS:
    @pytest.mark.parametrize(
        ("options", "version"),
        [
            ({}, 20),
            ({"protocols": BOTH}, 20),
            ({"protocols": H2}, 20),
            ({"protocols": HTTP11}, 11),
            ({"protocols": BOTH, "upgrade": True}, 11),  # for the embedded server does not agree
        ],
    )
    def test_http2_is_prior_knowledge(
        self, serve: Serve, connect: Connect, options: dict[str, Any], version: int
    ) -> None:
        conn = connect(serve(secure=False), secure=False, **options)
        for _ in range(2):
            assert conn.getresponse(conn.request("GET", "/")).version == version
            conn.close()

    @pytest.mark.parametrize("protocols", [H2, HTTP11])
    def test_an_upgrade_needs_both(self, protocols: Any) -> None:
        with pytest.raises(ValueError, match="protocols must allow both"):
            hyperlite.HTTP20Connection("localhost", secure=False, upgrade=True, protocols=protocols)

    def test_the_environment_says_nothing(
        self, serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(VARIABLE, "http/1.1")
        conn = connect(serve(secure=False), secure=False)
        assert conn.getresponse(conn.request("GET", "/")).version == 20


def test_anything_else_is_an_error() -> None:
    with pytest.raises(ValueError, match="'h3' is not among the protocols"):
        hyperlite.HTTP20Connection("localhost", protocols=("h3",))


class TestTheEnvironment:
    def ask(self, port: int) -> int:
        context = certificates().client_context()
        conn = client.HTTPSConnection("localhost", port, context=context, timeout=TIMEOUT)
        try:
            conn.request("GET", "/")
            response = conn.getresponse()
            response.read()
            return response.version
        finally:
            conn.close()

    @pytest.mark.parametrize(
        ("value", "version"), [("h2", 20), ("http/1.1", 11), ("http/1.1,h2", 20), ("", 20)]
    )
    def test_it_chooses_for_hyperlite_client(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch, value: str, version: int
    ) -> None:
        monkeypatch.setenv(VARIABLE, value)
        assert self.ask(serve().port) == version

    def test_http2_alone_that_the_server_does_not_choose_is_an_error(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(VARIABLE, "h2")
        with pytest.raises(NotHTTP2):
            self.ask(serve(alpn=HTTP11).port)

    def test_it_is_the_default_of_http20connection(
        self, serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(VARIABLE, "http/1.1")
        server = serve()
        for protocols, version in ((None, 11), (BOTH, 20), (H2, 20)):
            conn = connect(server, protocols=protocols)
            assert conn.getresponse(conn.request("GET", "/")).version == version

    def test_a_mistake_in_it_is_told_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(VARIABLE, "http1")
        with pytest.raises(ValueError, match="HYPERLITE_PROTOCOLS='http1'"):
            hyperlite.install()
        with pytest.raises(SystemExit, match="hyperlite run: HYPERLITE_PROTOCOLS='http1'"):
            cli.main(["run", "script.py"])
        with pytest.raises(ValueError, match="HYPERLITE_PROTOCOLS='http1'"):
            hyperlite.HTTP20Connection("localhost")
        with hyperlite.ConnectionPool() as pool, pytest.raises(ValueError, match="HYPERLITE_PROTOCOLS"):
            pool.fetch("https://localhost/")
        assert hyperlite.HTTP20Connection("localhost", secure=False, protocols=H2)
