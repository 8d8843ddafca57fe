"""TCP, TLS and ALPN: from a host and a port to a connected socket and the protocol it speaks.

Rule: a context that a caller hands in is left as it was.  ALPN can be set only on a whole context
and cannot be read back; so it is set under a lock just around the making of the one socket, and
cleared before the handshake: the socket keeps its offer, the next user of the context offers
nothing.  (ALPN that the caller himself had set is lost; http.client would set its own as well.)  So
it is with the certificate's common name, which is not looked at.
"""

import contextlib
import errno
import math
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from .errors import ErrorCode, InadequateSecurity

H2 = "h2"
HTTP11 = "http/1.1"

# In milliseconds: poll takes a C int.
LONGEST_POLL = 2**31 - 1

_alpn_lock = threading.Lock()
_default_contexts: dict[tuple[Any, ...], ssl.SSLContext] = {}

CreateConnection = Callable[..., socket.socket]


def checked_seconds(seconds: float | None, name: str) -> float | None:
    """Return how long a caller will wait; None for no limit, which infinity means too.

    Args:
        seconds: what the caller has given.
        name: the argument's, for the error.

    Raises:
        ValueError: it is negative, or not a number. TypeError: it is something else.
    """
    if seconds is None:
        return None
    if math.isnan(seconds) or seconds < 0:
        raise ValueError(f"{name} is a number of seconds, or None for no limit, not {seconds!r}")
    return None if seconds > threading.TIMEOUT_MAX else seconds  # some 292 years: nothing can wait longer


def resolve_timeout(timeout: object) -> float | None:
    """Return seconds, or None for no limit: http.client's default stands for the socket module's.

    Raises:
        ValueError: it is negative, or not a number.
    """
    if timeout is None:
        return None
    if isinstance(timeout, (int, float)):
        return checked_seconds(float(timeout), "timeout")
    return socket.getdefaulttimeout()


def deadline_after(timeout: float | None) -> float | None:
    """Return the monotonic time `timeout` seconds from now, or None for never."""
    return None if timeout is None else time.monotonic() + timeout


def remaining(deadline: float | None) -> float | None:
    """Return the seconds left until `deadline`, not below 0, or None for no limit."""
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def wait_for(sock: socket.socket, *, read: bool, write: bool, timeout: float | None) -> bool:
    """Wait until a socket can be read or written, at most `timeout` seconds; tell whether it can.

    `poll` and `select` are looked up at each call, so that gevent's are used where it put them.
    """
    if hasattr(select, "poll"):
        poller = select.poll()
        poller.register(sock, (select.POLLIN if read else 0) | (select.POLLOUT if write else 0))
        return bool(poller.poll(_milliseconds(timeout)))
    ready = select.select([sock] if read else [], [sock] if write else [], [], timeout)
    return any(ready)


def _milliseconds(timeout: float | None) -> int | None:
    """Return what `poll` takes; rounded up, because who wakes too early only has to sleep again."""
    return None if timeout is None else min(math.ceil(timeout * 1000), LONGEST_POLL)


class Watch:
    """What `wait_for` does, for one who waits to read from the same socket over and over; one at a time.

    Args:
        sock: which must be open while somebody waits.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._poller: Any = None
        self._made_by: object = None

    def wait(self, timeout: float | None) -> bool:
        """Wait until there is something to read, at most `timeout` seconds; tell whether there is."""
        make = getattr(select, "poll", None)
        if make is None:
            return wait_for(self._sock, read=True, write=False, timeout=timeout)
        if make is not self._made_by:
            self._poller, self._made_by = make(), make
            self._poller.register(self._sock, select.POLLIN)
        return bool(self._poller.poll(_milliseconds(timeout)))


def is_stale(sock: socket.socket) -> bool:
    """Tell whether an idle HTTP/1.1 connection is of no more use.

    Nobody asked for anything, so whatever has come is its end, or nonsense; a TLS session ticket,
    which the ssl module deals with by itself, is neither.
    """
    try:
        if not wait_for(sock, read=True, write=False, timeout=0) and not (
            isinstance(sock, ssl.SSLSocket) and sock.pending()
        ):
            return False
    except (OSError, ValueError):  # it was closed on this side
        return True
    timeout = sock.gettimeout()
    sock.settimeout(0)
    try:
        sock.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    finally:
        sock.settimeout(timeout)
    return True


def break_off(sock: socket.socket) -> None:
    """End a connection that another thread may be using: its call returns, its descriptor stays its own."""
    base: Any = super(ssl.SSLSocket, sock) if isinstance(sock, ssl.SSLSocket) else sock
    with contextlib.suppress(OSError):
        base.shutdown(socket.SHUT_RDWR)  # SSLSocket's own would take the TLS state from that thread


def create_context(
    cafile: str | os.PathLike[str] | None = None,
    capath: str | os.PathLike[str] | None = None,
    cadata: str | bytes | None = None,
) -> ssl.SSLContext:
    """Return a new client context with hyperlite's defaults: verification on, TLS 1.2 or later.

    Args:
        cafile, capath, cadata: what to trust, as for `ssl.create_default_context`. With none of them:
            the system's authorities (SSL_CERT_FILE and SSL_CERT_DIR are honoured) and certifi's.
    """
    if cafile or capath or cadata:
        context = ssl.create_default_context(cafile=cafile, capath=capath, cadata=cadata)
    else:
        context = ssl.create_default_context()
        _trust_certifi(context)
    _harden(context)
    return context


def default_context() -> ssl.SSLContext:
    """Return the context for connections that were given none. It is shared: loading one costs 10 ms.

    It comes from `ssl._create_default_https_context`, http.client's own source, so a program that
    has replaced that hook gets what it asked for.
    """
    factory = ssl._create_default_https_context
    key = (factory, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    context = _default_contexts.get(key)
    if context is None:
        context = factory()
        if context.verify_mode != ssl.CERT_NONE:
            _trust_certifi(context)
        _harden(context)
        _default_contexts.clear()  # the environment changes in tests, not in production
        _default_contexts[key] = context
    return context


def _trust_certifi(context: ssl.SSLContext) -> None:
    import certifi  # noqa: PLC0415  importlib.resources comes with it, which takes longer than all of ours

    context.load_verify_locations(certifi.where())


def _harden(context: ssl.SSLContext) -> None:
    # A system whose policy is stricter keeps it; MINIMUM_SUPPORTED sorts below every version.
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    if context.post_handshake_auth is not None:
        context.post_handshake_auth = True  # as http.client: HTTP/1.1 servers may ask late


def connect(
    host: str,
    port: int,
    *,
    context: ssl.SSLContext | None,
    timeout: float | None = None,
    source_address: tuple[str, int] | None = None,
    alpn: Sequence[str] = (H2, HTTP11),
    session: ssl.SSLSession | None = None,
    create_connection: CreateConnection = socket.create_connection,
) -> tuple[socket.socket, str | None]:
    """Connect to an origin; returns the socket and the protocol that ALPN chose, None without TLS.

    Args:
        context: None for cleartext.
        timeout: seconds for each address of the host, the TLS handshake included.
        source_address: (host, port) to bind to.
        alpn: what to offer, best first.
        session: of an earlier connection to the same origin, which saves the certificates.
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
    return secure(sock, host, port, context=context, timeout=timeout, start=start, alpn=alpn, session=session)


def secure(
    sock: socket.socket,
    host: str,
    port: int,
    *,
    context: ssl.SSLContext,
    timeout: float | None,
    start: float,
    alpn: Sequence[str] = (H2, HTTP11),
    session: ssl.SSLSession | None = None,
) -> tuple[ssl.SSLSocket, str | None]:
    """Do the TLS handshake on a connected socket; returns the TLS socket and the protocol that ALPN chose.

    Args:
        sock: becomes the TLS socket's; it is closed if this fails.
        host, port: of the origin; the certificate must hold the name.
        context: the caller's, left as it was.
        timeout: seconds, since `start` if these are not over.
        start: the monotonic time at which connecting began.
        alpn: what to offer, best first.
        session: as for `connect`.

    Raises:
        As `connect`.
    """
    deadline = None
    if timeout is not None:
        now = time.monotonic()
        # Where one address used up the time, the next one had a clock of its own.
        deadline = timeout + (start if now - start < timeout else now)
    try:
        wrapped = _wrap(sock, context, host, alpn, session)
    except BaseException:
        sock.close()
        raise
    try:
        _shake_hands(wrapped, f"{host}:{port}", deadline)
        wrapped.settimeout(timeout)
        protocol = wrapped.selected_alpn_protocol()
        if protocol == H2:
            _check_cipher(wrapped)
    except BaseException:
        wrapped.close()
        raise
    return wrapped, protocol


def _renew_lock() -> None:
    """Forget, in a child, that another thread of its parent held the lock."""
    global _alpn_lock  # noqa: PLW0603  as global as the contexts are
    _alpn_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def session_of(sock: object) -> ssl.SSLSession | None:
    """Return the TLS session of a socket that is still open, for the next one to resume.

    Nobody else may use the socket meanwhile: a ticket that comes changes the session while it is copied.
    """
    return sock.session if isinstance(sock, ssl.SSLSocket) else None


def _wrap(
    sock: socket.socket,
    context: ssl.SSLContext,
    host: str,
    alpn: Sequence[str],
    session: ssl.SSLSession | None,
) -> ssl.SSLSocket:
    with _alpn_lock:
        common_name = context.hostname_checks_common_name
        # RFC 9525 section 2: a host's name is a subjectAltName or none. Python's default is to fall back.
        context.hostname_checks_common_name = False
        context.set_alpn_protocols(list(alpn))
        # RFC 6066 section 3: without the dot that makes a name absolute. No certificate has it either.
        name = host.removesuffix(".")
        try:
            return context.wrap_socket(
                sock, server_hostname=name, do_handshake_on_connect=False, session=session
            )
        finally:
            context.set_alpn_protocols([])
            context.hostname_checks_common_name = common_name


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
