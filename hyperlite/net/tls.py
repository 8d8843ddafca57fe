"""TCP, TLS and ALPN: from a host and a port to a connected socket and the protocol it speaks.

Rule: a caller's context is never changed, at no moment: other threads make TLS objects from it.  The TLS
object is made from a *private* context, which offers our ALPN, verifies as the caller's does, and trusts
nothing; then, before the handshake, `sock.context` becomes the caller's.  OpenSSL keeps the settings of the
one and takes the authorities, the certificates, the ciphers and the callbacks of the other.

What of a context cannot be read from it is read from a ClientHello that it makes (`client_hello`).  A context
that cannot be followed so makes its TLS objects itself, as for http.client (docs/differences.md).
"""

import contextlib
import errno
import functools
import itertools
import operator
import os
import socket
import ssl
import time
import types
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..errors import ConnectionLost, ErrorCode, InadequateSecurity
from .client_hello import client_hello
from .protocols import BOTH, H2, check_choice, is_refused, narrowed, not_http2
from .sockets import wait_for
from .timeouts import remaining
from .trust import NATIVE, is_context, own_of, sslsocket_class_of

CreateConnection = Callable[..., socket.socket]

# What decides which certificates are accepted, and how well a connection is protected, as OpenSSL's numbers.
TRUST = (
    "verify_mode",
    "check_hostname",
    "verify_flags",
    "_host_flags",
    "options",
    "minimum_version",
    "maximum_version",
    "security_level",
)
_read_trust = [vars(NATIVE)[name].__get__ for name in TRUST]  # the enums of ssl take ten times longer
_imported = ssl.SSLContext  # for as long as a mock has its name

# Where the classes of contexts are that make their TLS sockets as OpenSSL does.
_STOCK = frozenset({"ssl", "_ssl", "builtins", "gevent.ssl"})
_REVOCATION = int(ssl.VERIFY_CRL_CHECK_CHAIN)  # and the bit of VERIFY_CRL_CHECK_LEAF

# A context in whose class one of these was replaced makes other TLS objects than OpenSSL would.
_MAKERS = ("wrap_socket", "wrap_bio", "_wrap_socket", "_wrap_bio", "_encode_hostname")
# Early releases of Python 3.11 have OpenSSL take a connection that was cut off for one that has ended.
_IGNORE_UNEXPECTED_EOF = getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
_VERSIONS = {
    ssl.TLSVersion.TLSv1: int(ssl.OP_NO_TLSv1),
    ssl.TLSVersion.TLSv1_1: int(ssl.OP_NO_TLSv1_1),
    ssl.TLSVersion.TLSv1_2: int(ssl.OP_NO_TLSv1_2),
    ssl.TLSVersion.TLSv1_3: int(ssl.OP_NO_TLSv1_3),
}
# Setting these options is deprecated; they are followed by the least and the highest version.
_NO_VERSIONS = ssl.OP_NO_SSLv3 | ssl.OP_NO_TLSv1 | ssl.OP_NO_TLSv1_1 | ssl.OP_NO_TLSv1_2 | ssl.OP_NO_TLSv1_3
# The curves of `set_ecdh_curve`, by their numbers (RFC 8446 section 4.2.7).
_CURVES = {23: "prime256v1", 24: "secp384r1", 25: "secp521r1", 29: "X25519", 30: "X448"}


class Terms(NamedTuple):
    """All that must be the same for a TLS session to be resumed: a resumed one shows no certificate."""

    host: str
    port: int
    proxy: tuple[str, int] | None  # on the way to the host
    context: ssl.SSLContext  # by identity
    trust: tuple[Any, ...]


class Session(NamedTuple):
    """A TLS session and what it may be used for."""

    session: ssl.SSLSession
    bound: ssl.SSLContext  # the only one with which the ssl module takes it
    terms: Terms


# Of each socket that was made here and whose session may be resumed.
_terms: "weakref.WeakKeyDictionary[ssl.SSLSocket, Terms]" = weakref.WeakKeyDictionary()
# Of each socket that speaks HTTP/2: the context of its handshake.
_callers: "weakref.WeakKeyDictionary[ssl.SSLSocket, ssl.SSLContext]" = weakref.WeakKeyDictionary()


def trust_of(context: Any, *, verified: bool = False) -> tuple[Any, ...]:
    """Return what of a context decides which certificates are accepted, and can be changed while it is used.

    Equal for the same context: whatever was accepted before would be accepted now.  (Authorities can be
    added to a context, never taken away; a client certificate that was loaded cannot be seen.)

    Args:
        context: the caller's.
        verified: certificates are verified, and hold the host's name, even if the context does not want that.
            (One that makes its TLS sockets itself is taken at its word.)
    """
    trust: tuple[Any, ...] = ()
    if is_context(context):
        trust = tuple(map(operator.call, _read_trust, itertools.repeat(context)))  # each request asks
        if trust[2] & _REVOCATION:
            trust += (context.cert_store_stats()["crl"],)
    if type(context).__module__ not in _STOCK:
        trust += tuple([getattr(context, name, None) for name in TRUST])
    return (ssl.CERT_REQUIRED, True, *trust[2:]) if verified and is_stock(context) else trust


def connect(
    host: str,
    port: int,
    *,
    context: Any,
    timeout: float | None = None,
    by: float | None = None,
    source_address: tuple[str, int] | None = None,
    alpn: Sequence[str] = BOTH,
    session: Session | None = None,
    trust: tuple[Any, ...] | None = None,
    create_connection: CreateConnection = socket.create_connection,
) -> tuple[socket.socket, str | None]:
    """Connect to an origin; returns the socket and the protocol that ALPN chose, None without TLS.

    Args:
        context: an ssl.SSLContext; None for cleartext.
        timeout: seconds for each address of the host, the TLS handshake included.
        by: the monotonic time by which the handshake must be over, whatever the timeout, or None.
        source_address: (host, port) to bind to.
        alpn: what to offer, best first; see `secure`.
        session: of an earlier connection; see `secure`.
        trust: see `secure`.
        create_connection: in place of `socket.create_connection`, which tries each address in turn.

    Raises:
        OSError: no address could be reached; TimeoutError if that was for want of time.
        ssl.SSLError: the handshake failed; a certificate that does not hold is SSLCertVerificationError.
        InadequateSecurity: HTTP/2 was chosen together with a cipher that it forbids.
    """
    start = time.monotonic()
    sock = create_connection((host, port), timeout, source_address)
    try:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            if error.errno != errno.ENOPROTOOPT:
                raise
    except BaseException:
        sock.close()
        raise
    if context is None:
        return sock, None
    return secure(
        sock,
        host,
        port,
        context=context,
        timeout=timeout,
        by=by,
        start=start,
        alpn=alpn,
        session=session,
        trust=trust,
    )


def secure(
    sock: socket.socket,
    host: str,
    port: int,
    *,
    context: Any,
    timeout: float | None,
    start: float,
    by: float | None = None,
    alpn: Sequence[str] = BOTH,
    session: Session | None = None,
    trust: tuple[Any, ...] | None = None,
    proxy: tuple[str, int] | None = None,
) -> tuple[ssl.SSLSocket, str | None]:
    """Do the TLS handshake on a connected socket; returns the TLS socket and the protocol that ALPN chose.

    Once that is HTTP/2, the socket has neither certificate nor authorities: the server's later request for a
    certificate gets none (RFC 9113 section 9.2.3), and a renegotiation fails (9.2.1).

    Args:
        sock: becomes the TLS socket's; it is closed if this fails.
        host, port: of the origin; the certificate must hold the name.
        context: the caller's; it is not changed. One that is no ssl.SSLContext may return what it likes.
        timeout: seconds, since `start` if these are not over.
        start: the monotonic time at which connecting began.
        by: as for `connect`.
        alpn: what to offer, best first, unless the context offers something itself: then that is offered,
            but nothing that `alpn` excludes; see `narrowed`.
        session: offered only on the terms on which it was made: the same host, port, proxy and context, and
            nothing changed on the context that decides trust.
        trust: what `trust_of` the context returned: so the handshake is made, though it is changed meanwhile.
            None: as it is now.
        proxy: host and port of the proxy whose tunnel leads to the origin.

    Raises:
        As `connect`.  ConnectionLost: a context that makes its TLS sockets itself is not as `trust` says.
        NotHTTP2: `alpn` is HTTP/2 alone, and the server did not choose it.
    """
    deadline = by
    if timeout is not None:
        now = time.monotonic()
        # Where one address used up the time, the next one had a clock of its own.
        end = timeout + (start if now - start < timeout else now)
        deadline = end if by is None else min(end, by)
    peer = f"{host}:{port}"
    # RFC 6066 section 3: without the dot that makes a name absolute. No certificate has it either.
    # With its zone an IPv6 address would be a name to the ssl module.
    name = (host.partition("%")[0] if ":" in host else host).removesuffix(".")
    wrapped: Any = sock
    try:
        terms = Terms(host, port, proxy, context, trust_of(context) if trust is None else trust)
        private = _private_for(terms, name, alpn)
        if private is None:
            _insist(context, trust)
            wrapped = _wrapped_by_itself(sock, own_of(context), name, peer, deadline)
            _insist(context, trust)
        else:
            wrapped = private.wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)
            _hand_over(wrapped, terms, session)
            _shake_hands(wrapped, peer, deadline)
        wrapped.settimeout(timeout)
        protocol = wrapped.selected_alpn_protocol() if isinstance(wrapped, ssl.SSLSocket) else None
        check_choice(protocol, alpn, peer)
        if protocol == H2:
            _check_cipher(wrapped)
            _callers[wrapped] = wrapped.context if private is None else context
            wrapped.context = _blank(_stock()[0])
    except BaseException as error:
        wrapped.close()
        sock.close()
        if is_refused(error, alpn):
            raise not_http2(peer) from error
        raise
    return wrapped, protocol


def session_of(sock: object) -> Session | None:
    """Return the TLS session of a socket that is still open, for the next one to resume.

    No other thread may use the socket meanwhile: a ticket that comes changes the session while it is copied.
    """
    terms = _terms.get(sock) if isinstance(sock, ssl.SSLSocket) else None
    if terms is None:
        return None
    assert isinstance(sock, ssl.SSLSocket)
    session = sock.session
    if session is None:
        return None
    beneath: Any = sock._sslobj  # type: ignore[attr-defined]  # knows the context where the socket hides it
    return Session(session, beneath.context, terms)


def context_of(sock: Any) -> Any:
    """Return the context that a socket's handshake was made with; on HTTP/2 its own is another since.

    Instead of one that connections share, it is another like that, at each call.
    """
    handshake = _callers.get(sock)
    return sock.context if handshake is None else own_of(handshake)


# -- the private context ------------------------------------------------------------------------------------


class _Settings(NamedTuple):
    """What a private context is made of.

    Attributes:
        kind: the ssl module's SSLContext, or gevent's in its place.
        least, most: versions of TLS.
        curve: the one for the key exchange; None: the usual ones.
        alpn: what to offer.
        sslsocket_class: the caller's own; None: the usual one.
    """

    kind: type[ssl.SSLContext]
    verify_mode: int
    check_hostname: bool
    verify_flags: int
    host_flags: int
    options: int
    least: int
    most: int
    post_handshake_auth: bool
    curve: str | None
    alpn: tuple[str, ...]
    sslsocket_class: Any


def _private_for(terms: Terms, name: str, alpn: Sequence[str]) -> ssl.SSLContext | None:
    """Return the private context for a caller's, as this is now; None if it cannot be followed."""
    context, trust = terms.context, terms.trust
    if not is_stock(context):
        return None
    versions = _versions(context.protocol, *trust[4:7])
    hello = client_hello(context, name) if versions else None
    if versions is None or hello is None or hello.has_psk:
        return None
    curve = None
    if len(hello.groups) == 1:
        curve = _CURVES.get(hello.groups[0])
        if curve is None:
            return None
    sslsocket_class = sslsocket_class_of(context)
    usual = [vars(kind).get("sslsocket_class") for kind in _stock()]
    # A class of the caller's is told the private context, and may change it: that one is for no other dial.
    make = _private if context.sslsocket_class in usual else _private.__wrapped__
    verify_mode, check_hostname, verify_flags, host_flags, options = trust[:5]
    return make(
        _Settings(
            _stock()[0],
            verify_mode,
            check_hostname,
            verify_flags,
            host_flags,
            options,
            *versions,
            bool(context.post_handshake_auth),
            curve,
            narrowed(hello.protocols, alpn),
            None if sslsocket_class in usual else sslsocket_class,
        )
    )


def _stock() -> tuple[type, ...]:
    """Return the classes that ssl.SSLContext is made of, but what programs such as truststore put there."""
    present: Any = ssl.SSLContext
    is_one = issubclass(type(present), type) and issubclass(present, NATIVE)  # a mock is none
    return tuple([kind for kind in (present if is_one else _imported).__mro__ if kind.__module__ in _STOCK])


def is_stock(context: Any) -> bool:
    """Tell whether a context makes its TLS objects as the ssl module does, or gevent in its place."""
    stock = _stock()
    if not issubclass(type(context), stock[-3]):  # the ssl module's own; a mock says that it is
        return False
    if any(_is_patched(kind, name) for kind in stock[:-2] for name in _MAKERS):
        return False
    owners = [vars(kind) for kind in type(context).__mro__ if kind not in stock]
    return not any(name in owner for owner in (*owners, vars(context)) for name in _MAKERS)


def _is_patched(kind: type, name: str) -> bool:
    """Tell whether the program has put another function in the place of a method of a class.

    Such a function may change the context, which all contexts with the same settings would feel: so it gets
    the caller's, as with http.client.
    """
    function = vars(kind).get(name)
    if function is None:
        return False
    # A wrapper may show the attributes of what it wraps (wrapt's do), but not its type.
    return type(function) is not types.FunctionType or function.__globals__.get("__name__") != kind.__module__


def _versions(protocol: int, options: int, least: int, most: int) -> tuple[int, int] | None:
    """Return the least and the highest version of TLS that a context speaks; None if these do not tell it."""
    if protocol == ssl.PROTOCOL_TLSv1_2:
        least = most = ssl.TLSVersion.TLSv1_2  # which cannot be seen on such a context
    elif protocol not in (ssl.PROTOCOL_TLS, ssl.PROTOCOL_TLS_CLIENT):
        return None
    spoken = [
        version
        for version, off in _VERSIONS.items()
        if not options & off and version >= least and (most < 0 or version <= most)
    ]
    if not spoken or list(range(spoken[0], spoken[-1] + 1)) != spoken or spoken[-1] < ssl.TLSVersion.TLSv1_2:
        return None
    if spoken[0] == ssl.TLSVersion.TLSv1_1:
        return None  # setting it is deprecated
    everything = spoken[0] == ssl.TLSVersion.TLSv1
    return ssl.TLSVersion.MINIMUM_SUPPORTED if everything else spoken[0], spoken[-1]


@functools.lru_cache(maxsize=32)  # making one takes a tenth of a handshake's time
def _private(settings: _Settings) -> ssl.SSLContext:
    """Return a context without authorities: until `sock.context` is the caller's, no certificate holds."""
    made: Any = settings.kind(ssl.PROTOCOL_TLS_CLIENT)
    options = settings.options & ~_NO_VERSIONS & ~_IGNORE_UNEXPECTED_EOF | made.options & _NO_VERSIONS
    copied = {
        "options": options,
        "minimum_version": settings.least,
        "maximum_version": settings.most,
        "verify_flags": settings.verify_flags,
        "check_hostname": settings.check_hostname,
        "_host_flags": settings.host_flags,
    }
    if settings.verify_mode or not settings.check_hostname:  # else they were read while they changed
        copied["verify_mode"] = settings.verify_mode
    if settings.post_handshake_auth:
        copied["post_handshake_auth"] = True
    for name, value in copied.items():  # ssl's setters call themselves once its class is replaced
        vars(NATIVE)[name].__set__(made, value)
    # RFC 9525 section 2: a host's name is a subjectAltName or none. Python's default is to fall back.
    made.hostname_checks_common_name = False
    if settings.curve is not None:
        # Where this Python cannot set it, OpenSSL's own settings have, on this context too.
        with contextlib.suppress(ssl.SSLError):
            made.set_ecdh_curve(settings.curve)
    if settings.sslsocket_class is not None:
        made.sslsocket_class = settings.sslsocket_class
    made.set_alpn_protocols(settings.alpn)
    private: ssl.SSLContext = made
    return private


@functools.lru_cache(maxsize=1)
def _blank(kind: type[ssl.SSLContext]) -> ssl.SSLContext:
    """Return the context of HTTP/2 sockets after the handshake: no certificate, no authorities, no ciphers.

    Without ciphers a renegotiation fails even where certificates are not verified.
    """
    made = kind(ssl.PROTOCOL_TLS_CLIENT)
    made.set_ciphers("AES256-GCM-SHA384:@SECLEVEL=5")  # a level at which this one is not used
    return made


def _hand_over(wrapped: ssl.SSLSocket, terms: Terms, session: Session | None) -> None:
    """Have a TLS object that a private context has made use the caller's; and a session, on its own terms."""
    if wrapped.session_reused is None:  # the peer has closed the connection: there is no TLS object
        raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
    if session is not None and session.terms == terms:
        wrapped.context = session.bound
        wrapped.session = session.session
    wrapped.context = terms.context
    _terms[wrapped] = terms


def _insist(context: Any, trust: tuple[Any, ...] | None) -> None:
    if trust is not None and trust_of(context) != trust:
        # truststore's changes for a moment whenever it makes a socket, so another try is worth while.
        message = f"{context!r} verifies otherwise than when the connection was asked for"
        raise ConnectionLost(message, retry_safe=True)


def _wrapped_by_itself(
    sock: socket.socket, context: Any, name: str, peer: str, deadline: float | None
) -> Any:
    """Return the TLS socket that a context makes itself, its handshake done."""
    left = remaining(deadline)
    if left == 0:
        raise TimeoutError(f"the TLS handshake with {peer} timed out")
    sock.settimeout(left)
    try:
        return context.wrap_socket(sock, server_hostname=name)
    except TimeoutError as error:
        raise TimeoutError(f"the TLS handshake with {peer} timed out") from error


# -- the handshake ------------------------------------------------------------------------------------------


def _shake_hands(sock: ssl.SSLSocket, peer: str, deadline: float | None) -> None:
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
                error.strerror = f"{error.strerror}: {peer} does not speak TLS (pass secure=False?)"
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
