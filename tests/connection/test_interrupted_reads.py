"""A KeyboardInterrupt anywhere in a read: reading on gives the rest, or says that something is missing."""

import http.client
from collections.abc import Callable

import pytest

import hyperlite
from hyperlite.testing.server import Response
from tests.conftest import Connect, Serve
from tests.interrupts import moments

CONTENT = b"".join(b"%09d\n" % number for number in range(30))
ROUTES = {
    "/sized": lambda _: Response(body=CONTENT),
    "/pieces": lambda _: Response(body=(CONTENT[at : at + 30] for at in range(0, len(CONTENT), 30))),
}
Read = Callable[[hyperlite.HTTP20Response], bytes]
SAMPLES = 20

# Of a socket, or a file on it, that the interrupted call alone knew.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


def readinto(response: hyperlite.HTTP20Response) -> bytes:
    buffer = bytearray(100)
    return bytes(buffer[: response.readinto(buffer)])


def look_ahead(response: hyperlite.HTTP20Response) -> bytes:
    ahead = response.peek()
    data = response.read(len(ahead))
    assert data == ahead
    return data


READS: dict[str, Read] = {
    "all": lambda response: response.read(),
    "read": lambda response: response.read(70),
    "read1": lambda response: response.read1(70),
    "readinto": readinto,
    "readline": lambda response: response.readline(),
    "peek": look_ahead,
}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_nothing_is_lost_in_silence(serve: Serve, connect: Connect, alpn: str, path: str, read: str) -> None:
    conn = connect(serve(alpn=(alpn,), routes=ROUTES), timeout=10)
    for interrupt in moments(SAMPLES, also=http.client.__file__):
        response = conn.getresponse(conn.request("GET", path))
        got, whole = b"", False
        with interrupt:
            while data := READS[read](response):
                got += data
            whole = True
        try:
            while not whole and (data := READS[read](response)):
                got += data
        except hyperlite.HTTP2Error:
            assert CONTENT.startswith(got), interrupt.where
        else:
            assert got == CONTENT, interrupt.where
        response.close()
