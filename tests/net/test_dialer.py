"""From a name to a connected socket, and the protocol that is to be spoken on it."""

import socket
import ssl
import time
from typing import Any

import pytest
import trustme

from hyperlite.errors import NotHTTP2, RequestTimeout
from hyperlite.net.dialer import Dialer, Tunnel, spoken_on
from hyperlite.testing.certificates import certificates
from tests.conftest import Serve
from tests.connect_proxy import Proxy
from tests.peer import TIMEOUT, Peer

from .conftest import client_context, listening


def no_delay(sock: socket.socket) -> bool:
    return bool(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))


class TestCleartext:
    @pytest.mark.parametrize("alpn", [("h2", "http/1.1"), ("http/1.1",)])
    def test_the_caller_knows_what_is_spoken(self, alpn: tuple[str, ...]) -> None:
        with listening() as listener:
            sock, protocol = Dialer("127.0.0.1", listener.getsockname()[1]).dial(alpn, timeout=TIMEOUT)
            with sock:
                assert protocol == alpn[0]
                assert (sock.gettimeout(), no_delay(sock)) == (TIMEOUT, True)

    def test_where_to_connect_from(self) -> None:
        with listening() as listener:
            dialer = Dialer("127.0.0.1", listener.getsockname()[1], source_address=("127.0.0.2", 0))
            sock, _ = dialer.dial(timeout=TIMEOUT)
            with sock:
                assert sock.getsockname()[0] == "127.0.0.2"

    def test_no_server_is_there(self) -> None:
        with listening() as listener:
            port = listener.getsockname()[1]
        with pytest.raises(ConnectionRefusedError):
            Dialer("127.0.0.1", port).dial(timeout=TIMEOUT)

    def test_another_function_connects(self) -> None:
        asked = []

        def connect(*arguments: Any) -> socket.socket:
            asked.append(arguments)
            return socket.create_connection(*arguments)

        with listening() as listener:
            address = listener.getsockname()
            dialer = Dialer("name.test", 80, create_connection=lambda _, *rest: connect(address, *rest))
            dialer.dial(timeout=TIMEOUT)[0].close()
        assert asked == [(address, TIMEOUT, None)]


class TestTime:
    def test_it_is_over_before_anything_is_dialled(self) -> None:
        with listening() as listener, pytest.raises(RequestTimeout, match="not connected in time") as caught:
            Dialer("127.0.0.1", listener.getsockname()[1]).dial(timeout=None, by=time.monotonic())
        assert caught.value.retry_safe

    @pytest.mark.parametrize("by", [None, 60.0], ids=["each address", "all addresses"])
    def test_each_address_in_turn(self, monkeypatch: pytest.MonkeyPatch, by: float | None) -> None:
        """The first refuses, the second answers."""
        with listening() as listener, listening() as other:
            refused, port = other.getsockname()[1], listener.getsockname()[1]
            other.close()
            kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            resolve, found = socket.getaddrinfo, [(*kind, ("127.0.0.1", one)) for one in (refused, port)]
            monkeypatch.setattr(
                socket,
                "getaddrinfo",
                lambda host, *rest: found if host == "name.test" else resolve(host, *rest),
            )
            until = None if by is None else time.monotonic() + by
            sock, _ = Dialer("name.test", port).dial(timeout=TIMEOUT, by=until)
            with sock:
                assert sock.getpeername() == ("127.0.0.1", port)


class TestTls:
    @pytest.mark.parametrize(
        ("chosen", "spoken"), [("h2", "h2"), ("http/1.1", "http/1.1"), (None, "http/1.1")]
    )
    def test_alpn_tells(self, serve: Serve, chosen: str | None, spoken: str) -> None:
        server = serve(alpn=(chosen,) if chosen else ())
        dialer = Dialer("localhost", server.port, context=server.context())
        sock, protocol = dialer.dial(timeout=TIMEOUT)
        with sock:
            assert isinstance(sock, ssl.SSLSocket)
            assert (protocol, sock.selected_alpn_protocol()) == (spoken, chosen)
            assert (sock.gettimeout(), no_delay(sock)) == (TIMEOUT, True)

    def test_http2_alone(self, serve: Serve) -> None:
        server = serve(alpn=("http/1.1",))
        with pytest.raises(NotHTTP2):
            Dialer("localhost", server.port, context=server.context()).dial(("h2",), timeout=TIMEOUT)

    def test_a_handshake_that_fails_leaves_no_socket_open(self, unknown_ca: trustme.CA) -> None:
        with Peer(tls=certificates().server_context(("h2",))) as peer:
            dialer = Dialer("localhost", peer.port, context=client_context(unknown_ca))
            dialling = peer.background(dialer.dial, timeout=TIMEOUT)
            with pytest.raises(ssl.SSLError):
                peer.accept()
            with pytest.raises(ssl.SSLCertVerificationError):
                dialling.result()

    def test_through_a_tunnel(self, serve: Serve) -> None:
        server = serve()
        with Proxy() as proxy:
            tunnel = Tunnel("localhost", server.port, {"X-Told": "1"})
            dialer = Dialer("127.0.0.1", proxy.port, context=server.context(), tunnel=tunnel)
            sock, protocol = dialer.dial(timeout=TIMEOUT)
            with sock:
                assert protocol == "h2"
                assert sock.getpeername() == ("127.0.0.1", proxy.port)
            lines = proxy.seen[0]
        assert lines[0].split()[:2] == ["CONNECT", f"localhost:{server.port}"]
        assert "X-Told: 1" in lines

    def test_a_proxy_that_refuses(self) -> None:
        with Proxy(refuse=b"403 Forbidden") as proxy, pytest.raises(OSError, match="403"):
            Dialer("127.0.0.1", proxy.port, tunnel=Tunnel("localhost", 443)).dial(timeout=TIMEOUT)


class TestSocketsOfTheProgram:
    def test_what_is_none(self) -> None:
        with pytest.raises(TypeError, match="needs a socket"):
            spoken_on(object(), ("h2",), is_secure=False)

    def test_in_cleartext_the_caller_knows(self) -> None:
        with socket.socket() as sock:
            assert spoken_on(sock, ("h2", "http/1.1"), is_secure=False) == "h2"
            assert spoken_on(sock, ("http/1.1",), is_secure=False) == "http/1.1"

    def test_with_tls_alpn_tells(self, serve: Serve) -> None:
        server = serve(alpn=("h2",))
        context = server.context()
        context.set_alpn_protocols(["h2"])
        with (
            socket.create_connection(("127.0.0.1", server.port), TIMEOUT) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as sock,
        ):
            assert spoken_on(sock, ("h2", "http/1.1"), is_secure=True) == "h2"
            with pytest.raises(ConnectionError, match="chose HTTP/2"):
                spoken_on(sock, ("http/1.1",), is_secure=True)
            assert sock.fileno() == -1
