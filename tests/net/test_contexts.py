"""A caller's context is never changed, and yet decides all: trust, certificates, versions, ciphers."""

import functools
import socket
import ssl
import urllib.request
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

import hyperlite
import hyperlite.client
from hyperlite.adapters.urllib import HTTP20Handler
from hyperlite.net import contexts
from hyperlite.net.client_hello import client_hello
from tests.peer import TIMEOUT, Task

from .conftest import (
    Frozen,
    Hello,
    SecureServer,
    client_context,
    frozen_context,
    hello_of,
    listening,
    server_context,
)
from .dialling import connect

# Where each attribute of a context goes; docs/explanation/differences.md says what this means for callers.
COPIED = {
    "_host_flags",
    "check_hostname",
    "maximum_version",
    "minimum_version",
    "options",
    "post_handshake_auth",
    "protocol",
    "set_alpn_protocols",  # from a ClientHello
    "set_ecdh_curve",  # from a ClientHello
    "sslsocket_class",
    "verify_flags",
    "verify_mode",
}
# What OpenSSL takes from the context that a socket has, which is the caller's.
THE_CALLERS = {
    "_msg_callback",
    "cert_store_stats",
    "get_ca_certs",
    "get_ciphers",
    "keylog_filename",
    "load_cert_chain",
    "load_default_certs",
    "load_verify_locations",
    "security_level",
    "set_ciphers",
    "set_default_verify_paths",
    "set_servername_callback",
    "sni_callback",
    # of Python alone
    "_load_windows_store_certs",
    "_windows_cert_stores",
}
# A context with one of these makes its TLS objects itself.
BY_ITSELF = {
    "_encode_hostname",
    "_wrap_bio",
    "_wrap_socket",
    "set_psk_client_callback",  # seen in a ClientHello
    "wrap_bio",
    "wrap_socket",
}
# Of no use to a client, or, the last two, otherwise than with http.client.
NEITHER = {
    "_set_alpn_protocols",
    "load_dh_params",
    "num_tickets",
    "set_npn_protocols",
    "set_psk_server_callback",
    "sslobject_class",
    "hostname_checks_common_name",
    "session_stats",
}


def test_it_is_decided_where_each_attribute_of_a_context_goes() -> None:
    """A release of Python that has another one has to be looked at."""
    found = {name for name in dir(ssl.SSLContext) if not name.startswith("__")}
    assert found <= COPIED | THE_CALLERS | BY_ITSELF | NEITHER
    assert {name for name in contexts.TRUST if name != "security_level"} <= COPIED
    document = (Path(__file__).parents[2] / "docs" / "explanation" / "differences.md").read_text(
        encoding="utf-8"
    )
    decided = COPIED | BY_ITSELF | NEITHER - THE_CALLERS
    assert [name for name in decided if not name.startswith("_") and name not in document] == []


def contact(context: Any, **options: Any) -> Callable[[int], Any]:
    return lambda port: connect("localhost", port, context=context, timeout=TIMEOUT, **options)


def alike(hello: Hello) -> tuple[Any, ...]:
    """What must be the same of two clients: all but ALPN, fresh keys, and padding."""
    extensions = {kind: content for kind, content in hello.extensions.items() if kind not in (16, 21, 51)}
    return hello.version, hello.ciphers, extensions


def settings() -> dict[str, Callable[[ssl.SSLContext], object]]:
    def protocols(context: ssl.SSLContext) -> None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2

    def least(context: ssl.SSLContext) -> None:
        context.minimum_version = ssl.TLSVersion.TLSv1_3

    def everything(context: ssl.SSLContext) -> None:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED

    def late(context: ssl.SSLContext) -> None:
        context.post_handshake_auth = True

    def options(context: ssl.SSLContext) -> None:
        context.options |= ssl.OP_NO_TICKET

    def no_version(context: ssl.SSLContext) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.options |= ssl.OP_NO_TLSv1_3

    def unverified(context: ssl.SSLContext) -> None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE

    return {
        "nothing": lambda context: None,
        "maximum_version": protocols,
        "minimum_version": least,
        "minimum_version, all": everything,
        "post_handshake_auth": late,
        "options": options,
        "options, of a version": no_version,
        "verify_mode": unverified,
        "ciphers": lambda context: context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256"),
        "security level": lambda context: context.set_ciphers("DEFAULT:@SECLEVEL=0"),
        **{
            curve: functools.partial(choose, curve)
            for curve in contexts._CURVES.values()
            if can_choose(curve)
        },
    }


def choose(curve: str, context: ssl.SSLContext) -> None:
    context.set_ecdh_curve(curve)


def can_choose(curve: str) -> bool:
    """Tell whether this Python can: some know the older curves alone."""
    try:
        choose(curve, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    except ssl.SSLError:
        return False
    return True


class TestWhatIsOffered:
    @pytest.mark.parametrize("name", settings())
    def test_it_is_what_http_client_offers_but_for_alpn(self, ca: trustme.CA, name: str) -> None:
        context = frozen_context(ca)
        settings()[name](context)
        context.freeze()
        ours = hello_of(contact(context))
        theirs = hello_of(lambda port: plain(context, port))
        assert alike(ours) == alike(theirs)
        assert (ours.alpn, theirs.alpn) == (["h2", "http/1.1"], None)

    @pytest.mark.parametrize("protocol", ["PROTOCOL_TLS", "PROTOCOL_TLSv1_2"])
    def test_of_an_older_kind_of_context_too(self, protocol: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context = ssl.SSLContext(getattr(ssl, protocol))
        ours = hello_of(contact(context))
        theirs = hello_of(lambda port: plain(context, port))
        assert alike(ours) == alike(theirs)
        assert ours.alpn == ["h2", "http/1.1"]

    def test_a_server_is_no_client(self, ca: trustme.CA) -> None:
        with listening() as listener, pytest.raises(ssl.SSLError, match="PROTOCOL_TLS_SERVER"):
            contact(server_context(ca, "localhost"))(listener.getsockname()[1])

    @pytest.mark.parametrize(
        ("theirs", "http2", "http1"),
        [
            (["h2", "http/1.1"], ["h2", "http/1.1"], ["http/1.1"]),
            (["http/1.1", "h2"], ["http/1.1", "h2"], ["http/1.1"]),
            (["h2"], ["h2"], ["http/1.1"]),
            (["http/1.1"], ["http/1.1"], ["http/1.1"]),
            (["acme-tls/1"], ["acme-tls/1"], ["acme-tls/1"]),
            (["h2", "foo"], ["h2", "foo"], ["foo"]),
            ([], ["h2", "http/1.1"], ["http/1.1"]),
        ],
    )
    def test_alpn_that_the_caller_has_set_is_respected(
        self, ca: trustme.CA, theirs: list[str], http2: list[str], http1: list[str]
    ) -> None:
        context = frozen_context(ca)
        context.set_alpn_protocols(theirs)
        context.freeze()
        assert hello_of(contact(context)).alpn == http2
        assert hello_of(contact(context, alpn=("http/1.1",))).alpn == http1

    @pytest.mark.parametrize("protocols", [("h2",), ("http/1.1",), ("h2", "http/1.1")])
    def test_protocols_change_alpn_alone(
        self, ca: trustme.CA, monkeypatch: pytest.MonkeyPatch, protocols: tuple[str, ...]
    ) -> None:
        context = frozen_context(ca).freeze()
        theirs = alike(hello_of(lambda port: plain(context, port)))

        def connection(port: int) -> None:
            with hyperlite.HTTP20Connection(
                "localhost", port, context=context, timeout=TIMEOUT, protocols=protocols
            ) as conn:
                conn.connect()

        def fetch(port: int) -> None:
            with hyperlite.ConnectionPool(context=context, timeout=TIMEOUT, retries=0) as pool:
                pool.fetch(f"https://localhost:{port}/", protocols=protocols)

        def strict(port: int) -> None:
            hyperlite.client.HTTPSConnection("localhost", port, context=context, timeout=TIMEOUT).connect()

        monkeypatch.setenv("HYPERLITE_PROTOCOLS", "h2,http/1.1")
        ours = [hello_of(connection), hello_of(fetch)]
        monkeypatch.setenv("HYPERLITE_PROTOCOLS", ",".join(protocols))
        ours.append(hello_of(strict))
        assert [hello.alpn for hello in ours] == [list(protocols)] * 3
        assert [alike(hello) for hello in ours] == [theirs] * 3

    def test_it_is_read_at_each_dial(self, ca: trustme.CA) -> None:
        context = client_context(ca)
        for offer in (["http/1.1"], ["h2"], ["http/1.1"]):
            context.set_alpn_protocols(offer)
            assert hello_of(contact(context)).alpn == offer

    def test_a_caller_that_offers_http_1_1_alone_gets_it(self, ca: trustme.CA) -> None:
        context = client_context(ca)
        context.set_alpn_protocols(["http/1.1"])
        server = server_context(ca, "localhost")
        server.set_alpn_protocols(["h2", "http/1.1"])
        with SecureServer(server) as running:
            conn = hyperlite.HTTP20Connection("localhost", running.port, context=context, timeout=TIMEOUT)
            with conn:
                assert conn.getresponse(conn.request("GET", "/")).version == 11


def plain(context: ssl.SSLContext, port: int) -> None:
    """Connect as http.client does, without the ALPN that some releases set."""
    with (
        socket.create_connection(("127.0.0.1", port), TIMEOUT) as sock,
        context.wrap_socket(sock, server_hostname="localhost"),
    ):
        pass


class TestItIsNotChanged:
    @pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
    def test_by_a_connection(self, ca: trustme.CA, alpn: str) -> None:
        context = frozen_context(ca).freeze()
        with SecureServer(server_context(ca, "localhost", protocol=alpn)) as server:
            with hyperlite.HTTP20Connection(
                "localhost", server.port, context=context, timeout=TIMEOUT
            ) as conn:
                for _ in range(2):
                    assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"
                    conn.close()
            strict = hyperlite.client.HTTPSConnection(
                "localhost", server.port, context=context, timeout=TIMEOUT
            )
            strict.request("GET", "/")
            assert strict.getresponse().read() == b"hello"
            strict.close()
            with hyperlite.ConnectionPool(context=context, timeout=TIMEOUT) as pool:
                assert pool.fetch(server.url()).body == b"hello"

    def test_by_a_handshake_that_fails(self, ca: trustme.CA, unknown_ca: trustme.CA) -> None:
        context = frozen_context(ca).freeze()
        with (
            SecureServer(server_context(unknown_ca, "localhost")) as server,
            pytest.raises(ssl.SSLCertVerificationError),
        ):
            contact(context)(server.port)

    @pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
    def test_and_callers_see_it_on_the_socket(self, ca: trustme.CA, alpn: str) -> None:
        context = client_context(ca)
        with SecureServer(server_context(ca, "localhost", protocol=alpn)) as server:
            with hyperlite.HTTP20Connection(
                "localhost", server.port, context=context, timeout=TIMEOUT
            ) as conn:
                conn.connect()
                assert conn.sock is not None
                assert conn.sock.context is context
            strict = hyperlite.client.HTTPSConnection(
                "localhost", server.port, context=context, timeout=TIMEOUT
            )
            strict.connect()
            assert strict.sock.context is context
            strict.close()


class TestWhatItDecides:
    """All of which the private context knows nothing of."""

    def reach(
        self, server: ssl.SSLContext, context: ssl.SSLContext, host: str = "localhost"
    ) -> ssl.SSLSocket:
        """Shake hands with a server, and return the socket, which is closed."""
        with SecureServer(server) as running:

            def here(_address: object, timeout: float | None, _source: object) -> socket.socket:
                return socket.create_connection(("127.0.0.1", running.port), timeout)

            sock, _ = connect(host, 443, context=context, timeout=TIMEOUT, create_connection=here)
            with sock:
                assert isinstance(sock, ssl.SSLSocket)
                sock.recv(1)  # what the server says of the client's certificate
        return sock

    def test_the_authorities(self, ca: trustme.CA, unknown_ca: trustme.CA, version: ssl.TLSVersion) -> None:
        self.reach(server_context(ca, "localhost", version=version), client_context(ca))
        with pytest.raises(ssl.SSLCertVerificationError, match="local issuer"):
            self.reach(server_context(ca, "localhost", version=version), client_context(unknown_ca))

    def test_authorities_that_it_gets_later(self, ca: trustme.CA, unknown_ca: trustme.CA) -> None:
        context = client_context(unknown_ca)
        with pytest.raises(ssl.SSLCertVerificationError):
            self.reach(server_context(ca, "localhost"), context)
        ca.configure_trust(context)
        self.reach(server_context(ca, "localhost"), context)

    def test_the_name(self, ca: trustme.CA, version: ssl.TLSVersion) -> None:
        context = client_context(ca)
        server = server_context(ca, "localhost", version=version)
        with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
            self.reach(server, context, "127.0.0.1")
        context.check_hostname = False
        self.reach(server, context, "127.0.0.1")

    def test_a_common_name_is_no_name(self, ca: trustme.CA, version: ssl.TLSVersion) -> None:
        context = client_context(ca)
        assert context.hostname_checks_common_name
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # which has another reason to refuse it
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            self.reach(server_context(ca, common_name="localhost", version=version), context)
        context.check_hostname = False
        self.reach(server_context(ca, common_name="localhost", version=version), context)

    def test_no_verification(self, ca: trustme.CA, unknown_ca: trustme.CA) -> None:
        context = client_context(ca)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.reach(server_context(unknown_ca, "other.example"), context)
        context.verify_mode = ssl.CERT_OPTIONAL
        with pytest.raises(ssl.SSLCertVerificationError):
            self.reach(server_context(unknown_ca, "other.example"), context)

    def test_the_flags_of_the_host_check(self, ca: trustme.CA) -> None:
        context: Any = client_context(ca)
        server = server_context(ca, "*.example.org")
        self.reach(server, context, "www.example.org")
        context._host_flags |= 0x2  # X509_CHECK_FLAG_NO_WILDCARDS
        with pytest.raises(ssl.SSLCertVerificationError):
            self.reach(server, context, "www.example.org")

    def test_the_clients_certificate(self, ca: trustme.CA, version: ssl.TLSVersion) -> None:
        server = server_context(ca, "localhost", version=version)
        server.verify_mode = ssl.CERT_REQUIRED
        ca.configure_trust(server)
        with pytest.raises(ssl.SSLError):
            self.reach(server, client_context(ca))
        context = client_context(ca)
        ca.issue_cert("client@example.org").configure_cert(context)
        with SecureServer(server) as running:
            conn = hyperlite.HTTP20Connection("localhost", running.port, context=context, timeout=TIMEOUT)
            with conn:
                assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"

    def test_the_key_log(self, ca: trustme.CA, tmp_path: Path, version: ssl.TLSVersion) -> None:
        context = client_context(ca)
        context.keylog_filename = str(tmp_path / "keys")
        with SecureServer(server_context(ca, "localhost", version=version)) as server:
            contact(context)(server.port)[0].close()
        word = "CLIENT_RANDOM" if version == ssl.TLSVersion.TLSv1_2 else "CLIENT_TRAFFIC_SECRET_0"
        assert word in (tmp_path / "keys").read_text()

    def test_the_security_level(self, ca: trustme.CA) -> None:
        context = client_context(ca)
        context.set_ciphers("DEFAULT:@SECLEVEL=5")
        with pytest.raises(ssl.SSLError):
            self.reach(server_context(ca, "localhost"), context)

    def test_the_class_of_sockets(self, ca: trustme.CA) -> None:
        class Own(ssl.SSLSocket):
            pass

        context = client_context(ca)
        context.sslsocket_class = Own
        assert isinstance(self.reach(server_context(ca, "localhost"), context), Own)


class Empty(ssl.SSLContext):
    """A context that is false."""

    def __len__(self) -> int:
        return 0


def test_a_context_that_is_false_is_a_context(ca: trustme.CA) -> None:
    context = Empty(ssl.PROTOCOL_TLS_CLIENT)
    ca.configure_trust(context)
    with SecureServer(server_context(ca, "localhost")) as server:
        with hyperlite.HTTP20Connection("localhost", server.port, context=context, timeout=TIMEOUT) as conn:
            assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"
        with hyperlite.ConnectionPool(context=context, timeout=TIMEOUT) as pool:
            assert pool.fetch(server.url()).body == b"hello"
        with hyperlite.ConnectionPool(timeout=TIMEOUT) as pool:
            assert pool.fetch(server.url(), context=context).body == b"hello"
        opener = urllib.request.build_opener(HTTP20Handler(context))
        with opener.open(server.url(), timeout=TIMEOUT) as response:
            assert response.read() == b"hello"


def test_a_connection_that_is_cut_off_has_not_ended(ca: trustme.CA) -> None:
    """Whatever the context says: releases of Python 3.11 have an option set that makes it look so."""
    context = client_context(ca)
    context.options |= getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    server = server_context(ca, "localhost", protocol="http/1.1")
    with listening() as listener:

        def answer() -> None:
            sock, _ = listener.accept()
            with server.wrap_socket(sock, server_side=True) as wrapped:
                wrapped.recv(65536)
                wrapped.sendall(b"HTTP/1.1 200 OK\r\n\r\nhalf")  # and no close_notify

        answering = Task(answer)
        port = listener.getsockname()[1]
        with hyperlite.HTTP20Connection("localhost", port, context=context, timeout=TIMEOUT) as conn:
            response = conn.getresponse(conn.request("GET", "/"))
            with pytest.raises(hyperlite.IncompleteBody):
                response.read()
        answering.result()


def test_a_client_hello_that_is_only_looked_at_says_what_is_sent(ca: trustme.CA) -> None:
    context = client_context(ca)
    context.set_alpn_protocols(["h2", "spdy/3"])
    context.set_ecdh_curve("secp384r1")
    found = client_hello(context, "localhost")
    assert found is not None
    assert found == (("h2", "spdy/3"), (24,), False)
    assert isinstance(context, ssl.SSLContext)
    assert not isinstance(context, Frozen)
