"""Which authorities a connection trusts: TLS contexts, made and shared."""

import os
import ssl
from typing import Any

Verify = bool | str
Cert = str | tuple[str, str] | tuple[str, str, str] | None

_default_contexts: dict[tuple[Any, ...], ssl.SSLContext] = {}


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


def make_context(verify: Verify, cert: Cert) -> ssl.SSLContext:
    """Return a new TLS context, as requests has it.

    Args:
        verify, cert: as for `ConnectionPool`.
    """
    if verify is False:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif verify is True:
        context = create_context()
    else:
        directory = os.path.isdir(verify)
        context = create_context(capath=verify) if directory else create_context(cafile=verify)
    if cert is not None:
        context.load_cert_chain(*([cert] if isinstance(cert, str) else cert))
    return context
