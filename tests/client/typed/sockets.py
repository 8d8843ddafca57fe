"""Responses that are read from a socket of the program's own."""

import io
import socket
from http import client as httplib
from typing import IO, Any


class FakeSocket:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def makefile(self, mode: str = "rb", *_: Any) -> IO[bytes]:
        return io.BytesIO(self.data)


def parse(data: bytes, method: str = "GET") -> httplib.HTTPResponse:
    response = httplib.HTTPResponse(FakeSocket(data), method=method)  # type: ignore[arg-type]
    response.begin()
    return response


def over(sock: socket.socket) -> httplib.HTTPResponse:
    conn = httplib.HTTPConnection("host")
    conn.sock = sock
    conn.putrequest("POST", "/", skip_host=True)
    conn.putheader("Content-Length", 3)
    conn.endheaders(b"abc", encode_chunked=False)
    conn.send(io.BytesIO(b"x"))
    response = httplib.HTTPResponse(conn.sock, 0, "POST", None)
    response.begin()
    return response


print(parse(b"HTTP/1.1 200 OK\r\n\r\n").getheaders())
