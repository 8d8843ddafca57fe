"""tls.py: TCP, TLS and ALPN on real sockets."""

import errno
import http.client
import socket
import ssl
import struct
import threading
import time
from typing import Any

import pytest
import trustme

from hyperlite.errors import ErrorCode, InadequateSecurity
from tests.peer import TIMEOUT, Task

from .conftest import localhost_context, tls, until_eof
from .dialling import connect

# -- what a client offers ----------------------------------------------------------------------------


def offered(sock: socket.socket) -> list[str] | None:
    """Read a TLS ClientHello and return the protocols in its ALPN extension; None if it has none."""
    hello = _exactly(sock, struct.unpack_from(">H", _exactly(sock, 5), 3)[0])
    at = 4 + 2 + 32  # handshake header, version, random
    at += 1 + hello[at]  # session id
    at += 2 + int.from_bytes(hello[at : at + 2])  # cipher suites
    at += 1 + hello[at]  # compression
    end = at + 2 + int.from_bytes(hello[at : at + 2])
    at += 2
    while at < end:
        kind, length = struct.unpack_from(">HH", hello, at)
        if kind == 16:
            names, protocols = hello[at + 6 : at + 4 + length], []
            while names:
                protocols.append(names[1 : 1 + names[0]].decode())
                names = names[1 + names[0] :]
            return protocols
        at += 4 + length
    return None


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        assert piece, "the client closed"
        data += piece
    return data


class TestCleartext:
    def test_it_connects_and_speaks_what_comes_first(self, listen: Any, keep: Any) -> None:
        listener = listen(lambda sock: sock.recv(5))
        said = listener.play()
        sock, protocol = connect("127.0.0.1", listener.port, context=None, alpn=("http/1.1", "h2"))
        keep(sock).sendall(b"hello")
        assert protocol == "http/1.1"
        assert said.result() == b"hello"

    def test_small_writes_are_not_delayed(self, listen: Any, keep: Any) -> None:
        sock, _ = connect("127.0.0.1", listen(until_eof).port, context=None)
        assert keep(sock).getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    @pytest.mark.parametrize("timeout", [None, 3.5])
    def test_it_has_the_timeout(self, listen: Any, keep: Any, timeout: float | None) -> None:
        sock, _ = connect("127.0.0.1", listen(until_eof).port, context=None, timeout=timeout)
        assert keep(sock).gettimeout() == timeout

    def test_it_binds_to_the_source_address(self, listen: Any, keep: Any) -> None:
        listener = listen(lambda sock: sock.getpeername())
        peer = listener.play()
        sock, _ = connect("127.0.0.1", listener.port, context=None, source_address=("127.0.0.2", 0))
        assert peer.result() == keep(sock).getsockname()
        assert sock.getsockname()[0] == "127.0.0.2"

    def test_no_server_listens(self, listen: Any) -> None:
        listener = listen(until_eof)
        listener.close()
        with pytest.raises(ConnectionRefusedError):
            connect("127.0.0.1", listener.port, context=None)


class TestAddresses:
    def resolve_to(self, monkeypatch: pytest.MonkeyPatch, *ports: int) -> None:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: found)

    def closed_port(self) -> int:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            return listener.getsockname()[1]

    def test_each_is_tried_in_turn(self, listen: Any, keep: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        listener = listen(until_eof)
        self.resolve_to(monkeypatch, self.closed_port(), self.closed_port(), listener.port)
        sock, _ = connect("many.example", 80, context=None)
        assert keep(sock).getpeername()[1] == listener.port

    def test_none_can_be_reached(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.resolve_to(monkeypatch, self.closed_port(), self.closed_port())
        with pytest.raises(ConnectionRefusedError):
            connect("many.example", 80, context=None)

    def test_the_callers_create_connection_is_used_as_http_client_does(self, listen: Any, keep: Any) -> None:
        """urllib3, and tests, replace `conn._create_connection`."""
        listener = listen(until_eof)
        asked = []

        def create_connection(*args: Any) -> socket.socket:
            asked.append(args)
            return socket.create_connection(("127.0.0.1", listener.port))

        sock, _ = connect("host.example", 80, context=None, timeout=3, create_connection=create_connection)
        keep(sock)
        assert asked == [(("host.example", 80), 3, None)]


class Refusing:
    """A socket that takes no options."""

    closed = False

    def __init__(self, code: int) -> None:
        self.code = code

    def setsockopt(self, *_: object) -> None:
        raise OSError(self.code, "no")

    def settimeout(self, _seconds: float | None) -> None:
        """Take it."""

    def close(self) -> None:
        self.closed = True


def test_a_socket_without_tcp_options_will_do() -> None:
    """Such as a Unix socket that the caller has put there; http.client does the same."""
    fake = Refusing(errno.ENOPROTOOPT)
    assert connect("host", 80, context=None, create_connection=lambda *_: fake) == (fake, "h2")
    assert not fake.closed


def test_a_socket_that_fails_is_closed() -> None:
    fake = Refusing(errno.EINVAL)
    with pytest.raises(OSError, match="no"):
        connect("host", 80, context=None, create_connection=lambda *_: fake)
    assert fake.closed


class TestAlpn:
    @pytest.mark.parametrize(
        ("server", "chosen"),
        [
            (("h2", "http/1.1"), "h2"),
            (("http/1.1", "h2"), "http/1.1"),  # OpenSSL lets the server choose
            (("h2",), "h2"),
            (("http/1.1",), "http/1.1"),
            ((), None),  # and HTTP/1.1 is spoken
            (("spdy/3",), None),
        ],
    )
    def test_what_the_server_chooses(
        self, listen: Any, keep: Any, ca: trustme.CA, client: Any, server: tuple[str, ...], chosen: str | None
    ) -> None:
        listener = listen(tls(localhost_context(ca, server)))
        listener.play()
        sock, protocol = connect("localhost", listener.port, context=client(), timeout=TIMEOUT)
        assert keep(sock).selected_alpn_protocol() == chosen
        assert protocol == (chosen or "http/1.1")

    def test_what_is_offered_by_default(self, listen: Any, client: Any) -> None:
        listener = listen(offered)
        offer = listener.play()
        connecting = Task(connect, "localhost", listener.port, context=client(), timeout=TIMEOUT)
        assert offer.result() == ["h2", "http/1.1"]
        listener.close()
        with pytest.raises(OSError):
            connecting.result()

    def test_what_is_offered_on_demand(self, listen: Any, client: Any) -> None:
        listener = listen(offered)
        offer = listener.play()
        connecting = Task(
            connect, "localhost", listener.port, context=client(), timeout=TIMEOUT, alpn=("http/1.1",)
        )
        assert offer.result() == ["http/1.1"]
        listener.close()
        with pytest.raises(OSError):
            connecting.result()

    def offer_of_http_client(self, listen: Any, context: ssl.SSLContext) -> list[str] | None:
        """Return what the standard library offers on a context."""
        listener = listen(offered)
        offer = listener.play()
        conn = http.client.HTTPSConnection("localhost", listener.port, context=context, timeout=TIMEOUT)
        connecting = Task(conn.connect)
        try:
            return offer.result()
        finally:
            listener.close()
            with pytest.raises(OSError):
                connecting.result()
            conn.close()

    def test_the_callers_context_offers_afterwards_what_it_did(
        self, listen: Any, keep: Any, ca: trustme.CA, client: Any
    ) -> None:
        context = client()
        before = self.offer_of_http_client(listen, context)
        listener = listen(tls(localhost_context(ca, ("h2",))))
        listener.play()
        sock, protocol = connect("localhost", listener.port, context=context, timeout=TIMEOUT)
        keep(sock)
        assert protocol == "h2"
        assert self.offer_of_http_client(listen, context) == before is None

    def test_the_callers_context_offers_nothing_while_a_handshake_is_under_way(
        self, listen: Any, client: Any
    ) -> None:
        context = client()
        arrived = threading.Event()
        stalling = listen(lambda sock: (offered(sock), arrived.set(), until_eof(sock)))
        stalling.play()
        connecting = Task(connect, "localhost", stalling.port, context=context, timeout=TIMEOUT)
        assert arrived.wait(TIMEOUT)
        assert self.offer_of_http_client(listen, context) is None
        stalling.close()
        with pytest.raises(OSError):
            connecting.result()

    def test_the_callers_context_offers_nothing_after_a_failure(self, listen: Any, client: Any) -> None:
        context = client()
        listener = listen(until_eof)
        ended = listener.play()
        with pytest.raises(ValueError, match="server_hostname"):
            connect(
                "",
                0,
                context=context,
                create_connection=lambda *_: socket.create_connection(("127.0.0.1", listener.port)),
            )
        assert ended.result() == b""  # and the socket is closed
        assert self.offer_of_http_client(listen, context) is None

    def test_many_threads_share_a_context(self, listen: Any, keep: Any, ca: trustme.CA, client: Any) -> None:
        """None is left with the offer of another, or with none."""
        context = client()
        listener = listen(tls(localhost_context(ca, ("h2", "http/1.1"))))
        offers = [("h2",), ("http/1.1",)] * 8
        for _ in offers:
            listener.play()
        tasks = [
            Task(connect, "localhost", listener.port, context=context, timeout=TIMEOUT, alpn=offer)
            for offer in offers
        ]
        connected = [task.result() for task in tasks]
        for sock, _ in connected:
            keep(sock)
        assert [(protocol,) for _, protocol in connected] == offers


class TestHandshake:
    def test_a_server_that_stalls(self, listen: Any, client: Any) -> None:
        listener = listen(until_eof)
        ended = listener.play()
        start = time.monotonic()
        with pytest.raises(TimeoutError, match=rf"TLS handshake with localhost:{listener.port} timed out"):
            connect("localhost", listener.port, context=client(), timeout=0.2)
        assert time.monotonic() - start >= 0.2
        ended.result()  # the socket is closed

    def test_a_server_that_drips(self, listen: Any, client: Any) -> None:
        """A timeout for each byte would never end it."""
        enough = threading.Event()

        def drip(sock: socket.socket) -> None:
            sock.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 KiB, byte by byte
            try:
                while not enough.wait(0.02):
                    sock.sendall(b"\x02")
            except OSError:
                return

        listener = listen(drip)
        listener.play()
        try:
            with pytest.raises(TimeoutError, match="timed out"):
                connect("localhost", listener.port, context=client(), timeout=0.2)
        finally:
            enough.set()

    def test_a_server_that_closes(self, listen: Any, client: Any) -> None:
        listener = listen(lambda sock: (sock.recv(1), sock.close()))
        listener.play()
        with pytest.raises((ssl.SSLError, ConnectionError)):
            connect("localhost", listener.port, context=client(), timeout=TIMEOUT)

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            b"HTTP/1.0 400 Bad Request\r\nConnection: close\r\n\r\n<html>",
            b"\0\0\x12\4\0\0\0\0\0\0\3\0\0\0\x64\0\4\0\1\0\0\0\5\0\xff\xff\xff",  # HTTP/2's SETTINGS
            b"\0\0\0\4\0\0\0\0\0",
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"220 mail.example ESMTP\r\n",
        ],
        ids=["http/1.1", "http/1.0", "h2c", "h2c without settings", "ssh", "smtp"],
    )
    def test_a_server_that_speaks_no_tls(self, listen: Any, client: Any, answer: bytes) -> None:
        listener = listen(lambda sock: (sock.recv(1), sock.sendall(answer), until_eof(sock)))
        listener.play()
        with pytest.raises(ssl.SSLError, match="does not speak TLS") as caught:
            connect("localhost", listener.port, context=client(), timeout=TIMEOUT)
        assert f"localhost:{listener.port} does not speak TLS (pass secure=False?)" in str(caught.value)

    def test_the_timeout_is_that_of_the_caller_afterwards(
        self, listen: Any, keep: Any, ca: trustme.CA, client: Any
    ) -> None:
        listener = listen(tls(localhost_context(ca)))
        listener.play()
        sock, _ = connect("localhost", listener.port, context=client(), timeout=4.5)
        assert keep(sock).gettimeout() == 4.5

    def test_without_a_timeout(self, listen: Any, keep: Any, ca: trustme.CA, client: Any) -> None:
        listener = listen(tls(localhost_context(ca)))
        listener.play()
        sock, _ = connect("localhost", listener.port, context=client())
        assert keep(sock).gettimeout() is None


class TestCertificates:
    def test_another_host(self, listen: Any, ca: trustme.CA, client: Any) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert("other.example").configure_cert(context)
        listener = listen(tls(context))
        listener.play()
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            connect("localhost", listener.port, context=client(), timeout=TIMEOUT)

    def test_an_unknown_authority(self, listen: Any, client: Any) -> None:
        listener = listen(tls(localhost_context(trustme.CA())))
        listener.play()
        with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer certificate"):
            connect("localhost", listener.port, context=client(), timeout=TIMEOUT)

    def test_an_unknown_authority_where_nothing_is_verified(
        self, listen: Any, keep: Any, ca: trustme.CA
    ) -> None:
        listener = listen(tls(localhost_context(ca, ("h2",))))
        listener.play()
        context = ssl._create_unverified_context()
        sock, protocol = connect("localhost", listener.port, context=context, timeout=TIMEOUT)
        keep(sock)
        assert protocol == "h2"


class TestCiphers:
    """RFC 9113 section 9.2.2: what HTTP/2 may be used with."""

    def negotiate(
        self, listen: Any, ca: trustme.CA, client: Any, cipher: str, *, rsa: bool, alpn: str
    ) -> tuple[ssl.SSLSocket, str | None]:
        kind = trustme.KeyType.RSA if rsa else trustme.KeyType.ECDSA
        server = localhost_context(ca, (alpn,), key_type=kind)
        context = client()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(cipher)
        server.set_ciphers(cipher)
        listener = listen(tls(server, until_eof))
        self.served = listener.play()
        return connect("localhost", listener.port, context=context, timeout=TIMEOUT)

    @pytest.mark.parametrize(
        ("cipher", "rsa"),
        [
            pytest.param("ECDHE-ECDSA-AES128-SHA256", False, id="CBC"),
            pytest.param("ECDHE-RSA-AES256-SHA384", True, id="CBC with RSA"),
            pytest.param("AES128-GCM-SHA256", True, id="AEAD without forward secrecy"),
        ],
    )
    def test_bad_ones(self, listen: Any, ca: trustme.CA, client: Any, cipher: str, rsa: bool) -> None:
        with pytest.raises(InadequateSecurity, match=f"TLSv1.2 and cipher {cipher}") as caught:
            self.negotiate(listen, ca, client, cipher, rsa=rsa, alpn="h2")
        assert caught.value.error_code == ErrorCode.INADEQUATE_SECURITY
        assert self.served.join()  # the socket is closed

    @pytest.mark.parametrize(
        ("cipher", "rsa"),
        [
            ("ECDHE-ECDSA-AES128-GCM-SHA256", False),
            ("ECDHE-ECDSA-CHACHA20-POLY1305", False),
            ("ECDHE-ECDSA-AES128-CCM", False),
            ("ECDHE-RSA-AES256-GCM-SHA384", True),
        ],
    )
    def test_good_ones(
        self, listen: Any, keep: Any, ca: trustme.CA, client: Any, cipher: str, rsa: bool
    ) -> None:
        sock, protocol = self.negotiate(listen, ca, client, cipher, rsa=rsa, alpn="h2")
        assert keep(sock).cipher()[0] == cipher
        assert protocol == "h2"

    def test_http_1_may_use_any(self, listen: Any, keep: Any, ca: trustme.CA, client: Any) -> None:
        sock, protocol = self.negotiate(
            listen, ca, client, "ECDHE-ECDSA-AES128-SHA256", rsa=False, alpn="http/1.1"
        )
        keep(sock)
        assert protocol == "http/1.1"

    def test_tls_1_3_has_only_good_ones(self, listen: Any, keep: Any, ca: trustme.CA, client: Any) -> None:
        listener = listen(tls(localhost_context(ca, ("h2",))))
        listener.play()
        sock, protocol = connect("localhost", listener.port, context=client(), timeout=TIMEOUT)
        assert (keep(sock).version(), protocol) == ("TLSv1.3", "h2")
