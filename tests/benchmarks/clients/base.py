"""What each client is asked for, and with what."""

import io
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Sink = Callable[[bytes], Any]

BLOCK = 1 << 16
HOST = "localhost"
JSON = {"content-type": "application/json"}
DEADLINE = 300.0
# The field that is looked at where one is, and a field that each response has.
LOOKED_AT = "content-type"


class Unfit(Exception):
    """A client that cannot do a workload, or that does not do it the way it is to be measured."""


@dataclass(frozen=True)
class Target:
    """Where to connect to, and how much to have under way at once."""

    port: int
    ca: str
    chunk: int
    headers: str = "none"
    """What the program wants of each response's header: "none" of it, "one" field or "all"."""

    @property
    def origin(self) -> str:
        return f"https://{HOST}:{self.port}"

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca)

    def pem(self) -> bytes:
        with open(self.ca, "rb") as file:
            return file.read()

    def chunks(self, items: Sequence[Any]) -> Iterator[Sequence[Any]]:
        for start in range(0, len(items), self.chunk):
            yield items[start : start + self.chunk]


class Zeros(io.RawIOBase):
    """A file of zeros to upload."""

    def __init__(self, size: int) -> None:
        self._left = self.len = size  # requests asks for `len`

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        size = self._left if size < 0 else min(size, self._left)
        self._left -= size
        return bytes(size)

    def blocks(self) -> Iterator[bytes]:
        while block := self.read(BLOCK):
            yield block


class Client:
    """What a client is asked for. `sink` gets each body; what a client cannot do raises Unfit."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def get(self, paths: Sequence[str], sink: Sink) -> None:
        raise Unfit("no GETs")

    def post(self, path: str, bodies: Sequence[bytes]) -> None:
        raise Unfit("no POSTs")

    def download(self, path: str) -> int:
        raise Unfit("no downloads")

    def upload(self, path: str, size: int) -> None:
        raise Unfit("no uploads")

    def fits_headers(self) -> None:
        """Raise Unfit unless `target.headers` is heeded."""
        if self.target.headers != "none":
            raise Unfit("its headers are not looked at here")


def check(body: bytes) -> None:
    assert body
