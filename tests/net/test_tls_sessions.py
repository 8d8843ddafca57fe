"""A TLS session is resumed only where its certificate would be accepted again: a resumed one shows none."""

import http.client
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme

import hyperlite
from hyperlite.adapters.requests import HTTP20Adapter
from hyperlite.net import tls
from hyperlite.origins import connection as origin_connection
from hyperlite.pool import ConnectionPool
from tests.connect_proxy import Proxy
from tests.peer import TIMEOUT

from .conftest import SecureServer, client_context, frozen_context, server_context


@pytest.fixture
def server(ca: trustme.CA, version: ssl.TLSVersion, protocol: str) -> Iterator[SecureServer]:
    """A server with a certificate for localhost alone; 127.0.0.1 leads to it as well."""
    with SecureServer(server_context(ca, "localhost", version=version, protocol=protocol)) as made:
        yield made


@pytest.fixture
def impostor(unknown_ca: trustme.CA, version: ssl.TLSVersion, protocol: str) -> Iterator[SecureServer]:
    """A server whose certificate no client trusts."""
    with SecureServer(server_context(unknown_ca, "localhost", version=version, protocol=protocol)) as made:
        yield made


def connection(server: SecureServer, context: ssl.SSLContext, **options: Any) -> hyperlite.HTTP20Connection:
    return hyperlite.HTTP20Connection("localhost", server.port, context=context, timeout=TIMEOUT, **options)


def fetch(conn: hyperlite.HTTP20Connection) -> bytes:
    return conn.getresponse(conn.request("GET", "/")).read()


def fetch_resumed(conn: hyperlite.HTTP20Connection) -> bool:
    """Fetch; return whether the connection, which is then closed, resumed a session."""
    stream_id = conn.request("GET", "/")
    assert conn.getresponse(stream_id).read() == b"hello"
    assert conn.sock is not None
    resumed = conn.sock.session_reused
    conn.close()
    return bool(resumed)


def unverified(context: ssl.SSLContext) -> ssl.SSLContext:
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class TestItIsResumed:
    def test_on_the_same_terms(self, server: SecureServer, ca: trustme.CA) -> None:
        with connection(server, client_context(ca)) as conn:
            assert [fetch_resumed(conn) for _ in range(3)] == [False, True, True]

    def test_so_many_are_read(
        self, server: SecureServer, ca: trustme.CA, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Some releases of Python never free what each costs: then new connections are whole handshakes."""
        monkeypatch.setattr(tls, "LEAKS", True)
        monkeypatch.setattr(tls, "MOST_READ", 1)
        with connection(server, client_context(ca)) as conn:
            assert [fetch_resumed(conn) for _ in range(4)] == [False, True, True, True]
        with connection(server, client_context(ca)) as conn:
            assert [fetch_resumed(conn) for _ in range(2)] == [False, False]

    def test_without_verification_too(self, impostor: SecureServer, ca: trustme.CA) -> None:
        with connection(impostor, unverified(client_context(ca))) as conn:
            assert [fetch_resumed(conn) for _ in range(2)] == [False, True]

    def test_through_the_same_tunnel(self, server: SecureServer, ca: trustme.CA) -> None:
        with Proxy() as proxy:
            conn = hyperlite.HTTP20Connection(
                "127.0.0.1", proxy.port, context=client_context(ca), timeout=TIMEOUT
            )
            with conn:
                conn.set_tunnel("localhost", server.port)
                assert [fetch_resumed(conn) for _ in range(2)] == [False, True]


class TestAnotherHost:
    def test_the_connection_is_for_another_host(self, server: SecureServer, ca: trustme.CA) -> None:
        with connection(server, client_context(ca)) as conn:
            assert fetch(conn) == b"hello"
            conn.close()
            conn.host = "127.0.0.1"
            with pytest.raises(ssl.SSLCertVerificationError):
                fetch(conn)
            conn.host = "localhost"
            assert fetch(conn) == b"hello"

    def test_requests_are_for_the_other_host(
        self, ca: trustme.CA, version: ssl.TLSVersion, protocol: str
    ) -> None:
        """As with http.client; its name is checked, too, before one is sent."""
        context = server_context(ca, "localhost", "127.0.0.1", version=version, protocol=protocol)
        with SecureServer(context) as server, connection(server, client_context(ca)) as conn:
            for host in ("localhost", "127.0.0.1"):
                conn.host = host
                response = conn.getresponse(conn.request("GET", "/host"))
                assert response.read().decode() == f"{host}:{server.port}"
                conn.close()
            conn.host = "local host"
            with pytest.raises(http.client.InvalidURL):
                conn.request("GET", "/host")

    def test_the_tunnel_leads_to_another_host(self, server: SecureServer, ca: trustme.CA) -> None:
        with Proxy() as proxy:
            conn = hyperlite.HTTP20Connection(
                "127.0.0.1", proxy.port, context=client_context(ca), timeout=TIMEOUT
            )
            with conn:
                conn.set_tunnel("localhost", server.port)
                assert fetch(conn) == b"hello"
                conn.close()
                conn.set_tunnel("127.0.0.1", server.port)
                with pytest.raises(ssl.SSLCertVerificationError):
                    fetch(conn)

    def test_from_no_tunnel_into_one(self, server: SecureServer, ca: trustme.CA) -> None:
        with connection(server, client_context(ca)) as conn, Proxy() as proxy:
            assert fetch(conn) == b"hello"
            conn.close()
            conn.host, conn.port = "127.0.0.1", proxy.port
            conn.set_tunnel("127.0.0.1", server.port)
            with pytest.raises(ssl.SSLCertVerificationError):
                fetch(conn)

    def test_another_port_is_another_server(
        self, server: SecureServer, ca: trustme.CA, version: ssl.TLSVersion, protocol: str
    ) -> None:
        with (
            SecureServer(server.tls) as other,  # which could resume the session
            connection(server, client_context(ca)) as conn,
        ):
            assert not fetch_resumed(conn)
            conn.port = other.port
            assert not fetch_resumed(conn)


class TestStricterVerification:
    """What http.client refuses, which shakes hands anew."""

    @pytest.mark.parametrize("check_hostname", [False, True])
    def test_verification_is_switched_on(
        self, impostor: SecureServer, ca: trustme.CA, check_hostname: bool
    ) -> None:
        context = unverified(client_context(ca))
        with connection(impostor, context) as conn:
            assert fetch(conn) == b"hello"
            conn.close()
            context.verify_mode = ssl.CERT_REQUIRED
            context.check_hostname = check_hostname
            with pytest.raises(ssl.SSLCertVerificationError):
                fetch(conn)

    def test_it_is_switched_on_while_the_connection_stands(
        self, impostor: SecureServer, ca: trustme.CA
    ) -> None:
        """What counts is how the session was made, not how the context is when it is kept."""
        context = unverified(client_context(ca))
        with connection(impostor, context) as conn:
            assert fetch(conn) == b"hello"
            context.check_hostname = True
            assert context.verify_mode == ssl.CERT_REQUIRED
            conn.close()
            with pytest.raises(ssl.SSLCertVerificationError):
                fetch(conn)

    def test_the_hosts_name_is_looked_at(self, server: SecureServer, ca: trustme.CA) -> None:
        context = client_context(ca)
        context.check_hostname = False
        conn = hyperlite.HTTP20Connection("127.0.0.1", server.port, context=context, timeout=TIMEOUT)
        with conn:
            assert fetch(conn) == b"hello"
            conn.close()
            context.check_hostname = True
            with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
                fetch(conn)

    def test_revoked_certificates_are_refused(self, server: SecureServer, ca: trustme.CA) -> None:
        """There is no list of them, which is an error of its own."""
        context = client_context(ca)
        with connection(server, context) as conn:
            assert fetch(conn) == b"hello"
            conn.close()
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
            with pytest.raises(ssl.SSLCertVerificationError, match="CRL"):
                fetch(conn)

    def test_any_other_change_ends_a_session(self, server: SecureServer, ca: trustme.CA) -> None:
        context = client_context(ca)
        with connection(server, context) as conn:
            assert not fetch_resumed(conn)
            context.set_ciphers("DEFAULT:@SECLEVEL=1")
            assert not fetch_resumed(conn)
            assert fetch_resumed(conn)

    def test_another_context(self, server: SecureServer, ca: trustme.CA) -> None:
        with connection(server, client_context(ca)) as conn:
            assert not fetch_resumed(conn)
            conn._context = client_context(ca)
            assert not fetch_resumed(conn)


class TestThePool:
    """Connections that stand are reused there as sessions are elsewhere."""

    def test_a_connection_serves_no_request_that_wants_more_trust(
        self, impostor: SecureServer, ca: trustme.CA
    ) -> None:
        context = unverified(client_context(ca))
        with ConnectionPool(context=context, timeout=TIMEOUT, retries=0) as pool:
            assert pool.fetch(impostor.url()).body == b"hello"
            context.check_hostname = True
            with pytest.raises(ssl.SSLCertVerificationError):
                pool.fetch(impostor.url())

    def test_nor_one_that_wants_revoked_certificates_refused(
        self, server: SecureServer, ca: trustme.CA
    ) -> None:
        context = client_context(ca)
        with ConnectionPool(context=context, timeout=TIMEOUT, retries=0) as pool:
            assert pool.fetch(server.url()).body == b"hello"
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
            with pytest.raises(ssl.SSLCertVerificationError, match="CRL"):
                pool.fetch(server.url())

    def test_nor_is_it_dialled_with_less_trust_than_was_asked_for(
        self, impostor: SecureServer, ca: trustme.CA, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The context is changed while the connection is dialled, and back again afterwards."""
        context = client_context(ca)
        connect = origin_connection.create_connection

        def disarm(*args: Any, **options: Any) -> Any:
            unverified(context)
            return connect(*args, **options)

        monkeypatch.setattr(origin_connection, "create_connection", disarm)
        with ConnectionPool(context=context, timeout=TIMEOUT, retries=0) as pool:
            with pytest.raises(ssl.SSLCertVerificationError):
                pool.fetch(impostor.url())
            assert pool.fetch(impostor.url()).body == b"hello"  # as the context says by now


class TestTheAdapter:
    """requests' `verify` holds whatever has become of a context that others use too."""

    @pytest.fixture
    def session(self, ca: trustme.CA, tmp_path: Path) -> Iterator[requests.Session]:
        context = self.context = frozen_context(ca)
        ca.cert_pem.write_to_path(tmp_path / "ca.pem")

        class Adapter(HTTP20Adapter):
            def init_poolmanager(self, *args: Any, **options: Any) -> None:
                super().init_poolmanager(*args, ssl_context=context, **options)

        with requests.Session() as session:
            session.trust_env = False
            session.verify = str(tmp_path / "ca.pem")
            session.mount("https://", Adapter())
            yield session

    def test_a_context_that_was_disarmed_verifies_all_the_same(
        self, session: requests.Session, server: SecureServer, impostor: SecureServer
    ) -> None:
        assert session.get(server.url()).content == b"hello"
        unverified(self.context)
        assert session.get(server.url()).content == b"hello"
        with pytest.raises(requests.exceptions.SSLError):
            session.get(impostor.url())
        assert self.context.verify_mode == ssl.CERT_NONE  # it is the caller's

    @pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
    def test_a_request_without_verification_leaves_the_context_as_it_is(
        self, session: requests.Session, impostor: SecureServer
    ) -> None:
        self.context.freeze()
        assert session.get(impostor.url(), verify=False).content == b"hello"
        assert self.context.verify_mode == ssl.CERT_REQUIRED


def test_hyperlite_client_resumes_nothing(server: SecureServer, ca: trustme.CA) -> None:
    """As http.client."""
    conn = hyperlite.client.HTTPSConnection(
        "localhost", server.port, context=client_context(ca), timeout=TIMEOUT
    )
    for _ in range(2):
        conn.request("GET", "/")
        assert conn.getresponse().read() == b"hello"
        assert not conn.sock.session_reused
        conn.close()
    assert isinstance(conn, http.client.HTTPSConnection)
