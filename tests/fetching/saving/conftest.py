"""A server with a file, and downloads of it that are cut off."""

import gzip
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hyperlite import (
    ConnectionPool,
    IncompleteBody,
    SavedFile,
)
from hyperlite.testing.server import Request, Response, Server
from tests.conftest import Serve

BODY = bytes(range(256)) * 2000
CUT = 200_000
MODIFIED = ("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT")
DATE = ("date", "Wed, 21 Oct 2015 08:00:00 GMT")


class Files:
    """One file on a server that does ranges, or does them wrongly; it may cut bodies off.

    Attributes:
        body, headers: what it has now.
        cut: after so many bytes of the next answer it is cut off; None: never.
        asked: the Range, If-Range and Accept-Encoding of each request.
        misdo: makes another answer of the one to a Range.
    """

    def __init__(self) -> None:
        self.body = BODY
        self.headers = [("etag", '"one"')]
        self.cut: int | None = None
        self.asked: list[tuple[str | None, str | None]] = []
        self.codings: list[str | None] = []
        self.misdo: Callable[[Response], Response] = lambda response: response
        self.sized = True

    def __call__(self, request: Request) -> Response:
        wanted, condition = request.header("range"), request.header("if-range")
        self.asked.append((wanted, condition))
        self.codings.append(request.header("accept-encoding"))
        if wanted is None:
            return self._answer(200, self.body, self.headers)
        known = dict(self.headers)
        if condition is not None and condition not in (known.get("etag"), known.get("last-modified")):
            return self._answer(200, self.body, self.headers)
        found = re.fullmatch(r"bytes=(\d+)-", wanted)
        assert found is not None
        start = int(found[1])
        if start >= len(self.body):
            place = ("content-range", f"bytes */{len(self.body)}")
            return self.misdo(Response(416, headers=[*self.headers, place], body=b"no such range"))
        place = ("content-range", f"bytes {start}-{len(self.body) - 1}/{len(self.body)}")
        return self.misdo(self._answer(206, self.body[start:], [*self.headers, place]))

    def _answer(self, status: int, body: bytes, headers: list[tuple[str, str]]) -> Response:
        if self.sized:
            headers = [*headers, ("content-length", str(len(body)))]
        return Response(
            status, headers=headers, body=self._pieces(body) if self.cut or not self.sized else body
        )

    def _pieces(self, body: bytes) -> Iterator[bytes]:
        cut, self.cut = self.cut, None
        for start in range(0, len(body) if cut is None else cut, 10_000):
            yield body[start : start + 10_000]
        if cut is not None:
            raise ConnectionError


@pytest.fixture(params=[("h2", "http/1.1"), ("http/1.1",)], ids=["h2", "http1"])
def alpn(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return request.param


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
def server(serve: Serve, alpn: tuple[str, ...], files: Files) -> Server:
    packed = [("content-encoding", "gzip"), ("etag", '"packed"')]

    def packed_or_not(request: Request) -> Response:
        if "gzip" in (request.header("accept-encoding") or ""):
            files.codings.append(request.header("accept-encoding"))
            return Response(headers=packed, body=gzip.compress(BODY))
        return files(request)

    return serve(
        routes={
            "/file": files,
            "/moved": lambda _: Response(302, headers=[("location", "/file")]),
            "/packed": packed_or_not,
            "/always-packed": lambda _: Response(headers=packed, body=gzip.compress(BODY)),
            "/missing": lambda _: Response(404, body=b"no such file"),
            "/empty": lambda _: Response(),
        },
        alpn=alpn,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


@pytest.fixture
def save(pool: ConnectionPool, server: Server, path: Path) -> Callable[..., SavedFile]:
    def go(target: str = "/file", *, resume: bool = True, **options: Any) -> SavedFile:
        with pool.fetch(server.url(target), stream=True, **options) as response:
            return response.save(path, resume=resume)

    return go


Save = Callable[..., SavedFile]


def left(path: Path) -> set[str]:
    return {found.name for found in path.parent.iterdir()}


def cut_off(save: Save, files: Files, target: str = "/file", at: int = CUT) -> None:
    """Have a download cut off."""
    files.cut = at
    with pytest.raises((IncompleteBody, ConnectionError)):
        save(target)
    files.asked.clear()
    files.codings.clear()


def broken(body: Any, size: int) -> Iterator[bytes]:
    yield body[:size]
    raise ConnectionError


def replaced(response: Response, name: str, value: str | None) -> Response:
    headers = [field for field in response.headers if field[0] != name]
    headers += [] if value is None else [(name, value)]
    return Response(response.status, headers=headers, body=response.body)


SIZE = len(BODY)


WRONG: list[Callable[[Response], Response]] = [
    lambda response: replaced(response, "content-range", None),
    lambda response: replaced(response, "content-range", f"bytes 0-{SIZE - 1}/{SIZE}"),
    lambda response: replaced(response, "content-range", f"bytes {CUT + 1}-{SIZE - 1}/{SIZE}"),
    lambda response: replaced(response, "content-range", f"bytes {CUT}-{SIZE - 1}/*"),
    lambda response: replaced(response, "content-range", f"bytes {CUT}-{SIZE}/{SIZE + 1}"),
    lambda response: replaced(response, "content-range", f"bytes {CUT}-{SIZE}/{SIZE}"),
    lambda response: replaced(response, "content-range", f"bytes {CUT}-{CUT - 1}/{SIZE}"),
    lambda response: replaced(response, "content-range", f"items {CUT}-{SIZE - 1}/{SIZE}"),
    lambda response: replaced(response, "content-range", f"bytes {CUT}-{SIZE - 2}/{SIZE}"),
    lambda response: replaced(response, "content-range", "bytes 1-2/3, bytes 1-2/3"),
    lambda response: replaced(response, "etag", '"two"'),
    lambda response: replaced(response, "content-encoding", "gzip"),
    lambda response: replaced(
        replaced(response, "content-range", None), "content-type", "multipart/byteranges; boundary=x"
    ),
    lambda response: replaced(response, "content-type", "multipart/byteranges; boundary=x"),
    lambda _: Response(204),
    lambda _: Response(416, headers=[("content-range", f"bytes */{CUT + 1}")]),
    lambda _: Response(416),
]
