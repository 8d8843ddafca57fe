"""Twenty threads, four ways of asking, a network that breaks, and a server that is killed and started again.

Each request has exactly one outcome; a body is whole and the right one, or there is an error; a POST reaches
the server once if it succeeds, never if its error says `retry_safe`, and never twice.

Each round has a seed; a failure names it, and `HYPERLITE_SEED=n pytest tests/faults` repeats that round.
"""

import collections
import faulthandler
import http.client
import os
import random
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import requests

import hyperlite
from hyperlite.adapters.requests import HTTP20Adapter
from hyperlite.testing.certificates import certificates
from hyperlite.testing.server import Request, Response, Server

from .proxy import FaultProxy

THREADS = 20
STEPS = 4
# Requests that are sent together by HTTP20Connection and by fetch_many().
TOGETHER = 8
# Seconds of one step; a connection that is frozen costs as many.
TIMEOUT = 0.75
# Requests that the server has answered between two of its deaths.
LIFE = 400
# A thread that takes longer hangs.
PATIENCE = 90
SEEDS = [os.environ["HYPERLITE_SEED"]] if "HYPERLITE_SEED" in os.environ else ["1", "2"]
FAILURES = (http.client.HTTPException, OSError)


def content(target: str) -> bytes:
    """Return the body that belongs to a target: `/body/<number>/<size>`."""
    size = int(target.rpartition("/")[2])
    return (target.encode() * (size // len(target) + 1))[:size]


class Site:
    """What the servers share: which POST came how often, and when the next death is due."""

    def __init__(self) -> None:
        self.posts: collections.Counter[str] = collections.Counter()
        self.answered = 0
        self.due = threading.Event()
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Response:
        with self._lock:
            self.answered += 1
            if self.answered % LIFE == 0:
                self.due.set()
            if request.method == "POST":
                self.posts[request.target] += 1
                if request.body != content(request.target):
                    return Response(400, body=b"another body")
        return Response(body=content(request.target))


@dataclass
class Asked:
    """A request, and what came of it: one of the two."""

    method: str
    target: str
    outcomes: int = 0
    status: int = 0
    body: bytes = b""
    error: BaseException | None = None

    def answered(self, status: int, body: bytes) -> None:
        self.outcomes += 1
        self.status, self.body = status, body

    def failed(self, error: BaseException) -> None:
        self.outcomes += 1
        self.error = error


class Callers:
    """The four ways of asking, each shared by all threads."""

    def __init__(self, port: int, stack: ExitStack) -> None:
        self._url = f"https://localhost:{port}"
        certificate = certificates().ca_file
        self._conn = stack.enter_context(
            hyperlite.HTTP20Connection(
                "localhost", port, timeout=TIMEOUT, context=hyperlite.create_context(cafile=certificate)
            )
        )
        self._pool = stack.enter_context(
            hyperlite.ConnectionPool(timeout=TIMEOUT, verify=certificate, proxies=False)
        )
        self._session = stack.enter_context(requests.Session())
        self._session.trust_env = False
        self._session.verify = certificate
        self._session.mount("https://", HTTP20Adapter(pool_maxsize=THREADS))

    def connection(self, asked: list[Asked]) -> None:
        """Send all, then read all as they are ready, on the connection that the threads share."""
        ids: dict[int, Asked] = {}
        for one in asked:
            body = content(one.target) if one.method == "POST" else None
            try:
                ids[self._conn.request(one.method, one.target, body)] = one
            except FAILURES as error:
                one.failed(error)
        for stream_id in self._conn.as_ready(ids):
            one = ids[stream_id]
            try:
                with self._conn.getresponse(stream_id) as response:
                    one.answered(response.status, response.read())
            except FAILURES as error:
                one.failed(error)

    def fetch(self, asked: list[Asked]) -> None:
        for one in asked:
            body = content(one.target) if one.method == "POST" else None
            try:
                response = self._pool.fetch(self._url + one.target, one.method, body=body)
            except FAILURES as error:
                one.failed(error)
            else:
                one.answered(response.status, response.body)

    def fetch_many(self, asked: list[Asked]) -> None:
        items = [
            hyperlite.FetchRequest(
                self._url + one.target,
                one.method,
                body=content(one.target) if one.method == "POST" else None,
                tag=one,
            )
            for one in asked
        ]
        for outcome in self._pool.fetch_many(items):
            one = outcome.request.tag
            if outcome.error is not None:
                assert isinstance(outcome.error, FAILURES)
                one.failed(outcome.error)
            else:
                one.answered(outcome.response.status, outcome.response.body)

    def adapter(self, asked: list[Asked]) -> None:
        for one in asked:
            body = content(one.target) if one.method == "POST" else None
            try:
                response = self._session.request(
                    one.method, self._url + one.target, data=body, timeout=TIMEOUT
                )
            except requests.RequestException as error:
                one.failed(error)
            else:
                one.answered(response.status_code, response.content)


def ask(callers: Callers, dice: random.Random) -> list[Asked]:
    """Ask in all four ways, in an order of this thread's own; returns what was asked."""
    asked: list[Asked] = []
    ways: list[tuple[Callable[[list[Asked]], None], int]] = [
        (callers.connection, TOGETHER),
        (callers.fetch, 2),
        (callers.fetch_many, TOGETHER),
        (callers.adapter, 2),
    ]
    for _ in range(STEPS):
        dice.shuffle(ways)
        for way, count in ways:
            batch = [
                Asked(
                    dice.choice(["GET", "GET", "POST"]),
                    f"/body/{dice.randrange(10**12)}/{dice.choice([0, 10, 1_000, 20_000, 100_000])}",
                )
                for _ in range(count)
            ]
            asked += batch
            way(batch)
    return asked


@pytest.fixture
def rebirths(request: pytest.FixtureRequest) -> Iterator[Callable[[Site, str, FaultProxy], list[int]]]:
    """Kill the server whenever the site says so, and start another; all of them end with the test."""
    over, saboteurs = threading.Event(), []

    def begin(site: Site, protocol: str, proxy: FaultProxy) -> list[int]:
        deaths: list[int] = []

        def work() -> None:
            server = Server(site.answer, alpn=(protocol,))
            proxy.upstream = server.port
            started.set()
            while not over.is_set():
                site.due.wait()
                site.due.clear()
                server.close()
                if not over.is_set():
                    deaths.append(site.answered)
                    server = Server(site.answer, alpn=(protocol,))
                    proxy.upstream = server.port
            server.close()

        started = threading.Event()
        saboteur = threading.Thread(target=work, daemon=True)
        saboteur.start()
        assert started.wait(10)
        saboteurs.append((saboteur, site))
        return deaths

    yield begin
    over.set()
    for saboteur, site in saboteurs:
        site.due.set()
        saboteur.join(30)


@pytest.mark.timeout(PATIENCE * 2)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
def test_each_request_has_one_outcome(
    protocol: str, seed: str, rebirths: Callable[[Site, str, FaultProxy], list[int]]
):
    site = Site()
    with ExitStack() as stack:
        proxy = stack.enter_context(FaultProxy(0, seed))
        deaths = rebirths(site, protocol, proxy)
        callers = Callers(proxy.port, stack)
        threads = stack.enter_context(ThreadPoolExecutor(THREADS))
        done = [threads.submit(ask, callers, random.Random(f"{seed} {number}")) for number in range(THREADS)]
        _, hung = wait(done, PATIENCE)
        if hung:
            faulthandler.dump_traceback(file=sys.__stderr__)
            pytest.fail(f"seed {seed}: {len(hung)} threads hang")
        asked = [one for future in done for one in future.result()]
    assert {"cut", "reset", "freeze", "drip"} <= set(proxy.faults)
    assert deaths
    for one in asked:
        judge(one, site.posts[one.target], f"seed {seed}: {one.method} {one.target}")
    assert sum(one.status == 200 for one in asked) > len(asked) / 4  # the network works now and then


def judge(one: Asked, reached: int, which: str) -> None:
    """Check what came of a request that has reached the server so often."""
    assert one.outcomes == 1, which
    if one.error is None:
        assert one.status == 200, which
        assert one.body == content(one.target), f"{which}: another body, of {len(one.body)} bytes"
    if one.method != "POST":
        return
    assert reached <= 1, f"{which} reached the server {reached} times"
    if one.error is None:
        assert reached == 1, which
    if is_retry_safe(one.error):
        assert reached == 0, f"{which} reached the server, and its error is retry_safe: {one.error!r}"


def is_retry_safe(error: BaseException | None) -> bool:
    """Tell whether an error, or what requests and urllib3 have wrapped in theirs, says retry_safe."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            if getattr(one, "retry_safe", False):
                return True
            waiting += [*one.args, getattr(one, "reason", None)]
    return False
