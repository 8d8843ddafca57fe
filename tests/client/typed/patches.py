"""Names and methods that are replaced."""

import http.client
from typing import Any
from unittest import mock

original = http.client.HTTPConnection.request


def traced(self: http.client.HTTPConnection, method: str, url: str, *args: Any, **options: Any) -> None:
    print(method, url, self.host)
    original(self, method, url, *args, **options)


http.client.HTTPConnection.debuglevel = 1
http.client.HTTPConnection.request = traced  # type: ignore[method-assign]
http.client._MAXHEADERS = 1000  # type: ignore[attr-defined]
http.client.HTTPConnection._http_vsn = 10  # type: ignore[attr-defined]
http.client.HTTPConnection._http_vsn_str = "HTTP/1.0"  # type: ignore[attr-defined]
http.client.HTTPSConnection.default_port = 8443
fake = mock.create_autospec(http.client.HTTPSConnection)
with mock.patch.object(http.client, "HTTPConnection", fake), mock.patch("http.client.HTTPResponse"):
    pass
