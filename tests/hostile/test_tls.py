"""What the table of cases cannot say of TLS: contexts, sessions, what a failed handshake leaves behind."""

import contextlib
import ssl
from collections.abc import Iterator

import pytest

import hyperlite
from hyperlite.testing.hostile.case import CASES
from hyperlite.testing.hostile.cases_tls import TRUSTED, authority, serving
from hyperlite.testing.hostile.line import Stage
from hyperlite.testing.server import Response, Server


@contextlib.contextmanager
def secured(**options: object) -> Iterator[Server]:
    with Server({"/": lambda _: Response(body=b"hello")}, **options) as server:
        yield server


def fetch(conn: hyperlite.HTTP20Connection) -> bytes:
    return conn.getresponse(conn.request("GET", "/")).read()


def test_create_context_verifies() -> None:
    context = hyperlite.create_context()
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert not context.keylog_filename


@pytest.mark.parametrize("alpn", [("h2",), ("http/1.1",)], ids=["h2", "http/1.1"])
def test_a_session_is_resumed_when_the_connection_is_opened_again(alpn: tuple[str, ...]) -> None:
    """It saves a round trip with TLS 1.2 and the certificate's check; http.client does not do it either."""
    with (
        secured(alpn=alpn) as server,
        hyperlite.HTTP20Connection("localhost", server.port, context=server.context(), timeout=5) as conn,
    ):
        assert fetch(conn) == b"hello"
        conn.close()
        assert fetch(conn) == b"hello"
        assert conn.sock.session_reused


def test_a_context_is_left_as_it_was_by_a_handshake_that_fails() -> None:
    case = CASES["tls-unknown-ca"]
    context = ssl.create_default_context()
    authority(TRUSTED).configure_trust(context)
    before = (context.verify_mode, context.check_hostname, context.options, context.minimum_version)
    stage = Stage(case, tls=True)
    try:
        conn = hyperlite.HTTP20Connection("localhost", stage.port, context=context, timeout=5)
        with pytest.raises(ssl.SSLCertVerificationError):
            conn.request("GET", "/")
        assert (
            context.verify_mode,
            context.check_hostname,
            context.options,
            context.minimum_version,
            context.hostname_checks_common_name,
        ) == (*before, True)
        conn.close()
    finally:
        stage.close()


def test_a_connection_goes_on_when_the_certificate_is_mended() -> None:
    """Nothing is remembered of a handshake that failed but the error that was raised."""
    context = ssl.create_default_context()
    authority(TRUSTED).configure_trust(context)
    stage = Stage(CASES["tls-expired"], tls=True)
    try:
        with hyperlite.HTTP20Connection("localhost", stage.port, context=context, timeout=5) as conn:
            for _ in range(2):
                with pytest.raises(ssl.SSLCertVerificationError):
                    conn.request("GET", "/")
            stage.context = serving("localhost")()
            response = conn.getresponse(conn.request("GET", "/after"))
            assert response.read() == b"after"
    finally:
        stage.close()


def test_the_error_of_a_certificate_says_what_is_wrong_with_it() -> None:
    stage = Stage(CASES["tls-expired"], tls=True)
    context = ssl.create_default_context()
    authority(TRUSTED).configure_trust(context)
    try:
        conn = hyperlite.HTTP20Connection("localhost", stage.port, context=context, timeout=5)
        with pytest.raises(ssl.SSLCertVerificationError, match="certificate has expired") as caught:
            conn.request("GET", "/")
        assert caught.value.verify_code == 10
        conn.close()
    finally:
        stage.close()
