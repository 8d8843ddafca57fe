"""hyperlite from asyncio: the page's examples, 200 requests of a second, and what cancelling does."""

import asyncio
import contextlib
import importlib.util
import re
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

from hyperlite import ConnectionPool
from hyperlite.pool import default_pool
from hyperlite.testing.server import Exchange, Response, Server, streaming
from tests.conftest import MakePool, Serve

DOCS = Path(__file__).parents[2] / "docs"
MANY = 200


def test_examples(serve: Serve, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    server = serve(routes={"/": lambda _: Response(body=b"hello")})
    monkeypatch.setenv("SSL_CERT_FILE", server.ca_file)
    examples = re.findall(r"```python\n(.*?)```", (DOCS / "howto" / "asyncio.md").read_text(), re.DOTALL)
    assert len(examples) == 3
    names: dict[str, object] = {}
    try:
        for example in examples:
            exec(example.replace("https://example.org", server.url("")), names)
    finally:
        default_pool().close()
    assert capsys.readouterr().out == "200 hello\n200 pages\n200 outcomes\n"


@pytest.fixture
def example() -> ModuleType:
    """The program in docs/examples."""
    found = importlib.util.spec_from_file_location("from_asyncio", DOCS / "examples" / "from_asyncio.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


class Crowd:
    """A server that answers a second after all requests have come: they are under way at once."""

    def __init__(self, serve: Serve) -> None:
        self._all_here = threading.Barrier(MANY)
        self.server: Server = serve(routes={"/": self._answer})
        self.urls = [self.server.url(f"/?{number}") for number in range(MANY)]

    @property
    def _answer(self) -> object:
        @streaming
        def answer(exchange: Exchange) -> None:
            self._all_here.wait(60)
            threading.Event().wait(1.0)
            exchange.start()
            exchange.end()

        return answer


async def while_the_loop_ticks(work: Callable[[], Awaitable[int]]) -> tuple[int, int]:
    """Return what some work returns, and how often the event loop went round meanwhile."""
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.05)
            ticks += 1

    ticking = asyncio.create_task(tick())
    try:
        return await work(), ticks
    finally:
        ticking.cancel()


def test_two_hundred_in_an_executor(make_pool: MakePool, serve: Serve) -> None:
    crowd = Crowd(serve)
    pool = make_pool(timeout=60)

    async def work() -> int:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(MANY) as threads:
            calls = [loop.run_in_executor(threads, pool.fetch, url) for url in crowd.urls]
            return sum(page.ok for page in await asyncio.gather(*calls))

    count, ticks = asyncio.run(while_the_loop_ticks(work))
    assert count == MANY
    assert ticks > 3


def test_two_hundred_by_one_thread(make_pool: MakePool, serve: Serve, example: ModuleType) -> None:
    crowd = Crowd(serve)
    pool = make_pool(timeout=60)
    before = threading.active_count()
    threads = 0

    async def work() -> int:
        nonlocal threads
        count = 0
        async for outcome in example.fetch_many(pool, crowd.urls, concurrency=MANY):
            threads = max(threads, len([one for one in threading.enumerate() if "asyncio" in one.name]))
            count += outcome.ok
        return count

    count, ticks = asyncio.run(while_the_loop_ticks(work))
    assert count == MANY
    assert ticks > 3
    assert threads == 1
    assert before <= threading.active_count()


@pytest.fixture
def silent(serve: Serve) -> Iterator[tuple[Server, threading.Event]]:
    """A server that does not answer, and an event: a request has come."""
    came, over = threading.Event(), threading.Event()

    @streaming
    def wait(exchange: Exchange) -> None:
        came.set()
        over.wait(30)
        exchange.start()
        exchange.end()

    yield serve(routes={"/": wait}), came
    over.set()


def under_way(pool: ConnectionPool) -> int:
    return sum(origin["leased"] for origin in pool.stats()["origins"].values())


def test_cancelling_leaves_the_thread_to_its_deadline(
    pool: ConnectionPool, silent: tuple[Server, threading.Event]
) -> None:
    server, came = silent

    async def work() -> int:
        call = asyncio.create_task(asyncio.to_thread(pool.fetch, server.url("/"), deadline=1.0))
        await asyncio.to_thread(came.wait, 10)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        return under_way(pool)

    start = time.monotonic()
    assert asyncio.run(work()) == 1
    assert time.monotonic() - start > 0.9, "asyncio.run() has waited for the thread"
    assert under_way(pool) == 0


def test_leaving_the_generator_ends_the_run(
    pool: ConnectionPool, silent: tuple[Server, threading.Event], example: ModuleType
) -> None:
    server, came = silent

    async def work() -> None:
        async def consume() -> None:
            async with contextlib.aclosing(example.fetch_many(pool, [server.url("/")] * 3)) as outcomes:
                async for _ in outcomes:
                    pass

        consumer = asyncio.create_task(consume())
        await asyncio.to_thread(came.wait, 10)
        consumer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await consumer
        assert under_way(pool) == 0

    asyncio.run(work())
