"""hyperlite, in each of the ways in which it is asked."""

# ruff: noqa: PLC0415  a client's imports are a part of making it

import importlib.metadata
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .base import BLOCK, DEADLINE, HOST, JSON, LOOKED_AT, Client, Sink, Target, Unfit, Zeros, check

SPEEDUPS = "hyperlite-http-speedups"

Look = Callable[[Any], Any]
# What a program asks of the header, of hyperlite's response and of http.client's.
LOOKS: dict[str, Look | None] = {
    "none": None,
    "one": lambda response: response.getheader(LOOKED_AT),
    "all": lambda response: response.getheaders(),
}


class Hyperlite(Client):
    many = False

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        import hyperlite
        from hyperlite.http2.engine import make_engine

        try:
            make_engine()
        except ValueError as error:
            raise Unfit(str(error)) from None
        if os.environ.get("HYPERLITE_SPEEDUPS") != "0":
            try:
                importlib.metadata.version(SPEEDUPS)
            except importlib.metadata.PackageNotFoundError:
                raise Unfit(f"{SPEEDUPS} is not installed") from None
        self.look = LOOKS[target.headers]
        self.conn = hyperlite.HTTP20Connection(HOST, target.port, context=target.context(), timeout=DEADLINE)

    def _finish(self, ids: Iterable[int], sink: Sink) -> None:
        look = self.look
        for stream_id in ids:
            response = self.conn.getresponse(stream_id)
            sink(response.read())
            assert response.status == 200
            assert response.version == 20
            if look is not None:
                assert look(response)

    def get(self, paths: Sequence[str], sink: Sink) -> None:
        for chunk in self.target.chunks(paths):
            if self.many:
                ids = self.conn.request_many(("GET", path) for path in chunk)
            else:
                ids = [self.conn.request("GET", path) for path in chunk]
            self._finish(ids, sink)

    def get_as_ready(self, paths: Sequence[str], sink: Sink) -> None:
        """Take the responses of each chunk in the order in which they arrive."""
        for chunk in self.target.chunks(paths):
            ids = self.conn.request_many(("GET", path) for path in chunk)
            self._finish(self.conn.as_ready(ids), sink)

    def post(self, path: str, bodies: Sequence[bytes]) -> None:
        for chunk in self.target.chunks(bodies):
            if self.many:
                ids = self.conn.request_many(("POST", path, body, JSON) for body in chunk)
            else:
                ids = [self.conn.request("POST", path, body, JSON) for body in chunk]
            self._finish(ids, check)

    def download(self, path: str) -> int:
        self.conn.request("GET", path)
        return read_all(self.conn.getresponse())

    def upload(self, path: str, size: int) -> None:
        self.conn.request("PUT", path, Zeros(size), {"content-length": str(size)})
        response = self.conn.getresponse()
        response.read()
        assert response.status in (201, 204)

    def fetch_many(self, urls: Sequence[str], warm_up: Sequence[str]) -> Callable[[], None]:
        """Connect to every origin; return what fetches the URLs."""
        import hyperlite

        pool = hyperlite.ConnectionPool(
            context=self.target.context(), timeout=DEADLINE, proxies=False, max_idle=len(warm_up)
        )

        def run(wanted: Sequence[str] = urls) -> None:
            for outcome in pool.fetch_many(wanted, concurrency=self.target.chunk):
                assert outcome.result().body

        run(warm_up)
        return run


class HyperliteMany(Hyperlite):
    many = True


def read_all(response: Any) -> int:
    buffer, total = bytearray(4 * BLOCK), 0
    while count := response.readinto(buffer):
        total += count
    return total
