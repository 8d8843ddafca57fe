"""TCP, TLS and ALPN: from a host and a port to a connected socket and the protocol it speaks.

A private context (`contexts`) makes the TLS object; then, before the handshake, `sock.context` becomes the
caller's.  OpenSSL keeps the settings of the one and takes the authorities, the certificates, the ciphers and
the callbacks of the other.
"""

import errno
import os
import socket
import ssl
import sys
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..errors import ConnectionLost, ErrorCode, InadequateSecurity
from .contexts import blank, private_for, trust_of
from .protocols import BOTH, H2, check_choice, is_refused, not_http2
from .sockets import wait_for
from .timeouts import remaining, soonest
from .trust import own_of

CreateConnection = Callable[..., socket.socket]


class Terms(NamedTuple):
    """The terms of a handshake. A session is resumed only on equal terms, because it shows no certificate.

    Attributes:
        host, port: of the origin.
        proxy: host and port of the proxy whose tunnel leads to the origin, or None.
        context: the caller's, by identity.
        trust: a result of `trust_of(context)`: the handshake uses it, even if the context has changed since.
    """

    host: str
    port: int
    proxy: tuple[str, int] | None
    context: Any
    trust: tuple[Any, ...]


class Session(NamedTuple):
    """A TLS session and what it may be used for."""

    session: ssl.SSLSession
    bound: ssl.SSLContext  # the only context with which the ssl module accepts the session
    terms: Terms


# Before Python 3.12.8 and 3.13.1, each session that is read costs 6 KiB which Python never frees
# (python/cpython#116810).  There a process reads so many at most, and none of a connection that has resumed
# one: the same session is offered again.  When they are used up, a new connection is a whole handshake.
LEAKS: bool = sys.version_info < (3, 12, 8) or (3, 13) <= sys.version_info < (3, 13, 1)
MOST_READ = 1000
sessions_read: int = 0
# The terms of each socket that was made here and whose session may be resumed.
_terms: "weakref.WeakKeyDictionary[ssl.SSLSocket, Terms]" = weakref.WeakKeyDictionary()
# The context of the handshake of each socket that speaks HTTP/2.
_callers: "weakref.WeakKeyDictionary[ssl.SSLSocket, ssl.SSLContext]" = weakref.WeakKeyDictionary()


def secure(
    sock: socket.socket,
    terms: Terms,
    *,
    timeout: float | None,
    deadline: float | None,
    alpn: Sequence[str] = BOTH,
    session: Session | None = None,
    insist: bool = False,
    hint: str = "pass secure=False?",
) -> tuple[ssl.SSLSocket, str | None]:
    """Do the TLS handshake on a connected socket; returns the TLS socket and the protocol that ALPN chose.

    If that is HTTP/2, the socket afterwards has neither certificate nor authorities: a later request of the
    server for a certificate gets none (RFC 9113 section 9.2.3), and a renegotiation fails (9.2.1).

    Args:
        sock: becomes the TLS socket's; it is closed if this fails.
        terms: the origin, whose name the certificate must hold, and the caller's context, which is not
            changed. A context that is no ssl.SSLContext may return any object as the TLS socket.
        timeout: seconds; the TLS socket's afterwards.
        deadline: the monotonic time by which the handshake must be over, or None.
        alpn: what to offer, best first; see `narrowed` for a context that offers something itself.
        session: offered only if it was made on equal terms.
        insist: raise if a context that makes its TLS sockets itself is not as the terms say meanwhile.
        hint: what the caller can do if the peer does not speak TLS; a part of the error.

    Raises:
        OSError: the connection failed; TimeoutError: the handshake was not over in time.
        ssl.SSLError: the handshake failed; a certificate that does not hold is SSLCertVerificationError.
        InadequateSecurity: HTTP/2 was chosen together with a cipher that it forbids.
        ConnectionLost: the context is not as the terms say; see `insist`.
        NotHTTP2: `alpn` is HTTP/2 alone, and the server did not choose it.
    """
    context, peer, name = terms.context, f"{terms.host}:{terms.port}", _server_name(terms.host)
    wrapped: Any = sock
    try:
        private = private_for(context, terms.trust, name, alpn)
        if private is None:
            wrapped = _wrapped_by_itself(sock, terms, name, deadline, insist=insist)
        else:
            wrapped = private.wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)
            _hand_over(wrapped, terms, session)
            _shake_hands(wrapped, peer, deadline, hint)
        wrapped.settimeout(timeout)
        protocol = agreed(wrapped, alpn, peer, None if private is None else context)
    except BaseException as error:
        wrapped.close()
        sock.close()
        if is_refused(error, alpn):
            raise not_http2(peer) from error
        raise
    return wrapped, protocol


def agreed(wrapped: Any, alpn: Sequence[str], peer: str, context: Any = None) -> str | None:
    """Return the protocol that ALPN chose; if it is HTTP/2, prepare the TLS socket for it.

    Args:
        wrapped: a TLS socket whose handshake is done, or anything else, for which None is returned.
        alpn: what may be spoken.
        peer: the server, for errors.
        context: the context of the handshake, if the socket does not show it.

    Raises:
        InadequateSecurity: HTTP/2 was chosen together with a cipher that it forbids.
        NotHTTP2, ConnectionError: as `check_choice()`.
    """
    protocol = wrapped.selected_alpn_protocol() if isinstance(wrapped, ssl.SSLSocket) else None
    check_choice(protocol, alpn, peer)
    if protocol == H2:
        _check_cipher(wrapped)
        _callers[wrapped] = wrapped.context if context is None else context
        wrapped.context = blank()
    return protocol


def handshake_deadline(timeout: float | None, start: float, by: float | None = None) -> float | None:
    """Return the monotonic time by which a handshake must be over, or None.

    Args:
        timeout: seconds; they count from `start`, or from now if they are over; None: no limit.
        start: the monotonic time at which connecting began.
        by: the monotonic time by which it must be over, whatever the timeout, or None.
    """
    if timeout is None:
        return by
    now = time.monotonic()
    # If one address used up the time, the next one had the whole timeout again.
    end = timeout + (start if now - start < timeout else now)
    return soonest(end, by)


def _server_name(host: str) -> str:
    """Return a host's name as it is sent in TLS.

    RFC 6066 section 3: without the dot that makes a name absolute, which no certificate has either.  The ssl
    module would take an IPv6 address with a zone for a name.
    """
    return (host.partition("%")[0] if ":" in host else host).removesuffix(".")


def session_of(sock: object) -> Session | None:
    """Return the TLS session of a socket that is still open, for the next one to resume; see `LEAKS`.

    No other thread may use the socket meanwhile: a ticket that comes changes the session while it is copied.
    """
    global sessions_read  # noqa: PLW0603
    terms = _terms.get(sock) if isinstance(sock, ssl.SSLSocket) else None
    if terms is None:
        return None
    assert isinstance(sock, ssl.SSLSocket)
    if LEAKS:
        if sock.session_reused or sessions_read >= MOST_READ:
            return None
        sessions_read += 1
    session = sock.session
    if session is None:
        return None
    beneath: Any = sock._sslobj  # type: ignore[attr-defined]  # knows the context where the socket hides it
    return Session(session, beneath.context, terms)


def context_of(sock: Any) -> Any:
    """Return the context of a socket's handshake; on HTTP/2 the socket has another one since.

    If connections share that context, return a new one like it, at each call.
    """
    handshake = _callers.get(sock)
    return sock.context if handshake is None else own_of(handshake)


def _hand_over(wrapped: ssl.SSLSocket, terms: Terms, session: Session | None) -> None:
    """Give a private context's TLS object the caller's context; and a session, if the terms are equal."""
    if wrapped.session_reused is None:  # the peer has closed the connection: there is no TLS object
        raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
    if session is not None and session.terms == terms:
        wrapped.context = session.bound
        wrapped.session = session.session
    wrapped.context = terms.context
    _terms[wrapped] = terms


def _insist(terms: Terms) -> None:
    if trust_of(terms.context) != terms.trust:
        # truststore's context changes for a moment whenever it makes a socket, so another try may succeed.
        message = f"{terms.context!r} verifies otherwise than when the connection was asked for"
        raise ConnectionLost(message, retry_safe=True)


def _wrapped_by_itself(
    sock: socket.socket, terms: Terms, name: str, deadline: float | None, *, insist: bool
) -> Any:
    """Return the TLS socket that a context makes itself, its handshake done."""
    if insist:
        _insist(terms)
    late = f"the TLS handshake with {terms.host}:{terms.port} timed out"
    left = remaining(deadline)
    if left == 0:
        raise TimeoutError(late)
    sock.settimeout(left)
    try:
        wrapped = own_of(terms.context).wrap_socket(sock, server_hostname=name)
    except TimeoutError as error:
        raise TimeoutError(late) from error
    try:
        if insist:
            _insist(terms)
    except BaseException:
        wrapped.close()
        raise
    return wrapped


# -- the handshake ------------------------------------------------------------------------------------------


def _shake_hands(sock: ssl.SSLSocket, peer: str, deadline: float | None, hint: str) -> None:
    """Do the TLS handshake by `deadline`, however slowly the peer's bytes drip."""
    sock.settimeout(0)
    while True:
        try:
            sock.do_handshake()
            return
        except ssl.SSLWantReadError:
            ready = wait_for(sock, read=True, write=False, timeout=remaining(deadline))
        except ssl.SSLWantWriteError:
            ready = wait_for(sock, read=False, write=True, timeout=remaining(deadline))
        except ssl.SSLError as error:
            if error.reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}:
                error.strerror = f"{error.strerror}: {peer} does not speak TLS ({hint})"
            elif isinstance(error, ssl.SSLEOFError):
                error.strerror = (
                    f"{error.strerror}: {peer} hung up during the TLS handshake (does it speak TLS?)"
                )
            raise
        if not ready or (deadline is not None and time.monotonic() >= deadline):
            raise TimeoutError(f"the TLS handshake with {peer} timed out")


def _check_cipher(sock: ssl.SSLSocket) -> None:
    """Refuse HTTP/2 on the ciphers of RFC 9113 appendix A: on TLS 1.2 without (EC)DHE and an AEAD."""
    cipher = sock.cipher()
    assert cipher is not None
    name, version, _ = cipher
    if sock.version() == "TLSv1.3":
        return
    if name.startswith(("ECDHE-", "DHE-")) and ("GCM" in name or "CHACHA20" in name or "CCM" in name):
        return
    raise InadequateSecurity(
        f"HTTP/2 may not be used with {version} and cipher {name} (RFC 9113 section 9.2.2)",
        error_code=ErrorCode.INADEQUATE_SECURITY,
    )
