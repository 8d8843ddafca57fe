"""A certificate authority for tests, and the certificate that it has given the server."""

import atexit
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Certificates:
    """Paths of PEM files, in a directory that is removed when the process ends."""

    ca_file: str
    """The certificate of the authority: what a client has to trust."""
    cert_file: str
    """The server's certificate, for localhost, 127.0.0.1 and ::1."""
    key_file: str
    """The server's private key."""

    def client_context(self) -> ssl.SSLContext:
        """Return a context that trusts this authority and no other."""
        return ssl.create_default_context(cafile=self.ca_file)

    def server_context(self, alpn: Sequence[str]) -> ssl.SSLContext:
        """Return a context for servers that speak these protocols; it answers no ALPN when there are none."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert_file, self.key_file)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context


@cache
def certificates() -> Certificates:
    """Return the certificates of this process; the first call makes them.

    Raises ImportError when trustme is not installed.
    """
    try:
        import trustme  # noqa: PLC0415 (needed for TLS alone)
    except ImportError as error:
        raise ImportError(
            "The test server's certificates need trustme, the extra hyperlite-http[testing]."
        ) from error
    directory = tempfile.TemporaryDirectory(prefix="hyperlite-")
    atexit.register(directory.cleanup)
    files = [str(Path(directory.name, name)) for name in ("ca.pem", "server.pem", "server.key")]
    authority = trustme.CA(organization_name="hyperlite")
    server = authority.issue_cert("localhost", "127.0.0.1", "::1")
    authority.cert_pem.write_to_path(files[0])
    for blob in server.cert_chain_pems:
        blob.write_to_path(files[1], append=True)
    server.private_key_pem.write_to_path(files[2])
    return Certificates(*files)
