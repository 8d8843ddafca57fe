"""TLS contexts from what requests calls `verify` and `cert`."""

import os
import ssl

from .transport import create_context

Verify = bool | str
Cert = str | tuple[str, str] | tuple[str, str, str] | None


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
