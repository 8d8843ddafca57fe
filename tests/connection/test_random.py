"""Twenty threads do at random what callers do, with servers that limit, reset and go away.

Each round has a seed; a failure names it, and `HYPERLITE_SEED=n pytest tests/connection/test_random.py`
repeats that round alone.
"""

import gc
import http.client
import os
import random
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest
from h2.settings import SettingCodes

import hyperlite
from hyperlite.testing.server import Exchange, Response, Server, streaming

THREADS = 20
STEPS = 2
PATIENCE = 20
ROUNDS = 500 if os.environ.get("CI") == "true" else 60


def content(target: str) -> bytes:
    """Return the body that belongs to a target: `/body/<number>/<size>`."""
    size = int(target.rpartition("/")[2])
    return (target.encode() * (size // len(target) + 1))[:size]


def handler(request: Any) -> Response:
    if request.path.startswith("/body/"):
        body = content(request.target)
        return Response(
            body=body if len(body) % 2 else (body[i : i + 1000] for i in range(0, len(body), 1000))
        )
    if request.path == "/slow":
        return Response(body=b"slow", delay=0.02)
    return Response(body=str(len(request.body)).encode())


@streaming
def reset(exchange: Exchange) -> None:
    exchange.start(200, [("content-length", "1000")])
    exchange.send(b"not so many")
    exchange.reset(2)


class Routes(dict[str, Any]):
    """/reset breaks off; everything else goes to `handler`."""

    def get(self, path: str, default: Any = None) -> Any:
        return super().get(path, handler)


class Caller:
    """One thread's random walk on a shared connection."""

    def __init__(self, conn: hyperlite.HTTP20Connection, server: Server, seed: str, *, rough: bool) -> None:
        self.conn = conn
        self.server = server
        self.dice = random.Random(seed)
        self.rough = rough  # a thread closes the connection now and then

    def run(self) -> None:
        steps = [
            self.fetch,
            self.fetch,
            self.batch,
            self.part,
            self.drop,
            self.cancel,
            self.post,
            self.upload,
        ]
        steps += [self.broken, self.give_up]
        if self.server.url().startswith("https"):
            steps.append(self.server.goaway)
        if self.rough:
            steps.append(self.conn.close)
        for _ in range(STEPS):
            try:
                self.dice.choice(steps)()
            except (hyperlite.HTTP2Error, http.client.ResponseNotReady, http.client.IncompleteRead):
                if not self.rough:
                    raise

    def target(self) -> str:
        return f"/body/{self.dice.randrange(10**9)}/{self.dice.choice([0, 1, 10, 1000, 20_000, 100_000])}"

    def fetch(self) -> None:
        target = self.target()
        response = self.conn.getresponse(self.conn.request("GET", target))
        assert response.read() == content(target)

    def batch(self) -> None:
        targets = [self.target() for _ in range(5)]
        if self.dice.random() < 0.5:
            ids = self.conn.request_many(("GET", target) for target in targets)
        else:
            ids = [self.conn.request("GET", target) for target in targets]
        pairs = list(zip(ids, targets, strict=True))
        self.dice.shuffle(pairs)
        for stream_id, target in pairs:
            assert self.conn.getresponse(stream_id).read() == content(target)

    def part(self) -> None:
        target = self.target()
        with self.conn.getresponse(self.conn.request("GET", target)) as response:
            assert content(target).startswith(response.read(5))

    def drop(self) -> None:
        self.conn.getresponse(self.conn.request("GET", self.target()))

    def cancel(self) -> None:
        self.conn.cancel(self.conn.request("GET", self.target()))

    def post(self) -> None:
        size = self.dice.choice([0, 1, 1000, 100_000])
        assert self.conn.getresponse(self.conn.request("POST", "/post", b"p" * size)).read() == b"%d" % size

    def upload(self) -> None:
        count = self.dice.randrange(5)
        body = (b"u" * 10_000 for _ in range(count))
        try:
            response = self.conn.getresponse(self.conn.request("POST", "/post", body))
        except hyperlite.ConnectionGoingAway:
            return  # a body that can be had only once is not sent again
        assert response.read() == b"%d" % (count * 10_000)

    def broken(self) -> None:
        errors = (hyperlite.HTTP2Error, http.client.IncompleteRead, ConnectionError)
        with pytest.raises(errors), self.conn.getresponse(self.conn.request("GET", "/reset")) as response:
            response.read()

    def give_up(self) -> None:
        stream_id = self.conn.request("GET", "/slow")
        try:
            list(self.conn.as_ready([stream_id], timeout=0.005))
        except TimeoutError:
            self.conn.cancel(stream_id)
        else:
            assert self.conn.getresponse(stream_id).read() == b"slow"


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(THREADS) as pool:
        yield pool


def seeds(share: float) -> range:
    """Return the seeds of a share of the rounds."""
    if chosen := os.environ.get("HYPERLITE_SEED"):
        return range(int(chosen), int(chosen) + 1)
    return range(int(ROUNDS * share))


@pytest.mark.long
@pytest.mark.timeout(600)  # for five hundred rounds; a round that hangs says so itself
@pytest.mark.parametrize(
    ("alpn", "limit", "share"), [("h2", 100, 0.4), ("h2", 3, 0.4), ("h2", 1, 0.2), ("http/1.1", 1, 1)]
)
def test_rounds(pool: ThreadPoolExecutor, alpn: str, limit: int, share: float) -> None:
    settings = {SettingCodes.MAX_CONCURRENT_STREAMS: limit, SettingCodes.INITIAL_WINDOW_SIZE: 20_000}
    with Server(Routes({"/reset": reset}), alpn=(alpn,), settings=settings) as server:
        context = server.context()
        for seed in seeds(share):
            conn = hyperlite.HTTP20Connection("localhost", server.port, context=context, timeout=PATIENCE)
            callers = [
                Caller(conn, server, f"{seed}/{number}", rough=seed % 5 == 0) for number in range(THREADS)
            ]
            futures = [pool.submit(caller.run) for caller in callers]
            _, stuck = wait(futures, timeout=2 * PATIENCE)
            assert not stuck, f"seed {seed}: {len(stuck)} threads hang, {conn!r}"
            for future in futures:
                assert future.exception() is None, f"seed {seed}: {future.exception()!r}"
            futures.clear()
            callers.clear()
            gc.collect(0)
            if seed % 5 == 0:
                conn.close()  # of a batch that failed, the rest may not have been taken
            with conn:
                assert conn.getresponse(conn.request("GET", "/body/last/10")).read() == b"/body/last"
                # Closed, if a late GOAWAY came with the response.
                idle = re.search(r", (closed|HTTP/\S+ 0 streams, 0 queued), 0 untaken>", repr(conn))
                assert idle, f"seed {seed}: {conn!r}"
