"""HTTP/1.1: the bytes of an answer, beside http.client; heads of proxies."""

import contextlib
import http.client
import socket
from typing import Any

import hyperlite

from .target import Feed, check, pieces

METHODS = ["GET", "HEAD", "POST", "CONNECT"]
FAILURES = (http.client.HTTPException, OSError)


class _Socket(socket.socket):
    """One end of a pair that passes for a TCP socket."""

    def setsockopt(self, level: int, *rest: Any) -> None:
        if level != socket.IPPROTO_TCP:
            super().setsockopt(level, *rest)


def answer(data: bytes) -> None:
    """Read an answer in two ways, and by http.client: what is complete here is that there."""
    feed = Feed(data)
    method = METHODS[feed.choice(len(METHODS))]
    sizes = feed.take(2)
    wire = feed.rest()
    whole = _ours(wire, method, b"")
    cut = _ours(wire, method, sizes)
    check(whole == cut, f"read at once: {whole}; in pieces: {cut}")
    if whole is None or method == "CONNECT":  # http.client reads a body behind a tunnel's head
        return
    theirs = _theirs(wire, method)
    check(theirs is None or theirs == whole, f"{whole} here, {theirs} there")


def _ours(wire: bytes, method: str, sizes: bytes) -> tuple[int, bytes] | None:
    """Return the status and the body; None if there is an error. With sizes the body is read in pieces."""
    ours, peer = socket.socketpair()
    with peer, _Socket(fileno=ours.detach()) as sock:
        conn = hyperlite.HTTP20Connection(
            "h", secure=False, protocols=["http/1.1"], timeout=5, require_close_notify=False
        )
        conn._create_connection = lambda *_, **__: sock
        with conn:
            peer.sendall(wire)
            peer.shutdown(socket.SHUT_WR)
            try:
                stream_id = conn.request(method, "*" if method == "CONNECT" else "/")
                conn.auto_open = 0
                response = conn.getresponse(stream_id)
                if not sizes:
                    return response.status, response.read()
                read = [response.read(size % 64 + 1) for size in sizes]
                return response.status, b"".join(read) + response.read()
            except FAILURES as error:
                check(not isinstance(error, TimeoutError), "nothing is to come, and yet it waits")
                return None


def _theirs(wire: bytes, method: str) -> tuple[int, bytes] | None:
    ours, peer = socket.socketpair()
    with ours, peer:
        peer.sendall(wire)
        peer.shutdown(socket.SHUT_WR)
        response = http.client.HTTPResponse(ours, method=method)
        with contextlib.closing(response), contextlib.suppress(*FAILURES, ValueError):
            response.begin()
            return response.status, response.read()
    return None


def chunks(data: bytes) -> None:
    """Take a caller's own chunks apart: however they are cut, it comes to the same."""
    from hyperlite.messages.chunked import Dechunker  # noqa: PLC0415

    feed = Feed(data)
    sizes = feed.take(2)
    wire = feed.rest()

    def dechunked(parts: list[bytes]) -> tuple[bytes, bool, Any]:
        taken, body = Dechunker(), bytearray()
        try:
            for part in parts:
                for piece in taken.feed(part):
                    body += piece
        except ValueError:
            return b"", False, None
        return bytes(body), taken.done, taken.trailers

    check(dechunked([wire]) == dechunked(pieces(wire, sizes)), "the cuts make a difference")
