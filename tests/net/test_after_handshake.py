"""Once HTTP/2 was chosen, the TLS handshake is over for good: RFC 9113 sections 9.2.1 and 9.2.3."""

import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
import trustme
from hyperframe.frame import HeadersFrame

import hyperlite
from tests.peer import TIMEOUT, Peer, Task

from .conftest import client_context, listening, server_context
from .dialling import connect


@pytest.fixture
def client(ca: trustme.CA) -> ssl.SSLContext:
    """A context with a client certificate, which a server may ask for at any time."""
    context = client_context(ca)
    ca.issue_cert("client@example.org").configure_cert(context)
    context.post_handshake_auth = True
    return context


def asking(ca: trustme.CA, protocol: str) -> ssl.SSLContext:
    """Return the context of a server that asks for a certificate after the handshake."""
    context = server_context(ca, "localhost", protocol=protocol)
    ca.configure_trust(context)
    context.post_handshake_auth = True
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def test_a_certificate_that_is_asked_for_late_is_not_shown_on_http_2(
    ca: trustme.CA, client: ssl.SSLContext
) -> None:
    with Peer(tls=asking(ca, "h2")) as peer:
        conn = peer.connect(host="localhost", context=client)
        asked = peer.background(conn.request, "GET", "/first")
        peer.accept()
        peer.greet()
        first = asked.result()
        peer.want(HeadersFrame, 1)
        peer.sock.verify_client_post_handshake()
        peer.send_headers(1, end_stream=True)
        assert conn.getresponse(first).read() == b""
        second = conn.request("GET", "/second")
        peer.want(HeadersFrame, 3)  # before which the client has answered
        assert peer.sock.getpeercert(binary_form=True) is None
        peer.send_headers(3, end_stream=True)
        assert conn.getresponse(second).status == 200


def test_on_http_1_1_it_is_shown_as_by_http_client(ca: trustme.CA, client: ssl.SSLContext) -> None:
    context = asking(ca, "http/1.1")
    with listening() as listener:

        def serve() -> Any:
            sock, _ = listener.accept()
            with context.wrap_socket(sock, server_side=True) as wrapped:
                wrapped.settimeout(TIMEOUT)
                wrapped.recv(65536)
                wrapped.verify_client_post_handshake()
                wrapped.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                wrapped.recv(65536)
                wrapped.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                return wrapped.getpeercert(binary_form=True)

        serving = Task(serve)
        port = listener.getsockname()[1]
        with hyperlite.HTTP20Connection("localhost", port, context=client, timeout=TIMEOUT) as conn:
            for _ in range(2):
                conn.getresponse(conn.request("GET", "/")).read()
        assert serving.result()


OPENSSL = shutil.which("openssl")


class OpensslServer:
    """openssl's own server with TLS 1.2, which renegotiates when it is told to: the ssl module cannot."""

    def __init__(self, ca: trustme.CA, directory: Path, port: int, protocol: str) -> None:
        certificate = ca.issue_cert("localhost")
        certificate.private_key_and_cert_chain_pem.write_to_path(directory / "server.pem")
        ca.cert_pem.write_to_path(directory / "ca.pem")
        assert OPENSSL is not None
        self.process = subprocess.Popen(
            [
                *(OPENSSL, "s_server", "-accept", f"127.0.0.1:{port}", "-naccept", "1"),
                *("-cert", str(directory / "server.pem"), "-CAfile", str(directory / "ca.pem")),
                *("-tls1_2", "-alpn", protocol, "-state"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert self.process.stdout is not None
        self.read_to(b"ACCEPT")

    def read_to(self, word: bytes) -> bytes:
        """Return what it prints, up to the line that holds a word, or its end."""
        assert self.process.stdout is not None
        printed = b""
        while line := self.process.stdout.readline():
            printed += line
            if word in line:
                break
        return printed

    def tell(self, letter: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(letter + b"\n")
        self.process.stdin.flush()

    def end(self) -> bytes:
        """Return what it printed last."""
        self.process.terminate()
        return self.process.communicate(timeout=TIMEOUT)[0]


@pytest.mark.skipif(OPENSSL is None, reason="renegotiation takes openssl's own server")
@pytest.mark.parametrize("verified", [True, False])
@pytest.mark.parametrize("letter", [b"r", b"R"], ids=["renegotiates", "asks for a certificate"])
def test_http_2_is_not_renegotiated(
    ca: trustme.CA, client: ssl.SSLContext, tmp_path: Path, letter: bytes, verified: bool
) -> None:
    if not verified:
        client.check_hostname = False
        client.verify_mode = ssl.CERT_NONE
    with listening() as probe:
        port = probe.getsockname()[1]
    server = OpensslServer(ca, tmp_path, port, "h2")
    try:
        sock, protocol = connect("localhost", port, context=client, timeout=TIMEOUT)
        with sock:
            assert protocol == "h2"
            server.read_to(b"CIPHER is")
            server.tell(letter)
            with pytest.raises(ssl.SSLError) as caught:
                sock.recv(1)
            assert caught.value.reason == "NO_CIPHERS_AVAILABLE"
    finally:
        printed = server.end()
    assert b"client@example.org" not in printed
