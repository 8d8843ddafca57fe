"""TCP, TLS and ALPN: from a host and a port to a connected socket and the protocol it speaks.

Rule: a context that a caller hands in is left as it was.  ALPN can be set only on a whole context
and cannot be read back; so it is set under a lock just around the making of the one socket, and
cleared before the handshake: the socket keeps its offer, the next user of the context offers
nothing.  (ALPN that the caller himself had set is lost; http.client would set its own as well.)  So
it is with the certificate's common name, which is not looked at.
"""

import errno
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence

from .errors import ErrorCode, InadequateSecurity
from .timeouts import remaining
from .transport import wait_for

H2 = "h2"
HTTP11 = "http/1.1"

_alpn_lock = threading.Lock()

CreateConnection = Callable[..., socket.socket]


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
