"""Which authorities a connection trusts: TLS contexts, made and shared.

Rules:

- Trust is never widened: only what the environment, a replaced hook, the system or the caller names is
  trusted.  certifi's authorities are used only on systems that have none.
- An object that a replaced hook returns may have other users.  It is used as it is, and never changed.
- No caller gets a context that connections share: a change by one caller would hold for all.
"""

import functools
import os
import re
import ssl
import types
import weakref
from collections.abc import Callable
from typing import Any

_Path = str | os.PathLike[str]
Verify = bool | _Path
# A client certificate: its file, with the key in it or in a file of its own, and the password of the key.
Cert = _Path | tuple[_Path, _Path | None] | tuple[_Path, _Path | None, str | bytes | None] | None

# The class in C: every context is one, even while a program has replaced the name in the ssl module.
NATIVE: Any = ssl.SSLContext.__mro__[-2]

_default_contexts: dict[tuple[Any, ...], ssl.SSLContext] = {}

# How OpenSSL finds an authority in a directory: by a hash of its name. (Revocation lists have ".r0".)
_HASHED = r"[0-9a-f]{8}\.[0-9]+"
# The PEM blocks that OpenSSL takes for certificates.
_CERTIFICATE = rb"(?m)^-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----"


def is_context(thing: object) -> bool:
    """Tell whether this is a TLS context; a mock that claims to be one is not."""
    return issubclass(type(thing), NATIVE)


def create_context(
    cafile: str | os.PathLike[str] | None = None,
    capath: str | os.PathLike[str] | None = None,
    cadata: str | bytes | None = None,
    *,
    cert: Cert = None,
) -> ssl.SSLContext:
    """Return a new client context with hyperlite's defaults: verification on, TLS 1.2 or later.

    Args:
        cert: the client certificate for servers that ask for one, as PEM: its file, with the private key in
            it; or (file, key file); or (file, key file, password).  Without a key file the key is
            in the first file. Without a password an encrypted key is an error: hyperlite does not prompt for
            one.
        cafile, capath, cadata: what to trust, and nothing else, as for `ssl.create_default_context`.
            With none of them: what SSL_CERT_FILE and SSL_CERT_DIR name, or else the system's
            authorities.  If neither variable is set and the system has none: certifi's, unless the
            program has replaced `ssl._create_default_https_context`.

    Raises:
        OSError: a file cannot be read; ssl.SSLError: it holds no authority, or no certificate and its key,
            or the password is wrong or missing.
        ValueError: an argument is empty.
    """
    given = {"cafile": cafile, "capath": capath, "cadata": cadata}
    for name, value in given.items():
        if value is not None and not value:  # which Python takes for "the system's authorities"
            raise ValueError(f"{name} is empty: it names no authority")
    context = ssl.create_default_context(cafile=cafile, capath=capath, cadata=cadata)
    default = all(value is None for value in given.values())
    if default and hook_is_pythons() and _is_pythons(ssl.create_default_context):
        _provide_authorities(context)
    _harden(context)
    if cert is not None:
        _load_cert(context, cert)
    return context


def _load_cert(context: ssl.SSLContext, cert: Cert) -> None:
    """Give a context the certificate to show to servers that ask for one; see `create_context`."""
    parts: tuple[Any, ...] = (cert,) if isinstance(cert, str | os.PathLike) else tuple(cert or ())
    if not 1 <= len(parts) <= 3 or not parts[0]:
        raise ValueError("cert is a file, or (file, key file), or (file, key file, password)")
    file, key, password = (*parts, None, None)[:3]
    what = f"the client certificate {os.fspath(file)!r}"
    for path in (file, key):
        if path is not None:
            with open(path, "rb"):  # open() names the file in its error; OpenSSL does not
                what += f" with the key {os.fspath(path)!r}" if path is key else ""

    missing = ssl.SSLError(
        ssl.SSL_ERROR_SSL, f"{what} cannot be used: the key is encrypted, and no password was given"
    )

    def no_password() -> str:  # without such a function, OpenSSL prompts at the terminal
        raise missing

    try:
        context.load_cert_chain(file, key, no_password if password is None else password)
    except ssl.SSLError as error:
        if error is not missing:
            is_other = password is not None and error.reason != "KEY_VALUES_MISMATCH"
            doubt = " (is the password another?)" if is_other else ""
            error.strerror = f"{what} cannot be used{doubt}: {error.strerror}"
        raise


def unshared_context() -> ssl.SSLContext:
    """Return a context for one connection that was given none; its caller may change it.

    It comes from `ssl._create_default_https_context`, as in http.client. If a program has replaced that hook,
    it gets the hook's object unchanged.
    """
    return _made_by(ssl._create_default_https_context)


def _made_by(hook: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    context = hook()
    if _is_pythons(hook):  # nothing else refers to the context
        if context.verify_mode != ssl.CERT_NONE:
            _provide_authorities(context)
        _harden(context)
    return context


def default_context() -> ssl.SSLContext:
    """Return the shared context of connections that were given none: loading one takes 10 ms.

    It is made as `unshared_context()` makes one, and made again when the hook or the environment has changed.
    """
    hook = ssl._create_default_https_context
    environment = _environment()
    key = (hook, ssl.SSLContext, *environment)  # a mock may have replaced the name for a while
    context = _default_contexts.get(key)
    if context is not None:
        return context
    made = share(_made_by(hook), unshared_context)
    if _environment() != environment:  # a thread has changed it: whether `made` follows that is unknown
        return made
    context = _default_contexts.setdefault(key, made)
    for stale in _default_contexts.keys() - {key}:  # the environment changes in tests, not in production
        _default_contexts.pop(stale, None)
    return context


def _environment() -> tuple[str | None, ...]:
    return tuple(map(os.environ.get, _VARIABLES))


@functools.cache
def blank_context() -> ssl.SSLContext:
    """Return a context that trusts nothing, for calls that need a context and do not use it."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def make_context(verify: Verify, cert: Cert) -> ssl.SSLContext:
    """Return a new TLS context for `verify` and `cert`, which mean what they mean in requests.

    Args:
        verify, cert: as for `ConnectionPool`.

    Raises:
        OSError: a file cannot be read, or holds no certificate (ssl.SSLError).
        ValueError: `verify` is empty; or `cert` would be loaded into a context that has other users.
    """
    if verify is False:
        context = ssl._create_unverified_context()  # noqa: S323  it is asked for
        _harden(context)
    elif verify is True:
        context = unshared_context()
        if cert is not None and context is default_context():
            raise ValueError(
                "a client certificate needs a context of its own, and ssl._create_default_https_context,"
                " which the program has replaced, returns the same one each time: pass context="
            )
    else:
        context = create_context(capath=verify) if os.path.isdir(verify) else create_context(cafile=verify)
    if cert is not None:
        _load_cert(context, cert)
    return context


# -- shared contexts ------------------------------------------------------------------------------

# The contexts that connections share, each with a function that makes another one like it.
_shared: "weakref.WeakKeyDictionary[ssl.SSLContext, Callable[[], ssl.SSLContext]]" = (
    weakref.WeakKeyDictionary()
)


def share(context: ssl.SSLContext, make: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """Record that connections share a context; return it.

    Args:
        make: returns another context like this one, for a caller that asks for it.
    """
    if is_context(context):  # a hook may return what it likes
        _shared[context] = make
    return context


def own_of(context: Any) -> Any:
    """Return a connection's context for its caller: this one, or a new one like it if it is shared."""
    make = _shared.get(context) if is_context(context) else None
    return context if make is None else make()


def sslsocket_class_of(context: ssl.SSLContext) -> Any:
    """Return the class of a context's sockets: one that hides the context if it is shared."""
    usual: Any = context.sslsocket_class
    return _hiding(usual) if context in _shared else usual


@functools.cache
def _hiding(usual: Any) -> Any:
    """Return a subclass of ssl.SSLSocket, or of gevent's, that has a context of its own once asked for it."""

    class Hiding(usual):  # type: ignore[misc]
        @property
        def _context(self) -> Any:  # of which `context` is made
            own = self.__dict__.get("_own")
            # All threads that ask at the same moment get the first one's.
            return self.__dict__.setdefault("_own", own_of(self._hidden)) if own is None else own

        @_context.setter
        def _context(self, context: Any) -> None:
            self._hidden = context
            self.__dict__.pop("_own", None)

    for name in ("__name__", "__qualname__", "__module__"):
        setattr(Hiding, name, getattr(usual, name))
    return Hiding


# Contexts of one pool or adapter that are kept: with authorities, one takes a megabyte.
MAX_CONTEXTS = 32


class MadeContexts:
    """The contexts that a pool makes: one for each `verify` and `cert`, so that connections can be shared."""

    def __init__(self) -> None:
        self._made: dict[tuple[Verify, Cert], ssl.SSLContext] = {}  # the oldest first

    def get(self, verify: Verify, cert: Cert) -> ssl.SSLContext:
        """Return the context; it is made again if many others were asked for since.

        Raises:
            As `make_context()`.
        """
        if verify is True and cert is None:
            return default_context()
        context = self._made.get((verify, cert))
        if context is None:
            make = functools.partial(make_context, verify, cert)
            context = self._made.setdefault((verify, cert), share(make(), make))
            for oldest in list(self._made)[:-MAX_CONTEXTS]:
                self._made.pop(oldest, None)
        return context


# -- certifi --------------------------------------------------------------------------------------


def hook_is_pythons() -> bool:
    """Tell whether `ssl._create_default_https_context` is Python's own, or its unverifying one."""
    return _is_pythons(ssl._create_default_https_context)


def _is_pythons(function: Callable[..., Any]) -> bool:
    """Tell whether a function is ssl.py's own, under any name: it returns a new context at each call."""
    # A wrapper may show the attributes of what it wraps (wrapt's do), but not its type.
    return type(function) is types.FunctionType and function.__globals__ is vars(ssl)


_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def _provide_authorities(context: ssl.SSLContext) -> None:
    """Have a context trust certifi's authorities if nothing names any."""
    if not is_context(context):
        return
    if any(variable in os.environ for variable in _VARIABLES):  # an empty value means "no authorities"
        return
    if not _is_pythons(type(context).load_default_certs):  # truststore's: the operating system decides
        return
    if context.cert_store_stats()["x509"] or _system_has_authorities():
        return
    import certifi  # noqa: PLC0415  it imports importlib.resources, which takes longer than all of hyperlite

    context.load_verify_locations(certifi.where())


def _system_has_authorities() -> bool:
    """Tell whether the file or the directory that OpenSSL was compiled with holds an authority.

    A context does not show this: it loads authorities of a directory only when it checks a certificate.
    """
    paths = ssl.get_default_verify_paths()
    return _holds_certificate(paths.openssl_cafile) or _has_hashed(paths.openssl_capath)


# The errors that mean that there is none. After any other error there may be one: OpenSSL finds a file in a
# directory that this process may not list.
_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


def _has_hashed(directory: str) -> bool:
    try:
        with os.scandir(directory) as entries:
            return any(
                re.fullmatch(_HASHED, entry.name) and _holds_certificate(entry.path) for entry in entries
            )
    except OSError as error:
        return not isinstance(error, _ABSENT)


def _holds_certificate(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return re.search(_CERTIFICATE, file.read()) is not None
    except OSError as error:
        return not isinstance(error, _ABSENT)


def _harden(context: ssl.SSLContext) -> None:
    if not is_context(context):
        return
    # A system whose policy is stricter keeps it; MINIMUM_SUPPORTED sorts below every version.
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    if context.post_handshake_auth is not None:
        context.post_handshake_auth = True  # as http.client: HTTP/1.1 servers may ask late
