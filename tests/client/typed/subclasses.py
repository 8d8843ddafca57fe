"""Subclasses, and the methods that they override."""

import functools
import socket
import ssl
from http import client
from typing import Any, ClassVar, Self


class Response(client.HTTPResponse):
    kept: bytes | None = None

    def begin(self) -> None:
        super().begin()
        self.length = self.length or 0

    def read(self, amt: int | None = None) -> bytes:
        self.kept = super().read(amt)
        return self.kept

    def __enter__(self) -> Self:
        return super().__enter__()

    def close(self) -> None:
        super().close()


class Verified(client.HTTPSConnection):
    response_class = Response
    seen: ClassVar[int] = 0

    def __init__(self, *args: Any, pin: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pin = pin

    def connect(self) -> None:
        super().connect()
        assert isinstance(self.sock, ssl.SSLSocket)
        if self.sock.getpeercert(True) != self.pin.encode():
            raise ssl.SSLError("pin")

    @functools.cached_property
    def label(self) -> str:
        return f"{self.host}:{self.port}"

    def __del__(self) -> None:
        self.close()


class Dialled(client.HTTPSConnection):
    _context: ssl.SSLContext

    def connect(self) -> None:
        sock = socket.create_connection((self.host, self.port), self.timeout)
        self.sock = self._context.wrap_socket(sock, server_hostname=self.host)


class Debugging(client.HTTPConnection):
    def set_debuglevel(self, level: int) -> None:
        super().set_debuglevel(level)

    def set_tunnel(self, host: str, port: int | None = None, headers: Any = None) -> None:
        super().set_tunnel(host, port, headers)

    def getresponse(self) -> Response:
        response = super().getresponse()
        assert isinstance(response, Response)
        return response


conn = Verified("host", 443, pin="x", timeout=3, context=None)
conn.response_class = Response
print(conn.label, conn.getresponse().status)
