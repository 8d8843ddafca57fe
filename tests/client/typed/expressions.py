"""What expressions are."""

import ssl
from email.message import Message
from http import client
from io import BufferedIOBase
from typing import assert_type

conn = client.HTTPSConnection(
    "host", timeout=None, source_address=("", 0), context=ssl.create_default_context()
)
response = conn.getresponse()
assert_type(response, client.HTTPResponse)
assert_type(response.status, int)
assert_type(response.read(), bytes)
assert_type(response.headers, client.HTTPMessage)
assert_type(response.getheader("a"), str | None)
assert_type(response.getheader("a", "b"), str)
assert_type(conn.host, str)
assert_type(conn.port, int)
assert_type(client.error, type[client.HTTPException])
assert_type(client.responses, dict[int, str])
assert_type(client.HTTPConnection("a").getresponse(), client.HTTPResponse)
file: BufferedIOBase = response
message: Message = response.headers
with response as entered:
    assert_type(entered, client.HTTPResponse)
