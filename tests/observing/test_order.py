"""Each request is told in order, with times that never go back, and ends once."""

import threading
from collections import Counter
from typing import Any

import pytest

from hyperlite import ConnectionPool, Observer
from hyperlite.observing import RequestInfo
from hyperlite.testing import Response, Server
from tests.conftest import Connect, MakePool, Serve

from .test_observers import by_protocol

BODY = b"x" * 3000


class Judge(Observer):
    """Complains of what is told out of order, and counts the ends."""

    def __init__(self) -> None:
        self.complaints: list[tuple[str, RequestInfo]] = []
        self.ends: dict[int, str] = {}
        self.open: dict[int, str] = {}

    def _step(self, request: RequestInfo, event: str, *, after: tuple[str | None, ...]) -> None:
        times = request.timings
        steps = (times.dns or 0) + (times.connect or 0) + (times.tls or 0)
        marks = [time for time in (times.sent, times.first_byte, times.last_byte) if time is not None]
        in_order = marks == sorted(marks) and all(mark >= steps for mark in marks)
        if self.open.get(request.number) not in after or request.number in self.ends or not in_order:
            self.complaints.append((event, request))
        self.open[request.number] = event

    def _end(self, request: RequestInfo, event: str, *, after: tuple[str | None, ...]) -> None:
        self._step(request, event, after=after)
        self.ends[request.number] = event
        del self.open[request.number]

    def sent(self, request: RequestInfo) -> None:
        self._step(request, "sent", after=(None,))

    def head(self, request: RequestInfo) -> None:
        self._step(request, "head", after=("sent",))

    def body(self, request: RequestInfo, size: int) -> None:
        self._step(request, "body", after=("head", "body"))

    def done(self, request: RequestInfo) -> None:
        self._end(request, "done", after=("head", "body"))

    def retried(self, request: RequestInfo, reason: Exception | int, pause: float) -> None:
        if isinstance(reason, Exception):
            self._end(request, "retried", after=(None, "sent", "head", "body"))

    def failed(self, request: RequestInfo, error: Exception) -> None:
        self._end(request, "failed", after=(None, "sent", "head", "body"))


def by_threads(pool: ConnectionPool, server: Server) -> None:
    threads = [threading.Thread(target=lambda: pool.fetch(server.url("/"))) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def by_fetch_many(pool: ConnectionPool, server: Server) -> None:
    for outcome in pool.fetch_many([server.url("/")] * 30):
        outcome.result()


# None: the connection is kept. 3: GOAWAY, or the end of HTTP/1.1's connection, after three requests.
by_limit = pytest.mark.parametrize("limit", [None, 3])


@by_limit
@by_protocol
@pytest.mark.parametrize("way", [by_threads, by_fetch_many])
def test_a_pool(make_pool: MakePool, serve: Serve, way: Any, alpn: str, limit: int | None) -> None:
    server = serve(routes=lambda _: Response(body=BODY), alpn=(alpn,), requests_per_connection=limit)
    judge = Judge()
    way(make_pool(observers=[judge]), server)
    assert (judge.complaints, judge.open) == ([], {})
    ends = Counter(judge.ends.values())
    assert ends["done"] == 30
    assert not ends["failed"]


@by_limit
@by_protocol
def test_a_connection(connect: Connect, serve: Serve, alpn: str, limit: int | None) -> None:
    server = serve(routes=lambda _: Response(body=BODY), alpn=(alpn,), requests_per_connection=limit)
    judge = Judge()
    conn = connect(server, observers=[judge])
    for _ in range(3):
        for one in [conn.request("GET", "/") for _ in range(8)]:
            assert conn.getresponse(one).read() == BODY
    assert (judge.complaints, judge.open) == ([], {})
    assert Counter(judge.ends.values()) == {"done": 24}


@by_protocol
def test_an_observer_that_uses_the_pool(make_pool: MakePool, serve: Serve, alpn: str) -> None:
    """Each of its methods but `dialled` and `frame` may; the requests that it makes are told, too."""
    server = serve(routes=lambda _: Response(body=BODY), alpn=(alpn,))
    fetched: list[int] = []
    mine = threading.local()

    class Asking(Observer):
        def _ask(self, *_: object) -> None:
            if not getattr(mine, "asks", False):
                mine.asks = True
                fetched.append(pool.fetch(server.url("/")).status)
                mine.asks = False

        sent = head = body = done = _ask

    judge = Judge()
    # On HTTP/1.1 each of thirty requests has a connection, and each of those that it makes needs another.
    pool = make_pool(observers=[Asking(), judge], max_connections_per_origin=64)
    pool.fetch(server.url("/"))
    by_fetch_many(pool, server)
    assert fetched == [200] * 4 * 31
    assert (judge.complaints, judge.open) == ([], {})
    assert Counter(judge.ends.values()) == {"done": 5 * 31}
