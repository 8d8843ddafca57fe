"""Private TLS contexts, and the settings of a caller's context that decide which certificates it accepts.

A caller's context is never changed: other threads make TLS objects from it.  A *private* context offers
hyperlite's ALPN, verifies as the caller's does, and trusts nothing; `tls` makes the TLS object from it.

A ClientHello that the caller's context makes shows the settings that the ssl module cannot read
(`client_hello`). If a context has settings that cannot be copied, it makes its TLS objects itself, as for
http.client (docs/explanation/differences.md).
"""

import contextlib
import functools
import itertools
import operator
import ssl
import types
from collections.abc import Sequence
from typing import Any, NamedTuple

from .client_hello import client_hello
from .protocols import narrowed
from .trust import NATIVE, is_context, sslsocket_class_of

# The settings that decide which certificates are accepted and how a connection is protected, as OpenSSL's
# numbers.
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
_imported = ssl.SSLContext  # used while a mock has its name

# Modules with classes of contexts that make their TLS sockets as OpenSSL does.
_STOCK = frozenset({"ssl", "_ssl", "builtins", "gevent.ssl"})
_REVOCATION = int(ssl.VERIFY_CRL_CHECK_CHAIN)  # and the bit of VERIFY_CRL_CHECK_LEAF

# If a class replaces one of these methods, its contexts make TLS objects in a way of their own.
_MAKERS = ("wrap_socket", "wrap_bio", "_wrap_socket", "_wrap_bio", "_encode_hostname")
# With this option, set by early releases of Python 3.11, a connection that was cut off counts as ended.
_IGNORE_UNEXPECTED_EOF = getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
_VERSIONS = {
    ssl.TLSVersion.TLSv1: int(ssl.OP_NO_TLSv1),
    ssl.TLSVersion.TLSv1_1: int(ssl.OP_NO_TLSv1_1),
    ssl.TLSVersion.TLSv1_2: int(ssl.OP_NO_TLSv1_2),
    ssl.TLSVersion.TLSv1_3: int(ssl.OP_NO_TLSv1_3),
}
# Setting these options is deprecated; the oldest and newest version express them.
_NO_VERSIONS = ssl.OP_NO_SSLv3 | ssl.OP_NO_TLSv1 | ssl.OP_NO_TLSv1_1 | ssl.OP_NO_TLSv1_2 | ssl.OP_NO_TLSv1_3
# The curves of `set_ecdh_curve`, by their numbers (RFC 8446 section 4.2.7).
_CURVES = {23: "prime256v1", 24: "secp384r1", 25: "secp521r1", 29: "X25519", 30: "X448"}


def trust_of(context: Any, *, verified: bool = False) -> tuple[Any, ...]:
    """Return the settings that decide which certificates a context accepts, and that may change in use.

    If two results for the same context are equal, it still accepts all that it accepted before.  (Authorities
    can be added to a context, but not removed; a loaded client certificate cannot be seen.)

    Args:
        context: the caller's.
        verified: verify certificates, and the host's name in them, even if the context does not.  (This has
            no effect on a context that makes its TLS sockets itself.)
    """
    trust: tuple[Any, ...] = ()
    if is_context(context):
        trust = tuple(map(operator.call, _read_trust, itertools.repeat(context)))  # called for each request
        if trust[2] & _REVOCATION:
            trust += (context.cert_store_stats()["crl"],)
    if type(context).__module__ not in _STOCK:
        trust += tuple([getattr(context, name, None) for name in TRUST])
    return (ssl.CERT_REQUIRED, True, *trust[2:]) if verified and is_stock(context) else trust


class _Settings(NamedTuple):
    """What a private context is made of.

    Attributes:
        kind: the ssl module's SSLContext, or gevent's in its place.
        least, most: versions of TLS.
        curve: the only one for the key exchange; None: the usual ones.
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


def private_for(
    context: Any, trust: tuple[Any, ...], name: str, alpn: Sequence[str]
) -> ssl.SSLContext | None:
    """Return the private context for a caller's; None if its settings cannot be copied.

    Args:
        context: the caller's.
        trust: the result of `trust_of(context)`.
        name: the host's, for the ClientHello.
        alpn: what to offer, best first, unless the context offers something itself; see `narrowed`.
    """
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
    # A caller's class gets the private context, and may change it: then no other dial uses that context.
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
    """Return the classes of ssl.SSLContext, without those that programs such as truststore put there."""
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
    """Tell whether the program has replaced a method of a class.

    Such a function may change the context. A private context is shared by all with the same settings, so the
    function gets the caller's context, as with http.client.
    """
    function = vars(kind).get(name)
    if function is None:
        return False
    # A wrapper may show the attributes of what it wraps (wrapt's do), but not its type.
    return type(function) is not types.FunctionType or function.__globals__.get("__name__") != kind.__module__


def _versions(protocol: int, options: int, least: int, most: int) -> tuple[int, int] | None:
    """Return the oldest and newest version of TLS of a context; None if two versions cannot express it."""
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
    if settings.verify_mode or not settings.check_hostname:  # otherwise another thread was changing them
        copied["verify_mode"] = settings.verify_mode
    if settings.post_handshake_auth:
        copied["post_handshake_auth"] = True
    for name, value in copied.items():  # ssl's setters call themselves once its class is replaced
        vars(NATIVE)[name].__set__(made, value)
    # RFC 9525 section 2: a host's name is a subjectAltName or none. Python's default is to fall back.
    made.hostname_checks_common_name = False
    if settings.curve is not None:
        # A curve that this Python cannot set comes from OpenSSL's own settings, which this context has too.
        with contextlib.suppress(ssl.SSLError):
            made.set_ecdh_curve(settings.curve)
    if settings.sslsocket_class is not None:
        made.sslsocket_class = settings.sslsocket_class
    made.set_alpn_protocols(settings.alpn)
    private: ssl.SSLContext = made
    return private


def blank() -> ssl.SSLContext:
    """Return the context of HTTP/2 sockets after the handshake: no certificate, no authorities, no ciphers.

    Without ciphers a renegotiation fails even if certificates are not verified.
    """
    return _blank_of(_stock()[0])


@functools.lru_cache(maxsize=1)
def _blank_of(kind: type[ssl.SSLContext]) -> ssl.SSLContext:
    made = kind(ssl.PROTOCOL_TLS_CLIENT)
    made.set_ciphers("AES256-GCM-SHA384:@SECLEVEL=5")  # a level at which this one is not used
    return made
