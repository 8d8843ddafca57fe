"""A streamed body: it comes whole or as an error, in whatever order it is asked for."""

import contextlib
import gzip
import json
import re
import threading
from collections.abc import Callable
from typing import Any

import h2.exceptions
import pytest

from hyperlite import BodyTooLarge, ConnectionPool, DecodingError, FetchResponse, IncompleteBody
from hyperlite.testing.server import Exchange, Response, Server, streaming
from tests.conftest import ROUTES, Serve

TEXT = json.dumps(list(range(20_000))).encode()
PACKED = Response(headers=[("content-encoding", "gzip")], body=gzip.compress(TEXT))


def pieces() -> Any:
    return (TEXT[start : start + 1000] for start in range(0, len(TEXT), 1000))


def broken() -> Any:
    yield TEXT[:1000]
    raise ConnectionError


BODIES = {
    "/sized": lambda _: Response(body=TEXT),
    "/unsized": lambda _: Response(body=pieces()),
    "/packed": lambda _: PACKED,
    "/empty": lambda _: Response(),
    "/none": lambda _: Response(204),
    "/broken": lambda _: Response(body=broken()),
    "/not-packed": lambda _: Response(headers=[("content-encoding", "gzip")], body=b"not packed"),
}
WHOLE: dict[str, Callable[[FetchResponse], object]] = {
    "body": lambda response: response.body,
    "text": lambda response: response.text,
    "json": lambda response: response.json(),
    "keep": lambda response: response.keep(1 << 20),
}
KINDS = pytest.mark.parametrize("target", ["/sized", "/unsized", "/packed"])
ASKED = pytest.mark.parametrize("ask", WHOLE.values(), ids=WHOLE)


@pytest.fixture(params=[("h2", "http/1.1"), ("http/1.1",)], ids=["h2", "http1"])
def site(request: pytest.FixtureRequest, serve: Serve) -> Server:
    return serve(routes=ROUTES | BODIES, alpn=request.param)


@KINDS
@ASKED
def test_after_a_part_was_read(
    pool: ConnectionPool, site: Server, target: str, ask: Callable[[FetchResponse], object]
):
    with pool.fetch(site.url(target), stream=True) as response:
        assert response.read(1000) == TEXT[:1000]
        with pytest.raises(ValueError, match="was read already"):
            ask(response)
        assert response.read() == TEXT[1000:], "it goes on where it was"
        with pytest.raises(ValueError, match="was read already"):
            ask(response)
        assert response.read() == response.read(10) == b""


@KINDS
def test_after_it_was_read_to_its_end(pool: ConnectionPool, site: Server, target: str):
    with pool.fetch(site.url(target), stream=True) as response:
        assert response.read() == TEXT
    with pool.fetch(site.url(target), stream=True) as other:
        assert b"".join(other) == TEXT
    for one in (response, other):
        assert one.read() == b""
        for ask in WHOLE.values():
            with pytest.raises(ValueError, match="was read already"):
                ask(one)
        with pytest.raises(ValueError, match="to its end already"):
            list(one)


@KINDS
def test_iteration_goes_on(pool: ConnectionPool, site: Server, target: str):
    with pool.fetch(site.url(target), stream=True) as response:
        read = response.read(3)
        for piece in response:
            read += piece
            break
        assert read + b"".join(response) == TEXT


@KINDS
@pytest.mark.parametrize("read", [0, 1000])
def test_after_close(pool: ConnectionPool, site: Server, target: str, read: int):
    with pool.fetch(site.url(target), stream=True) as response:
        response.read(read)
    for ask in [*WHOLE.values(), FetchResponse.read, list]:
        with pytest.raises(ValueError, match="was closed before its body was read"):
            ask(response)


@KINDS
def test_after_a_part_was_read_from_raw(pool: ConnectionPool, site: Server, target: str):
    ways: list[Callable[[Any], object]] = [
        lambda raw: raw.read(),
        lambda raw: raw.read(10),
        lambda raw: raw.read1(10),
        lambda raw: raw.readline(10),
        lambda raw: raw.readinto(bytearray(10)),
        lambda raw: raw.close(),
    ]
    for read in ways:
        for ask in [*WHOLE.values(), FetchResponse.read, list]:
            with pool.fetch(site.url(target), stream=True) as response:
                read(response.raw)
                with pytest.raises(ValueError, match="was read already by way of `raw`"):
                    ask(response)


@pytest.mark.parametrize(("method", "target"), [("GET", "/empty"), ("GET", "/none"), ("HEAD", "/sized")])
def test_where_there_is_nothing_to_read(pool: ConnectionPool, site: Server, method: str, target: str):
    def fetch() -> FetchResponse:
        return pool.fetch(site.url(target), method, stream=True)

    with fetch() as response:
        assert response.body == response.body == b""
    with fetch() as response:
        assert list(response) == []
        assert list(response) == []
        assert response.read() == b""
        assert response.body == b""
    with fetch() as response:
        assert response.read() == b""
    assert response.body == b""
    assert response.text == ""
    with pytest.raises(json.JSONDecodeError):
        response.json()


def test_a_body_that_was_read_as_a_whole_stays(pool: ConnectionPool, site: Server):
    with pool.fetch(site.url("/sized"), stream=True) as response:
        assert response.body == TEXT
        with pytest.raises(ValueError, match="it is in `body`"):
            response.read()
    assert response.body == b"".join(response) == TEXT
    assert response.json() == list(range(20_000))


@pytest.mark.parametrize(("target", "kind"), [("/broken", IncompleteBody), ("/not-packed", DecodingError)])
def test_what_has_failed_fails_again(pool: ConnectionPool, site: Server, target: str, kind: type[Exception]):
    for first in (lambda response: response.body, list):
        response = pool.fetch(site.url(target), stream=True)
        with pytest.raises((kind, ConnectionError)) as before:
            first(response)
        for ask in [*WHOLE.values(), FetchResponse.read, list]:
            with pytest.raises(type(before.value), match=re.escape(str(before.value))) as caught:
                ask(response)
            assert caught.value is not before.value
        response.close()


def test_what_is_too_large_is_so_again(pool: ConnectionPool, site: Server):
    response = pool.fetch(site.url("/unsized"), stream=True, max_body=1000)
    for _ in range(2):
        with pytest.raises(BodyTooLarge):
            _ = response.body
        with pytest.raises(BodyTooLarge):
            response.read(10)


@pytest.mark.parametrize("alpn", [("h2", "http/1.1"), ("http/1.1",)], ids=["h2", "http1"])
@pytest.mark.parametrize("way", ["whole", "streamed", "many"])
@pytest.mark.parametrize("status", [302, 503])
def test_a_body_that_drips_holds_up_nothing_if_it_is_not_wanted(
    pool: ConnectionPool, serve: Serve, alpn: tuple[str, ...], way: str, status: int
):
    """The next hop is under way while it still drips, without any deadline."""
    answered, dripped = threading.Event(), threading.Event()
    asked: list[int] = []

    @streaming
    def drip(exchange: Exchange) -> None:
        if asked:
            exchange.start(200, [])
            exchange.end()
            return
        asked.append(status)
        exchange.start(status, [("location", "/"), ("retry-after", "0")])
        with contextlib.suppress(OSError, h2.exceptions.ProtocolError):
            for _ in range(100):
                exchange.send(b".")
                if answered.wait(0.05):
                    break
            else:
                dripped.set()
            exchange.end()

    server = serve(routes=ROUTES | {"/drip": drip}, alpn=alpn)
    if way == "many":
        fetched = next(iter(pool.fetch_many([server.url("/drip")], timeout=10))).result()
    else:
        fetched = pool.fetch(server.url("/drip"), stream=way == "streamed", timeout=10)
    with fetched as response:
        assert response.status == 200
        assert not dripped.is_set()
        answered.set()
        for before in response.history:
            with pytest.raises(TimeoutError):
                _ = before.body


def test_the_body_of_a_redirect_in_the_history(pool: ConnectionPool, serve: Serve):
    def away(size: int) -> Response:
        return Response(302, headers=[("location", "/")], body=b"x" * size)

    server = serve(routes=ROUTES | {"/short": lambda _: away(5), "/long": lambda _: away(100_000)})
    for response in (
        pool.fetch(server.url("/short")),
        next(iter(pool.fetch_many([server.url("/short")]))).result(),
    ):
        assert (response.body, response.history[0].body) == (b"hello", b"xxxxx")
    for response in (
        pool.fetch(server.url("/long")),
        next(iter(pool.fetch_many([server.url("/long")]))).result(),
    ):
        assert response.body == b"hello"
        with pytest.raises(BodyTooLarge, match="65536"):
            _ = response.history[0].body
