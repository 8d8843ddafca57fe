"""Contexts that make their TLS sockets themselves: other classes, and what cannot be repeated elsewhere."""

import contextlib
import http.client
import ssl
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

import hyperlite
import hyperlite.client
from hyperlite.net import contexts
from tests.peer import TIMEOUT, Task

from .conftest import SecureServer, client_context, frozen_context, hello_of, listening, server_context
from .dialling import connect


class Wrapping(ssl.SSLContext):
    """A context around another, as truststore's: it is empty itself, and verifies in its own way."""

    inner: ssl.SSLContext

    def __new__(cls, inner: ssl.SSLContext) -> "Wrapping":
        made = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        made.inner = inner
        return made

    def wrap_socket(self, sock: Any, *args: Any, **options: Any) -> ssl.SSLSocket:
        wrapped = self.inner.wrap_socket(sock, *args, **options)
        assert wrapped.version(), "the handshake was left to others"
        return wrapped

    @property
    def verify_mode(self) -> ssl.VerifyMode:
        return self.inner.verify_mode

    @verify_mode.setter
    def verify_mode(self, value: ssl.VerifyMode) -> None:
        self.inner.verify_mode = value

    @property
    def check_hostname(self) -> bool:
        return self.inner.check_hostname

    @check_hostname.setter
    def check_hostname(self, value: bool) -> None:
        self.inner.check_hostname = value


def fetch(server: SecureServer, context: Any, **options: Any) -> tuple[int, bytes]:
    with hyperlite.HTTP20Connection(
        "localhost", server.port, context=context, timeout=TIMEOUT, **options
    ) as conn:
        response = conn.getresponse(conn.request("GET", "/"))
        return response.version, response.read()


@contextlib.contextmanager
def any_protocol(ca: trustme.CA) -> Iterator[SecureServer]:
    context = server_context(ca, "localhost")
    context.set_alpn_protocols(["h2", "http/1.1"])
    with SecureServer(context) as server:
        yield server


class TestAnotherClass:
    def test_it_speaks_http_1_1(self, ca: trustme.CA) -> None:
        with any_protocol(ca) as server:
            assert fetch(server, Wrapping(frozen_context(ca).freeze())) == (11, b"hello")

    def test_or_http_2_if_its_caller_has_said_so(self, ca: trustme.CA) -> None:
        inner = frozen_context(ca)
        inner.set_alpn_protocols(["h2", "http/1.1"])
        with any_protocol(ca) as server:
            assert fetch(server, Wrapping(inner.freeze())) == (20, b"hello")

    @pytest.mark.parametrize("alpn", [[], ["h2"]])
    def test_its_trust_is_its_own(self, ca: trustme.CA, unknown_ca: trustme.CA, alpn: list[str]) -> None:
        inner = client_context(ca)
        inner.set_alpn_protocols(alpn)
        with any_protocol(unknown_ca) as impostor:
            with pytest.raises(ssl.SSLCertVerificationError):
                fetch(impostor, Wrapping(inner))
            with (
                hyperlite.ConnectionPool(context=Wrapping(inner), timeout=TIMEOUT, retries=0) as pool,
                pytest.raises(ssl.SSLCertVerificationError),
            ):
                pool.fetch(impostor.url())

    @pytest.mark.parametrize("alpn", [[], ["h2"]])
    def test_no_session_is_resumed(self, ca: trustme.CA, alpn: list[str]) -> None:
        inner = client_context(ca)
        inner.set_alpn_protocols(alpn)
        with (
            any_protocol(ca) as server,
            hyperlite.HTTP20Connection(
                "localhost", server.port, context=Wrapping(inner), timeout=TIMEOUT
            ) as conn,
        ):
            for _ in range(2):
                stream_id = conn.request("GET", "/")
                conn.getresponse(stream_id).read()
                assert conn.sock is not None
                assert not conn.sock.session_reused
                conn.close()

    def test_a_pool_keeps_to_what_it_says(self, ca: trustme.CA, unknown_ca: trustme.CA) -> None:
        context = Wrapping(client_context(ca))
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with (
            any_protocol(unknown_ca) as impostor,
            hyperlite.ConnectionPool(context=context, timeout=TIMEOUT, retries=0) as pool,
        ):
            assert pool.fetch(impostor.url()).body == b"hello"
            context.verify_mode = ssl.CERT_REQUIRED
            with pytest.raises(ssl.SSLCertVerificationError):
                pool.fetch(impostor.url())

    def test_a_socket_that_was_made_with_less_trust_is_not_used(
        self, ca: trustme.CA, unknown_ca: trustme.CA
    ) -> None:
        class Disarmed(Wrapping):
            def wrap_socket(self, *args: Any, **options: Any) -> ssl.SSLSocket:
                self.check_hostname = False
                self.verify_mode = ssl.CERT_NONE
                return super().wrap_socket(*args, **options)

        context = Disarmed(client_context(ca))
        trust = contexts.trust_of(context)
        with (
            any_protocol(unknown_ca) as impostor,
            pytest.raises(hyperlite.ConnectionLost, match="verifies otherwise") as caught,
        ):
            connect("localhost", impostor.port, context=context, timeout=TIMEOUT, trust=trust)
        assert caught.value.retry_safe

    def test_trust_that_is_less_for_a_moment_makes_no_socket(
        self, ca: trustme.CA, unknown_ca: trustme.CA
    ) -> None:
        """As truststore does in another thread: all is as before when the handshake is over."""

        class Rearmed(Wrapping):
            def wrap_socket(self, *args: Any, **options: Any) -> ssl.SSLSocket:
                made = super().wrap_socket(*args, **options)
                self.verify_mode = ssl.CERT_REQUIRED
                self.check_hostname = True
                return made

        context = Rearmed(client_context(ca))
        trust = contexts.trust_of(context)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with (
            any_protocol(unknown_ca) as impostor,
            pytest.raises(hyperlite.ConnectionLost, match="verifies otherwise") as caught,
        ):
            connect("localhost", impostor.port, context=context, timeout=TIMEOUT, trust=trust)
        assert caught.value.retry_safe

    def test_another_name_is_its_own_affair(self, ca: trustme.CA) -> None:
        """A usual trick: to connect to an address, and ask for the name of the certificate."""

        class Named(ssl.SSLContext):
            def wrap_socket(self, sock: Any, *args: Any, **options: Any) -> ssl.SSLSocket:
                return super().wrap_socket(sock, *args, **options | {"server_hostname": "site.example"})

        context = Named(ssl.PROTOCOL_TLS_CLIENT)
        ca.configure_trust(context)
        with SecureServer(server_context(ca, "site.example", protocol="http/1.1")) as server:
            assert fetch(server, context) == (11, b"hello")

    def test_a_method_of_the_object_alone_counts_too(self, ca: trustme.CA) -> None:
        context: Any = client_context(ca)
        wrap_socket, called = context.wrap_socket, []

        def spy(*args: Any, **options: Any) -> Any:
            called.append(options)
            return wrap_socket(*args, **options)

        context.wrap_socket = spy
        with any_protocol(ca) as server:
            assert fetch(server, context) == (11, b"hello")
        assert called == [{"server_hostname": "localhost"}]

    def test_a_subclass_that_replaces_none_of_it_is_as_any_other(self, ca: trustme.CA) -> None:
        class Own(ssl.SSLContext):
            def load_default_certs(self, *_: Any) -> None:
                """Do nothing."""

        context = Own(ssl.PROTOCOL_TLS_CLIENT)
        ca.configure_trust(context)
        with any_protocol(ca) as server:
            assert fetch(server, context) == (20, b"hello")

    def test_the_handshake_has_its_time(self, ca: trustme.CA) -> None:
        with listening() as listener:
            port = listener.getsockname()[1]
            with pytest.raises(TimeoutError, match=f"the TLS handshake with localhost:{port} timed out"):
                connect("localhost", port, context=Wrapping(client_context(ca)), timeout=0.1)


class TestTheClassInTheSslModuleIsReplaced:
    """As by `truststore.inject_into_ssl()`."""

    def test_the_new_ones_make_their_sockets_and_the_old_ones_do_not(
        self, ca: trustme.CA, unknown_ca: trustme.CA, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before, inner = client_context(ca), client_context(ca)
        contexts._private.cache_clear()
        with any_protocol(ca) as server, any_protocol(unknown_ca) as impostor:
            monkeypatch.setattr(ssl, "SSLContext", Wrapping)
            after = Wrapping(inner)
            assert fetch(server, after) == (11, b"hello")
            assert fetch(server, before) == (20, b"hello")
            for context in (before, after):
                with pytest.raises(ssl.SSLCertVerificationError):
                    fetch(impostor, context)


class TestAMethodIsReplaced:
    """For a while, by a program that wants no verification; what it does to contexts ends with it."""

    @pytest.mark.parametrize("name", ["wrap_socket", "_encode_hostname"])
    def test_a_context_that_it_has_not_met_is_as_before(
        self, ca: trustme.CA, unknown_ca: trustme.CA, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        original, met = vars(ssl.SSLContext)[name], []

        def disarming(self: ssl.SSLContext, *args: Any, **options: Any) -> Any:
            met.append(self)
            self.check_hostname = False
            self.verify_mode = ssl.CERT_NONE
            return original(self, *args, **options)

        context = client_context(ca)
        with any_protocol(unknown_ca) as impostor:
            with monkeypatch.context() as patch:
                patch.setattr(ssl.SSLContext, name, disarming)
                assert fetch(impostor, context) == (11, b"hello")
            assert set(met) - {impostor.tls} == {context}
            with pytest.raises(ssl.SSLCertVerificationError):
                fetch(impostor, client_context(ca))

    def test_nor_does_a_class_of_sockets_change_what_others_use(
        self, ca: trustme.CA, unknown_ca: trustme.CA
    ) -> None:
        class Disarming(ssl.SSLSocket):
            @classmethod
            def _create(cls, *args: Any, context: ssl.SSLContext, **options: Any) -> Any:
                if disarm:
                    context.check_hostname = False
                    context.verify_mode = ssl.CERT_NONE
                made: Any = super()
                return made._create(*args, context=context, **options)

        with any_protocol(unknown_ca) as impostor:
            for disarm in (True, False):
                context = client_context(ca)
                context.sslsocket_class = Disarming
                if disarm:
                    assert fetch(impostor, context) == (20, b"hello")
                else:
                    with pytest.raises(ssl.SSLCertVerificationError):
                        fetch(impostor, context)


class Foreign:
    """A context that is none of the ssl module's, with sockets of its own, as pyOpenSSL's."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self.verify_mode = context.verify_mode

    def wrap_socket(self, sock: Any, server_hostname: str) -> Any:
        return Stranger(self._context.wrap_socket(sock, server_hostname=server_hostname))


class Stranger:
    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._stranger = sock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stranger, name)


class TestNoSslContext:
    def test_sockets_that_are_none_of_the_ssl_modules_are_refused(self, ca: trustme.CA) -> None:
        with (
            any_protocol(ca) as server,
            pytest.raises(TypeError, match=r"Stranger object at .* which is no ssl\.SSLSocket"),
        ):
            fetch(server, Foreign(client_context(ca)))

    def test_hyperlite_client_speaks_http_1_1_over_them(self, ca: trustme.CA) -> None:
        context: Any = Foreign(client_context(ca))
        context.check_hostname = True  # http.client looks at it, up to Python 3.11
        with any_protocol(ca) as server:
            conn = hyperlite.client.HTTPSConnection(
                "localhost", server.port, context=context, timeout=TIMEOUT
            )
            conn.request("GET", "/")
            assert conn.getresponse().read() == b"hello"
            conn.close()


class TestWhatCannotBeRepeated:
    """The ClientHello is http.client's then: nothing is offered by ALPN."""

    def offered(self, context: ssl.SSLContext) -> list[str] | None:
        return hello_of(lambda port: connect("localhost", port, context=context, timeout=TIMEOUT)).alpn

    def test_a_rare_curve(self, ca: trustme.CA) -> None:
        context = frozen_context(ca)
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # TLS 1.3 has no such
        context.set_ecdh_curve("secp256k1")
        context.freeze()
        hello = hello_of(lambda port: connect("localhost", port, context=context, timeout=TIMEOUT))
        assert hello.alpn is None
        assert hello.extensions[10] == b"\0\2\0\x16"

    @pytest.mark.parametrize(
        ("least", "most"), [("TLSv1_1", "TLSv1_2"), ("TLSv1", "TLSv1_1")], ids=lambda name: name
    )
    def test_versions_that_are_deprecated(self, ca: trustme.CA, least: str, most: str) -> None:
        context = frozen_context(ca)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion[least]
            context.maximum_version = ssl.TLSVersion[most]
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.freeze()
        assert self.offered(context) is None

    @pytest.mark.skipif(
        not getattr(ssl, "HAS_PSK", False), reason="the ssl module has pre-shared keys from Python 3.13 on"
    )
    def test_a_pre_shared_key(self, version: ssl.TLSVersion) -> None:
        key = bytes(range(32))
        server: Any = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        client: Any = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.verify_mode = ssl.CERT_NONE
        for context in (server, client):
            context.minimum_version = context.maximum_version = version
            context.set_ciphers("PSK")
        server.set_psk_server_callback(lambda _identity: key)
        client.set_psk_client_callback(lambda _hint: ("client", key))

        with listening() as listener:

            def serve() -> None:
                sock, _ = listener.accept()
                with server.wrap_socket(sock, server_side=True) as wrapped:
                    wrapped.recv(65536)
                    wrapped.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
                    wrapped.recv(1)

            serving = Task(serve)
            port = listener.getsockname()[1]
            with hyperlite.HTTP20Connection("localhost", port, context=client, timeout=TIMEOUT) as conn:
                assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"
            with contextlib.suppress(OSError):
                serving.result()

    def test_a_server_that_chooses_http_2_all_the_same_is_left(self, ca: trustme.CA) -> None:
        """A further connection to an origin of HTTP/1.1, by a context that offers h2 itself."""
        inner = client_context(ca)
        inner.set_alpn_protocols(["h2"])
        with any_protocol(ca) as server, pytest.raises(ConnectionError, match="chose HTTP/2"):
            connect(
                "localhost",
                server.port,
                context=Wrapping(inner),
                timeout=TIMEOUT,
                alpn=("http/1.1",),
            )


def test_http_client_takes_such_contexts_too(ca: trustme.CA) -> None:
    """What is asked of hyperlite here is asked of http.client."""
    with any_protocol(ca) as server:
        conn = http.client.HTTPSConnection(
            "localhost", server.port, context=Wrapping(client_context(ca)), timeout=TIMEOUT
        )
        conn.request("GET", "/")
        assert conn.getresponse().read() == b"hello"
        conn.close()
