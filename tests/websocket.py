"""A WebSocket (RFC 6455) of the embedded server, and as much of a client as a test needs.

The server says "welcome" in the very packet that has the 101, so that what is read ahead of the head is
missed; then it echoes frames until the client's Close.
"""

import base64
import hashlib
import struct
from collections.abc import Callable, Mapping
from typing import Any

from hyperlite.testing.server import Exchange, Handler, Response, streaming

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
HEADERS: Mapping[str, str] = {
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE = 1, 8


def accept_of(key: str) -> str:
    """Return what a server answers to a key."""
    return base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()


def frame(kind: int, payload: bytes, *, masked: bool) -> bytes:
    """Return a frame of at most 125 bytes."""
    mask = b"\x01\x02\x03\x04" if masked else b""
    body = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload)) if masked else payload
    return struct.pack(">BB", 0x80 | kind, (0x80 if masked else 0) | len(payload)) + mask + body


def read_frame(read: Callable[[int], bytes]) -> tuple[int, bytes]:
    """Read a frame; `read` returns as many bytes as it is asked for."""
    kind, size = read(2)
    mask = read(4) if size & 0x80 else b""
    payload = read(size & 0x7F)
    return kind & 0x0F, bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload)) if mask else payload


def reader(sock: Any) -> Callable[[int], bytes]:
    """Return what reads so many bytes from a socket."""

    def read(size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = sock.recv(size - len(data))
            assert piece, "the server closed"
            data += piece
        return data

    return read


def converse(read: Callable[[int], bytes], write: Callable[[bytes], Any]) -> None:
    """Be greeted, have two frames echoed, and close."""
    assert read_frame(read) == (TEXT, b"welcome")
    for text in (b"one", b"two"):
        write(frame(TEXT, text, masked=True))
        assert read_frame(read) == (TEXT, text)
    write(frame(CLOSE, b"", masked=True))
    assert read_frame(read) == (CLOSE, b"")


@streaming
def chat(exchange: Exchange) -> None:
    """Answer a handshake: over HTTP/1.1 by talking, over HTTP/2 by a 426 (RFC 9110 section 15.5.22)."""
    request = exchange.request
    if request.protocol == "h2" or (request.header("upgrade") or "").lower() != "websocket":
        exchange.start(426)
        exchange.end()
        return
    wire: Any = exchange._wire  # type: ignore[attr-defined]  # the connection, in HTTP/1.1
    key = accept_of(request.header("sec-websocket-key") or "")
    head = (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {key}\r\n\r\n"
    )
    exchange.started = exchange.ended = exchange.dead = True
    exchange.keep = False  # type: ignore[attr-defined]
    wire.write(head.encode() + frame(TEXT, b"welcome", masked=False))

    def read(size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += wire.some(size - len(data))
        return data

    while True:
        kind, payload = read_frame(read)
        wire.write(frame(kind, payload, masked=False))
        if kind == CLOSE:
            return


ROUTES: dict[str, Handler] = {"/chat": chat, "/": lambda _: Response(body=b"hello")}
