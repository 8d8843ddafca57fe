"""Certificates, protocols, ciphers, and handshakes that never end."""

import functools
import socket
import ssl
import warnings
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import trustme

from hyperlite.testing.certificates import certificates

from .case import TLS, Section
from .judging import Run
from .line import Gone, Line
from .scripts import LATER, short

tls: Section = Section("tls", {"over": (TLS,), "after": False})

TRUSTED = "trusted"
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@functools.cache
def authority(name: str) -> trustme.CA:
    return trustme.CA(organization_name=name)


def trusting(ca: str = TRUSTED) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority(ca).configure_trust(context)
    return context


def serving(
    *identities: str, ca: str = TRUSTED, alpn: Sequence[str] = ("h2",), **options: Any
) -> Callable[[], ssl.SSLContext]:
    """Return what makes a server context with a certificate for some names."""

    def make() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority(ca).issue_cert(*identities, **options).configure_cert(context)
        context.set_alpn_protocols(list(alpn))
        return context

    return make


def fine(line: Line) -> None:
    line.ok(line.open())


def says(word: str) -> Callable[[Run], None]:
    def check(run: Run) -> None:
        assert word in run.outcomes[0].detail, run.outcomes[0].detail

    return check


def certificate(
    name: str, expected: str, reference: str, server: Callable[[], ssl.SSLContext], **options: Any
) -> None:
    """Declare the case of a certificate; what is refused must be an SSLCertVerificationError."""
    if expected == "error":
        options.setdefault("check", says("SSLCertVerificationError"))
    options.setdefault("client_tls", trusting)
    options.setdefault("host", "localhost")
    tls.add(name, expected, reference, fine, server_tls=server, **options)


HTTPS = "RFC 9110 4.3.4, RFC 9525"
certificate("tls-ok", "ok", HTTPS, serving("localhost"))
certificate(
    "tls-expired", "error", "RFC 5280", serving("localhost", not_before=NOW - 9 * DAY, not_after=NOW - DAY)
)
certificate(
    "tls-not-yet-valid",
    "error",
    "RFC 5280",
    serving("localhost", not_before=NOW + DAY, not_after=NOW + 9 * DAY),
)
certificate("tls-wrong-host", "error", "RFC 9110 4.3.4, RFC 6125/9525", serving("other.example"))
certificate("tls-cn-only", "error", "RFC 9525: CN is not used", serving(common_name="localhost"))
certificate("tls-cn-beside-san", "error", "RFC 9525", serving("other.example", common_name="localhost"))
certificate("tls-unknown-ca", "error", "RFC 5280", serving("localhost", ca="unknown"))
certificate("tls-ip-san", "ok", HTTPS, serving("127.0.0.1"), host="127.0.0.1")
certificate("tls-ip-without-san", "error", HTTPS, serving("localhost"), host="127.0.0.1")
certificate("tls-ip-other", "error", HTTPS, serving("127.0.0.2"), host="127.0.0.1")
certificate("tls-name-where-ip-san", "error", HTTPS, serving("127.0.0.1"))
certificate("tls-wildcard", "ok", "RFC 9525 6.3", serving("*.site.example"), host="www.site.example")
certificate(
    "tls-wildcard-two-levels", "error", "RFC 9525 6.3", serving("*.site.example"), host="a.b.site.example"
)
certificate("tls-wildcard-bare", "error", "RFC 9525 6.3", serving("*.site.example"), host="site.example")
certificate("tls-wildcard-for-ip", "error", "RFC 9525 6.3", serving("*.0.0.1"), host="127.0.0.1")
certificate(
    "tls-case-of-name", "ok", "RFC 9525 6.3: names have no case", serving("Site.Example"), host="sITE.example"
)
certificate("tls-idna", "ok", "RFC 9525 6.3", serving("xn--bcher-kva.example"), host="bücher.example")


def self_signed() -> ssl.SSLContext:
    """Serve the authority's own certificate: issued by itself, and trusted by no client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with (
        authority("itself").cert_pem.tempfile() as cert,
        authority("itself").private_key_pem.tempfile() as key,
    ):
        context.load_cert_chain(cert, key)
    context.set_alpn_protocols(["h2"])
    return context


def without_intermediate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf = authority(TRUSTED).create_child_ca().issue_cert("localhost")
    with leaf.cert_chain_pems[0].tempfile() as cert, leaf.private_key_pem.tempfile() as key:
        context.load_cert_chain(cert, key)
    return context


def with_intermediate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority(TRUSTED).create_child_ca().issue_cert("localhost").configure_cert(context)
    context.set_alpn_protocols(["h2"])
    return context


def careless() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


certificate("tls-self-signed", "error", "RFC 5280", self_signed)
certificate("tls-intermediate-missing", "error", "RFC 5280", without_intermediate)
certificate("tls-intermediate", "ok", "RFC 5280", with_intermediate)
certificate("tls-verification-off", "ok", "what the caller asks for", self_signed, client_tls=careless)

# -- protocol and cipher -----------------------------------------------------------------------------


def at_most(
    version: ssl.TLSVersion, ciphers: str = "", alpn: Sequence[str] = ("h2",)
) -> Callable[[], ssl.SSLContext]:
    def make() -> ssl.SSLContext:
        context = serving("localhost", alpn=alpn)()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # which is the point
            context.minimum_version = min(version, ssl.TLSVersion.TLSv1_2)
            context.maximum_version = version
        if ciphers:
            context.set_ciphers(ciphers)
        return context

    return make


def secured(
    name: str, expected: str, reference: str, server: Callable[[], ssl.SSLContext], **options: Any
) -> None:
    options = {"script": fine, "client_tls": trusting, "host": "localhost", "server_tls": server, **options}
    tls.add(name, expected, reference, **options)


V11, V12, V13 = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
secured("tls-1.3", "ok", "RFC 9113 9.2", at_most(V13))
secured("tls-1.2", "ok", "RFC 9113 9.2", at_most(V12))
secured("tls-1.1", "error", "RFC 9113 9.2: TLS 1.2 or higher", at_most(V11, "ALL:@SECLEVEL=0"))
CBC = "ECDHE-ECDSA-AES128-SHA256"
secured(
    "tls-1.2-cbc-cipher",
    "ok|error",
    "RFC 9113 9.2.2 + Appendix A: MAY be INADEQUATE_SECURITY",
    at_most(V12, CBC),
    check=says("InadequateSecurity"),
)
secured(
    "tls-1.2-cbc-cipher-http11",
    "ok",
    "it is HTTP/2 that forbids it",
    at_most(V12, CBC, ["http/1.1"]),
    script=lambda line: line.behave_http1(),
    protocol="http/1.1",
)
secured("tls-null-cipher", "error", "Python's defaults", at_most(V12, "NULL:@SECLEVEL=0"))
secured("tls-anonymous", "error", "no side is authenticated", at_most(V12, "aNULL:@SECLEVEL=0"))
secured(
    "tls-alpn-no-overlap",
    "ok",
    "RFC 7301 3.2: a server that goes on without ALPN speaks HTTP/1.1",
    at_most(V13, "", ["spdy/3"]),
    script=lambda line: line.behave_http1(),
    protocol=None,
)

# -- handshakes --------------------------------------------------------------------------------------

raw: Section = Section("tls", {"over": (TLS,), "after": False, "handshake": False})


def hello(line: Line) -> None:
    """Wait for the beginning of the client's hello."""
    if not line.sock.recv(65536):
        raise Gone


@raw.case("tls-handshake-stall", "timeout", "connect timeout covers the handshake", timeout=LATER)
def _(line: Line) -> None:
    hello(line)
    line.gate.wait(5)
    raise Gone


@raw.case("tls-handshake-close", "error", "RFC 8446 6")
def _(line: Line) -> None:
    hello(line)
    line.hang_up()


@raw.case("tls-handshake-reset", "error", "RFC 8446 6")
def _(line: Line) -> None:
    hello(line)
    line.reset_tcp()
    raise Gone


@raw.case("tls-handshake-garbage", "error", "RFC 8446 5")
def _(line: Line) -> None:
    hello(line)
    line.send_raw(bytes(range(256)))
    line.hang_up()


@raw.case("tls-handshake-http", "error", "a server that speaks no TLS", check=says("secure=False"))
def _(line: Line) -> None:
    hello(line)
    line.send_raw(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    line.hang_up()


for _name, _alert in (
    ("handshake-failure", 40),
    ("no-application-protocol", 120),
    ("unrecognized-name", 112),
):

    def alarm(line: Line, alert: int = _alert) -> None:
        hello(line)
        line.send_raw(bytes([0x15, 3, 3, 0, 2, 2, alert]))
        line.hang_up()

    raw.add(f"tls-alert-{_name}", "error", "RFC 8446 6.2", alarm)


def handshake_by_hand(line: Line, *, step: float, pieces: int) -> None:
    """Do the handshake through memory, and send what comes of it in small pieces, slowly."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = certificates().server_context(["h2"]).wrap_bio(incoming, outgoing, server_side=True)
    while True:
        try:
            server.do_handshake()
            break
        except ssl.SSLWantReadError:
            data = outgoing.read()
            for at in range(0, len(data), pieces):
                line.send_raw(data[at : at + pieces])
                if step and line.gate.wait(step):
                    raise Gone from None
            data = line.sock.recv(65536)
            if not data:
                raise Gone from None
            incoming.write(data)


@raw.case("tls-handshake-drip", "timeout", "the handshake's timeout is total", timeout=LATER)
def _(line: Line) -> None:
    handshake_by_hand(line, step=0.05, pieces=4)


@raw.case("tls-handshake-then-silence", "timeout", "RFC 9113 3.4", timeout=LATER)
def _(line: Line) -> None:
    handshake_by_hand(line, step=0, pieces=1)
    line.gate.wait(5)
    raise Gone


# -- the end of a TLS connection ---------------------------------------------------------------------


def fin_without_close_notify(line: Line) -> None:
    socket.socket.shutdown(line.sock, socket.SHUT_RDWR)
    raise Gone


@tls.case("tls-fin-no-close-notify-mid-body", "error", "RFC 9113 8.1.1", body=1000)
def _(line: Line) -> None:
    short(line)
    fin_without_close_notify(line)


@tls.case("tls-close-notify-mid-body", "error", "RFC 9113 8.1.1", body=1000)
def _(line: Line) -> None:
    short(line)
    line.close_tls()


@tls.case("tls-garbage-mid-body", "error", "RFC 8446 5.2: a record that does not decrypt", body=1000)
def _(line: Line) -> None:
    short(line)
    socket.socket.sendall(line.sock, b"\x17\x03\x03\x00\x20" + bytes(32))
    line.listen()


@tls.case("tls-half-record", "error", "RFC 8446 5.1", body=1000)
def _(line: Line) -> None:
    short(line)
    socket.socket.sendall(line.sock, b"\x17\x03\x03\x40\x00" + bytes(100))
    fin_without_close_notify(line)


@tls.case("tls-fin-after-response", "ok", "the body is whole: END_STREAM came")
def _(line: Line) -> None:
    line.ok(line.open())
    fin_without_close_notify(line)


# -- client certificates -----------------------------------------------------------------------------


def demanding(alpn: Sequence[str] = ("h2",)) -> Callable[[], ssl.SSLContext]:
    def make() -> ssl.SSLContext:
        context = serving("localhost", alpn=alpn)()
        context.verify_mode = ssl.CERT_REQUIRED
        authority(TRUSTED).configure_trust(context)
        return context

    return make


def showing(ca: str) -> Callable[[], ssl.SSLContext]:
    def make() -> ssl.SSLContext:
        context = trusting()
        authority(ca).issue_cert("client@site.example").configure_cert(context)
        return context

    return make


NEEDED = "RFC 8446 4.4.2.4"
secured("tls-client-cert", "ok", NEEDED, demanding(), client_tls=showing(TRUSTED))
secured("tls-client-cert-missing", "error", NEEDED, demanding())
secured("tls-client-cert-refused", "error", NEEDED, demanding(), client_tls=showing("unknown"))
secured("tls-client-cert-missing-http11", "error", NEEDED, demanding(["http/1.1"]), protocol="http/1.1")
