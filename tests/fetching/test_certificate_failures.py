"""What a caller reads when the server's certificate is not accepted, or the client's is not."""

import contextlib
import datetime as dt
import socket
import ssl
from typing import Any

import pytest
import trustme

import hyperlite
from hyperlite import FetchError
from tests.conftest import MakePool, Serve
from tests.listener import Listener
from tests.net.conftest import server_context

from .test_failures import Answering, Call, by_both, by_each, failure


@by_each
def test_a_certificate_that_is_not_trusted(make_pool: MakePool, way: Call, serve: Serve):
    url = serve().url("/")
    pool = make_pool(verify=True, retries=0)
    error = failure(ssl.SSLCertVerificationError, lambda: way(pool, url), url)
    assert str(error).startswith("the certificate of localhost is not trusted (verify= takes the file of ")
    assert str(error).endswith(": unable to get local issuer certificate")
    assert isinstance(error, ssl.SSLCertVerificationError)
    assert error.verify_code == 20
    assert error.reason == "CERTIFICATE_VERIFY_FAILED"
    assert str(error.args[1]).startswith("[SSL: CERTIFICATE_VERIFY_FAILED]")


def long_ago() -> dict[str, dt.datetime]:
    now = dt.datetime.now(dt.UTC)
    return {"not_before": now - dt.timedelta(10), "not_after": now - dt.timedelta(5)}


@by_both
@pytest.mark.parametrize(
    ("names", "certificate", "text"),
    [
        (["other.example"], {}, "is for another name: Hostname mismatch"),
        (["localhost"], long_ago(), "has expired"),
    ],
)
def test_a_certificate_that_does_not_hold(
    make_pool: MakePool,
    way: Call,
    names: list[str],
    certificate: Any,
    text: str,
    tmp_path: Any,
):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with Answering(tls=server_context(authority, *names, **certificate)) as listener:
        url = f"https://localhost:{listener.port}/"
        pool = make_pool(verify=str(tmp_path / "ca.pem"), retries=0)
        error = failure(ssl.SSLCertVerificationError, lambda: way(pool, url), url)
    assert str(error).startswith(f"the certificate of localhost {text}")


class WantsCertificate(Listener):
    """Does the TLS handshake, in which it wants a client certificate, and keeps the connection open."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def serve(self, sock: socket.socket) -> None:
        wrapped = self._context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self.opened.append(wrapped)
        with contextlib.suppress(OSError):
            wrapped.do_handshake()


@by_both
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("version", "protocol", "shown", "kind", "text"),
    [
        (13, "http/1.1", None, ssl.SSLError, "TLSV13_ALERT_CERTIFICATE_REQUIRED"),
        (13, "h2", None, hyperlite.ConnectionLost, "TLSV13_ALERT_CERTIFICATE_REQUIRED"),
        (13, "http/1.1", "other", ssl.SSLError, "TLSV1_ALERT_UNKNOWN_CA"),
        (12, "h2", "other", ssl.SSLError, "TLSV1_ALERT_UNKNOWN_CA"),
    ],
)
def test_a_client_certificate_that_the_server_wants(
    make_pool: MakePool,
    way: Call,
    method: str,
    version: int,
    protocol: str,
    shown: str | None,
    kind: type[Exception],
    text: str,
    tmp_path: Any,
):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    cert = None if shown is None else tmp_path / "other.pem"
    if cert is not None:
        trustme.CA().issue_cert("a@example.org").private_key_and_cert_chain_pem.write_to_path(cert)
    tls = ssl.TLSVersion.TLSv1_3 if version == 13 else ssl.TLSVersion.TLSv1_2
    context = server_context(authority, "localhost", version=tls, protocol=protocol)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    with WantsCertificate(context) as listener:
        url = f"https://localhost:{listener.port}/"
        pool = make_pool(verify=str(tmp_path / "ca.pem"), cert=cert, retries=0)
        error = failure(kind, lambda: way(pool, url, method), url, method)
        assert pool.stats()["dialled"] + pool.stats()["failed_dials"] <= 2  # fetch_many() looks at it first
    assert str(error).endswith(
        f": the server does not accept the client certificate, or its absence (cert=): {text}"
    )


def test_a_tls_1_2_server_that_wants_a_client_certificate(make_pool: MakePool, tmp_path: Any):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = server_context(authority, "localhost", version=ssl.TLSVersion.TLSv1_2)
    context.verify_mode = ssl.CERT_REQUIRED
    with WantsCertificate(context) as listener:
        url = f"https://localhost:{listener.port}/"
        pool = make_pool(verify=str(tmp_path / "ca.pem"), retries=0)
        error = failure(ssl.SSLError, lambda: pool.fetch(url), url)
    assert str(error).endswith("HANDSHAKE_FAILURE (if the server wants a client certificate, pass cert=)")


def test_a_server_that_hangs_up_behind_the_handshake(make_pool: MakePool, tmp_path: Any):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with Answering(tls=server_context(authority, "localhost", protocol="http/1.1")) as listener:
        url = f"https://localhost:{listener.port}/"
        pool = make_pool(verify=str(tmp_path / "ca.pem"), retries=0)
        with pytest.raises(FetchError, match=f"GET {url} : ") as caught:
            pool.fetch(url)
    assert "of a pool" not in str(caught.value)
