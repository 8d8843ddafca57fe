"""The examples of http.client's documentation, unchanged but for the import, over HTTP/2."""

import socket
import ssl
from typing import Any

import pytest

from hyperlite.testing.server import Request, Response, Server
from tests.conftest import Serve

IMPORT = "from hyperlite import client\nimport types\nhttp = types.SimpleNamespace(client=client)\n"

GET = """
conn = http.client.HTTPSConnection("www.python.org")
conn.request("GET", "/")
r1 = conn.getresponse()
assert (r1.status, r1.reason) == (200, "OK")
data1 = r1.read()  # This will return entire content.
# The following example demonstrates reading data in chunks.
conn.request("GET", "/")
r1 = conn.getresponse()
chunks = []
while chunk := r1.read(200):
    chunks.append(chunk)
assert b"".join(chunks) == data1
# Example of an invalid request
conn = http.client.HTTPSConnection("docs.python.org")
conn.request("GET", "/parrot.spam")
r2 = conn.getresponse()
assert (r2.status, r2.reason) == (404, "Not Found")
data2 = r2.read()
conn.close()
"""

HEAD = """
conn = http.client.HTTPSConnection("www.python.org")
conn.request("HEAD", "/")
res = conn.getresponse()
assert (res.status, res.reason) == (200, "OK")
data = res.read()
assert len(data) == 0
assert data == b''
conn.close()
"""

POST = """
import urllib.parse
params = urllib.parse.urlencode({'@number': 12524, '@type': 'issue', '@action': 'show'})
headers = {"Content-type": "application/x-www-form-urlencoded", "Accept": "text/plain"}
conn = http.client.HTTPSConnection("bugs.python.org")
conn.request("POST", "", params, headers)
response = conn.getresponse()
assert (response.status, response.reason) == (302, "Found")
data = response.read()
assert data == b'Redirecting to <a href="https://bugs.python.org/issue12524">'
conn.close()
"""

PUT = """
BODY = "***filecontents***"
conn = http.client.HTTPSConnection("localhost", 8080)
conn.request("PUT", "/file", BODY)
response = conn.getresponse()
assert (response.status, response.reason) == (200, "OK")
conn.close()
"""


def site(request: Request) -> Response:
    """Answer as python.org does in the documentation."""
    match request.method, request.path:
        case "POST", _:
            assert request.body == b"%40number=12524&%40type=issue&%40action=show"
            return Response(302, body=b'Redirecting to <a href="https://bugs.python.org/issue12524">')
        case "PUT", "/file":
            assert request.body == b"***filecontents***"
            return Response()
        case (("GET" | "HEAD"), "/"):
            return Response(body=b"<!doctype html>" * 1000)
    return Response(404, body=b"no parrot")


@pytest.fixture
def server(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The site, which every name and port leads to, with a certificate that is taken for any name."""
    server = serve(routes=site)
    connect = socket.create_connection

    def trusting() -> ssl.SSLContext:
        context = server.context()
        context.check_hostname = False
        return context

    def to_the_server(_address: Any, *args: Any) -> socket.socket:
        return connect(("127.0.0.1", server.port), *args)

    monkeypatch.setattr(ssl, "_create_default_https_context", trusting)
    monkeypatch.setattr(socket, "create_connection", to_the_server)
    return server


@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # the first example drops a connection
@pytest.mark.parametrize("example", [GET, HEAD, POST, PUT], ids=["GET", "HEAD", "POST", "PUT"])
def test_example(server: Server, example: str) -> None:
    exec(IMPORT + example, {})
    assert {protocol for protocol, *_ in server.log} == {"h2"}
