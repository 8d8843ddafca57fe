"""hyperlite in a program that runs on asyncio: one request, many at once, and a run that feeds a queue.

python from_asyncio.py https://example.org/ [how many] [the file of an authority to trust]
"""

import asyncio
import sys
import threading
from collections.abc import AsyncGenerator, Iterable
from concurrent.futures import ThreadPoolExecutor

import hyperlite


async def fetch(pool: hyperlite.ConnectionPool, url: str) -> hyperlite.FetchResponse:
    """Fetch a URL in a thread; the event loop goes on meanwhile."""
    return await asyncio.to_thread(pool.fetch, url, deadline=30)


async def fetch_all(pool: hyperlite.ConnectionPool, urls: list[str]) -> list[hyperlite.FetchResponse]:
    """Fetch some URLs at once, each in a thread: the executor has a thread for each."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(len(urls)) as threads:
        return await asyncio.gather(*(loop.run_in_executor(threads, pool.fetch, url) for url in urls))


async def fetch_many(
    pool: hyperlite.ConnectionPool, urls: Iterable[str], *, concurrency: int = 100, ahead: int = 100
) -> AsyncGenerator[hyperlite.Outcome[str], None]:
    """Yield the outcomes of any number of URLs, all of them fetched in one thread.

    Args:
        pool: the connections.
        urls: what to fetch.
        concurrency: how many requests to each origin are under way at a time.
        ahead: how many outcomes may wait for the consumer. While so many do, no request is sent.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[hyperlite.Outcome[str] | None] = asyncio.Queue()
    room = threading.Semaphore(ahead)
    run = pool.fetch_many(urls, concurrency=concurrency)

    def work() -> None:
        try:
            for outcome in run:
                room.acquire()
                loop.call_soon_threadsafe(queue.put_nowait, outcome)
        finally:
            loop.call_soon_threadsafe(queue.put_nowait, None)

    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        while (outcome := await queue.get()) is not None:
            room.release()
            yield outcome
        await task  # raises what the thread has raised
    finally:  # also if the consumer leaves early, or is cancelled
        run.cancel()
        room.release()
        await asyncio.wait([task])


async def main(url: str, count: int = 200, authorities: str | None = None) -> None:
    """Fetch a URL in each of these ways."""
    with hyperlite.ConnectionPool(verify=authorities or True) as pool:
        print((await fetch(pool, url)).status)
        pages = await fetch_all(pool, [f"{url}?{n}" for n in range(20)])
        print(sum(page.ok for page in pages))
        print(sum([outcome.ok async for outcome in fetch_many(pool, [f"{url}?{n}" for n in range(count)])]))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]) if sys.argv[2:] else 200, *sys.argv[3:]))
