"""Failures of a fetch, made to say what was asked for, and what the caller can do.

An error of the layers below says what has happened, and not to which of a thousand URLs.  Here it becomes a
`FetchError` of the same class.  Its text names no option but those of the pool, and has no credentials.
"""

import enum
import errno
import http.client as http_client
import json
import socket
import ssl

from ..errors import (
    ConnectionGoingAway,
    FetchError,
    NotHTTP1,
    NotHTTP2,
    RequestTimeout,
    StreamReset,
    as_fetch_error,
)
from ..messages.greetings import WANTS_TLS, wanted
from ..messages.urls import DEFAULT_PORTS, URL
from ..net.proxy import Proxy

# Errors that are made into another class: those of other modules may be anything, and are left as they are.
_MODULES = frozenset({"builtins", "hyperlite.errors", "http.client", "json.decoder", "socket", "ssl"})
# Reasons that OpenSSL has for what is no TLS.
_NO_TLS = frozenset({"HTTP_REQUEST", "RECORD_LAYER_FAILURE", "WRONG_VERSION_NUMBER"})
# Alerts of servers that want another certificate of the client, or one at all (RFC 8446 section 6.2).
# With TLS 1.2 they send handshake_failure, which has other causes too.
_WANTS_CERT = frozenset(
    {"TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_BAD_CERTIFICATE", "TLSV1_ALERT_UNKNOWN_CA"}
)
_MAY_WANT_CERT = frozenset({"SSLV3_ALERT_HANDSHAKE_FAILURE", "TLSV1_ALERT_HANDSHAKE_FAILURE"})
# OpenSSL's x509_vfy.h: CERT_NOT_YET_VALID, CERT_HAS_EXPIRED, HOSTNAME_MISMATCH, IP_ADDRESS_MISMATCH.
_NOT_YET_VALID, _EXPIRED, _OTHER_NAME = 9, 10, {62, 64}
_UNREACHABLE = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL})
# Of an answer that is no HTTP, so many characters are shown.
_SHOWN = 60


class Stage(enum.Enum):
    """How far a request has come."""

    CONNECTING = "connecting"
    ASKING = "asking"
    READING = "reading"


def named(error: Exception, method: str, url: URL, stage: Stage, proxy: Proxy | None = None) -> Exception:
    """Return an error of a request as a FetchError; errors of the program itself stay as they are.

    Args:
        error: what has happened.
        method, url: of the request.
        stage: how far it has come.
        proxy: on the way, or None.
    """
    if isinstance(error, FetchError) or type(error).__module__ not in _MODULES:
        return error
    if not isinstance(error, OSError | http_client.HTTPException | json.JSONDecodeError | UnicodeDecodeError):
        return error
    if stage is Stage.CONNECTING and not isinstance(error, RequestTimeout):
        text = _connecting(error, url, proxy)
    else:
        text = f"{method} {url} : {_asking(error, url, stage)}"
    about = {"url": str(url), "method": method, "host": url.host, "stage": stage.value}
    return as_fetch_error(error, text, port=url.port, **about)


def _connecting(error: Exception, url: URL, proxy: Proxy | None) -> str:
    """Tell why there is no connection."""
    place = _place(url)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of {url.host} {_distrust(error)}"
    if proxy is not None and isinstance(error, OSError) and error.errno in _UNREACHABLE:
        return f"cannot connect to the proxy {_place(proxy)}, for {place}: {_reason(error)}"
    via = "" if proxy is None else f" by way of {proxy.scheme}://{_place(proxy)}"
    return f"cannot connect to {place}{via}: {_obstacle(error)}"


def _place(where: URL | Proxy) -> str:
    host = f"[{where.host}]" if ":" in where.host else where.host
    return f"{host}:{where.port}"


def _distrust(error: ssl.SSLCertVerificationError) -> str:
    code, message = getattr(error, "verify_code", 0), getattr(error, "verify_message", "")
    if code in _OTHER_NAME:
        return f"is for another name: {message}"
    if code == _EXPIRED:
        return "has expired"
    if code == _NOT_YET_VALID:
        return "is not valid yet"
    return f"is not trusted (verify= takes the file of an authority that is to be trusted): {message}"


def _obstacle(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        if error.reason in _NO_TLS:
            return "the port does not speak TLS (use an http:// URL)"
        if isinstance(error, ssl.SSLEOFError):
            return (
                "the server hung up during the TLS handshake (if it does not speak TLS, use an http:// URL)"
            )
        return _alert(error) or f"the TLS handshake failed: {error.reason or error}"
    if isinstance(error, NotHTTP2):
        return 'the server does not choose HTTP/2, and protocols=("h2",) allows nothing else'
    if isinstance(error, TimeoutError) and "TLS handshake" in str(error):
        return "the TLS handshake timed out (if the port does not speak TLS, use an http:// URL)"
    return _reason(error)


def _alert(error: ssl.SSLError) -> str | None:
    """Tell what a server says of a client certificate; None: nothing."""
    if error.reason in _WANTS_CERT:
        return f"the server does not accept the client certificate, or its absence (cert=): {error.reason}"
    if error.reason in _MAY_WANT_CERT:
        return (
            f"the TLS handshake failed: {error.reason} (if the server wants a client certificate, pass cert=)"
        )
    return None


def _asking(error: Exception, url: URL, stage: Stage) -> str:
    """Tell why a request has no response, or not all of it."""
    alert = error if isinstance(error, ssl.SSLError) else error.__cause__
    if isinstance(alert, ssl.SSLError) and (text := _alert(alert)):
        return text
    if isinstance(error, NotHTTP1):
        if wanted(error.line.encode("latin-1")) == WANTS_TLS:
            return "the port takes TLS alone: use an https:// URL"
        return 'the port takes HTTP/2 alone: pass protocols=("h2",)'
    if isinstance(error, NotHTTP2):
        return f'{error}; protocols=("h2",) allows nothing else'
    if isinstance(error, RequestTimeout):
        what = "no more of the body" if stage is Stage.READING else "no response"
        return str(error).replace("nothing came", f"{what} came")
    if isinstance(error, ConnectionError):
        silent = not isinstance(
            error, StreamReset | ConnectionGoingAway
        )  # these say that the peer speaks HTTP
        doubtful = (
            silent and stage is Stage.ASKING and url.scheme == "http" and url.port != DEFAULT_PORTS["http"]
        )
        return _reason(error) + (" (if the port takes TLS alone, use an https:// URL)" if doubtful else "")
    if isinstance(error, ValueError):
        return f"the body is no JSON: {error}"
    if type(error) is http_client.BadStatusLine:
        return f"the answer is no HTTP, and begins with {str(error)[:_SHOWN]!r}"
    return _reason(error)


def _reason(error: Exception) -> str:
    """Return what an error says, without its number."""
    known = isinstance(error, OSError) and bool(error.errno) and not isinstance(error, ssl.SSLError)
    text = str(error.strerror) if known and error.strerror else str(error)  # type: ignore[attr-defined]
    if isinstance(error, socket.gaierror) or known:
        text = text[:1].lower() + text[1:]
    return text or type(error).__name__
