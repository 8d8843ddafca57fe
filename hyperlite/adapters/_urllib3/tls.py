"""TLS contexts for the settings of urllib3's pools, each made once.

Rule: a caller's context is never switched to verify or not to verify, because all its users would feel that.
If a request wants verification, the dial asks for it (`trust_of`); only on a context that makes its sockets
itself it is switched on, as in urllib3.  If a request wants none, another context takes the place of the
caller's.  Authorities and client certificates that urllib3 gets beside such a context are loaded into it, as
urllib3 does.
"""

import functools
import os
import ssl
import threading
from typing import Any, NamedTuple

from urllib3.util.ssl_ import create_urllib3_context, resolve_ssl_version

from ...net.client_hello import client_hello
from ...net.contexts import is_stock
from ...net.trust import MAX_CONTEXTS, share

# Seconds between two looks at whether a file has changed, however often it is asked for.
LOOK = 1.0

Stamp = tuple[int, ...]  # of a file: another one is another content


class Trust(NamedTuple):
    """What a pool of urllib3 was told about TLS; the names are urllib3's."""

    verify: bool
    ca_certs: str | None
    ca_cert_dir: str | None
    ca_cert_data: str | bytes | None
    cert_file: str | None
    key_file: str | None
    key_password: str | None
    ssl_version: Any
    ssl_minimum_version: Any
    ssl_maximum_version: Any
    context: ssl.SSLContext | None


class Contexts:
    """The contexts of one adapter: one for each way of trusting, so that connections can be shared."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # -- guarded by _lock --
        self._made: dict[Trust, tuple[tuple[Stamp, ...], ssl.SSLContext]] = {}  # the oldest first

    def after_fork(self) -> None:
        """In the child: the lock is free."""
        self._lock = threading.Lock()

    def get(self, trust: Trust) -> ssl.SSLContext:
        """Return the context; a new one if a file that it was made from has changed.

        Raises:
            ssl.SSLError, OSError: a file cannot be used.
        """
        paths = (trust.ca_certs, trust.ca_cert_dir, trust.cert_file, trust.key_file)
        stamps = tuple(_stamp(path) for path in paths if path)
        found = self._made.get(trust)
        if found is not None and found[0] == stamps:
            return found[1]
        with self._lock:
            found = self._made.get(trust)
            if found is None or found[0] != stamps:
                made = stamps, _make_shared(trust)
                self._made.pop(trust, None)
                if len(self._made) >= MAX_CONTEXTS:
                    del self._made[next(iter(self._made))]
                found = self._made[trust] = made
        return found[1]


def _stamp(path: str) -> Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return ()  # the error comes when the file is read
    # The time alone is not enough: it is copied along, and images have the same one for all their files.
    return found.st_mtime_ns, found.st_size, found.st_dev, found.st_ino


def _make_shared(trust: Trust) -> ssl.SSLContext:
    context = _make(trust)
    return context if context is trust.context else share(context, functools.partial(_make, trust))


def _make(trust: Trust) -> ssl.SSLContext:
    context = trust.context
    mode = ssl.CERT_REQUIRED if trust.verify else ssl.CERT_NONE
    if context is None:
        context = create_urllib3_context(
            ssl_version=resolve_ssl_version(trust.ssl_version),
            cert_reqs=mode,
            ssl_minimum_version=trust.ssl_minimum_version,
            ssl_maximum_version=trust.ssl_maximum_version,
        )
        if trust.verify and not (trust.ca_certs or trust.ca_cert_dir or trust.ca_cert_data):
            context.load_default_certs()
    elif not trust.verify and context.verify_mode != ssl.CERT_NONE:
        context = _unverified(context)
    if trust.verify and (trust.ca_certs or trust.ca_cert_dir or trust.ca_cert_data):
        context.load_verify_locations(trust.ca_certs, trust.ca_cert_dir, trust.ca_cert_data)
    if trust.cert_file:
        # Without a password OpenSSL would ask for it at the terminal.
        context.load_cert_chain(trust.cert_file, trust.key_file, trust.key_password or "")
    return context


def _unverified(model: ssl.SSLContext) -> ssl.SSLContext:
    """Return a copy of a context that verifies nothing. Client certificates cannot be copied."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version, context.maximum_version = model.minimum_version, model.maximum_version
    context.options |= model.options
    hello = client_hello(model, "localhost") if is_stock(model) else None
    if hello is not None and hello.protocols:
        context.set_alpn_protocols(hello.protocols)
    names = ":".join(cipher["name"] for cipher in model.get_ciphers())
    context.set_ciphers(f"{names}:@SECLEVEL={model.security_level}")
    return context
