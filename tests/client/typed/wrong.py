# ruff: noqa: B018
"""A program that is wrong: it is wrong in the same places."""

from http import client

conn = client.HTTPSConnection("host")
conn.request("GET")
conn.request("GET", "/", heads={})
conn.getresponse().stats
conn.response_class = str
client.HTTPConnection(3, port="a")
client.nonsense
response: client.HTTPSConnection = conn.getresponse()
conn.getresponse().headers = 3
conn.getresponse().trailers


class Bad(client.HTTPResponse):
    def read(self, amt: str) -> bytes:
        return b""

    def begin(self) -> int:
        return 3


class Worse(client.HTTPSConnection):
    def connect(self, more: int) -> None:
        pass
