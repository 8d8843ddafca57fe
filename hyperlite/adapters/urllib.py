"""urllib.request over HTTP/2: a handler for `build_opener`."""

import ssl
import urllib.request
from http.client import HTTPResponse

from .. import client

__all__ = ["HTTP20Handler"]


class HTTP20Handler(urllib.request.HTTPSHandler):
    """Opens `https:` URLs over HTTP/2, or HTTP/1.1 where the server has no HTTP/2.

    ::

        opener = urllib.request.build_opener(HTTP20Handler())
        opener.open("https://example.org/")

    Args:
        context: the ssl.SSLContext; by default one that verifies.
        debuglevel: as in `http.client.HTTPConnection.set_debuglevel`.
    """

    def __init__(self, context: ssl.SSLContext | None = None, *, debuglevel: int = 0) -> None:
        if context is None:
            context = client._create_https_context(client.HTTPSConnection._http_vsn)  # type: ignore[attr-defined]
        super().__init__(debuglevel, context)

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        """Open a request."""
        return self.do_open(client.HTTPSConnection, req, context=self._context)  # type: ignore[attr-defined]
