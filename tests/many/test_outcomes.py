"""fetch_many(): an exception in what is done for one request is that request's outcome, whatever it is."""

import contextlib
import json
import os
import random
import selectors
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from http.client import InvalidURL
from typing import Any

import pytest

from hyperlite import FetchRequest, Outcome
from hyperlite.errors import ConnectionLost, DecodingError
from hyperlite.fetching.hop import Fetcher
from hyperlite.fetching.task import Task
from hyperlite.http2.connection import HTTP2Connection
from hyperlite.many.flight import Flight
from hyperlite.origins.connection import PooledConnection
from hyperlite.origins.lease import Attempt
from hyperlite.origins.origin import Origin
from hyperlite.pool import ConnectionPool
from hyperlite.testing.server import Request, Response, Server
from tests.conftest import ROUTES, MakePool, Serve


class Mine(Exception):
    """An exception of the caller's own."""


def echo(request: Request) -> Response:
    return Response(body=request.target.encode())


@pytest.fixture(params=["h2", "http/1.1"])
def server(request: pytest.FixtureRequest, serve: Serve) -> Server:
    packed = Response(headers=[("content-encoding", "gzip, gzip, gzip, gzip, gzip, gzip")], body=b"x")
    corrupt = Response(headers=[("content-encoding", "gzip")], body=b"this is no gzip")
    routes = ROUTES | {"/echo": echo, "/packed": lambda _: packed, "/corrupt": lambda _: corrupt}
    return serve(routes=routes, alpn=(request.param,))


# -- items ----------------------------------------------------------------------------------------


class Unprintable:
    def __str__(self) -> str:
        raise Mine("no text")


class Hidden(FetchRequest):
    @property
    def timeout(self) -> float:  # type: ignore[override]
        raise Mine("no attribute")

    @timeout.setter
    def timeout(self, _: Any) -> None:
        """Take what the constructor gives."""


class Keyless(Mapping[str, Any]):
    def __getitem__(self, _: str) -> Any:
        raise Mine("no value")

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        yield "url"


class Unseekable:
    def read(self, _: int = -1) -> bytes:
        return b""

    def seek(self, _: int) -> None:
        raise Mine("no seek")

    def tell(self) -> int:
        raise Mine("no tell")


def nested(depth: int = 100_000) -> Any:
    made: Any = []
    for _ in range(depth):
        made = [made]
    return made


def failing_body(error: BaseException) -> Iterator[bytes]:
    yield b"piece"
    raise error


def starved(*_: Any) -> Any:
    raise MemoryError


class Starved(dict[str, Any]):
    items = starved


ITEMS: dict[str, tuple[Callable[[Server], Any], type[Exception]]] = {
    "None": (lambda _: None, TypeError),
    "a number": (lambda _: 5, TypeError),
    "bytes": (lambda server: server.url("/").encode(), TypeError),
    "an unknown argument": (lambda server: {"url": server.url("/"), "colour": "red"}, TypeError),
    "no URL": (lambda _: {"method": "GET"}, TypeError),
    "a mapping that raises": (lambda _: Keyless(), Mine),
    "attributes that raise": (lambda server: Hidden(server.url("/")), Mine),
    "a URL that is none": (lambda _: FetchRequest(object()), Exception),
    "a port that is none": (lambda _: "https://localhost:99999/", InvalidURL),
    "a header name that is a number": (lambda s: {"url": s.url("/"), "headers": {5: "x"}}, Exception),
    "headers that are none": (lambda server: {"url": server.url("/"), "headers": 5}, TypeError),
    "a header value that raises": (lambda s: {"url": s.url("/"), "headers": {"x": Unprintable()}}, Exception),
    "headers that raise": (lambda s: {"url": s.url("/"), "headers": Starved()}, MemoryError),
    "JSON that is too deep": (lambda server: {"url": server.url("/"), "json": nested()}, RecursionError),
    "JSON that is none": (lambda server: {"url": server.url("/"), "json": {1, 2}}, TypeError),
    "params that raise": (lambda server: {"url": server.url("/"), "params": {"x": Unprintable()}}, Mine),
    "a method that is a number": (lambda server: {"url": server.url("/"), "method": 5}, Exception),
    "a body that is a number": (lambda s: {"url": s.url("/report"), "method": "POST", "body": 5}, TypeError),
    "a body that cannot tell": (
        lambda server: {"url": server.url("/report"), "method": "POST", "body": Unseekable()},
        Mine,
    ),
    "a body that raises": (
        lambda server: {"url": server.url("/report"), "method": "POST", "body": failing_body(Mine("late"))},
        Mine,
    ),
    "a body that raises what is no error elsewhere": (
        lambda s: {"url": s.url("/report"), "method": "POST", "body": failing_body(StopAsyncIteration())},
        StopAsyncIteration,
    ),
    "timeout that is none": (lambda server: {"url": server.url("/"), "timeout": "soon"}, TypeError),
    "a deadline that is over": (lambda server: {"url": server.url("/"), "deadline": 0}, TimeoutError),
    "six codings": (lambda server: server.url("/packed"), DecodingError),
    "a coding that is none": (lambda server: server.url("/corrupt"), DecodingError),
}


@pytest.mark.parametrize("name", ITEMS)
def test_an_item_that_fails(make_pool: MakePool, server: Server, name: str):
    make, expected = ITEMS[name]
    pool = make_pool(retries=0)
    items = [server.url("/echo?1"), make(server), server.url("/echo?2"), make(server)]
    outcomes = list(pool.fetch_many(items, ordered=True))
    assert [outcome.request is item for outcome, item in zip(outcomes, items, strict=True)] == [True] * 4
    assert [outcome.ok for outcome in outcomes] == [True, False, True, False]
    for outcome in outcomes[1::2]:
        assert isinstance(outcome.error, expected)
    assert "0 requests under way" in repr(pool)


def test_a_proxy_that_cannot_be_chosen_for_a_redirect(make_pool: MakePool, serve: Serve):
    """The proxies are asked for the target when it is known: that is the request's affair."""

    class Proxies(dict[str, str]):
        def get(self, key: str, default: Any = None) -> Any:
            if "elsewhere" in key:
                raise Mine("no proxy")
            return super().get(key, default)

    server = serve(
        routes={
            "/": lambda _: Response(302, headers=[("location", "https://elsewhere.example/")]),
            "/echo": echo,
        }
    )
    pool = make_pool(proxies=Proxies())
    outcomes = list(pool.fetch_many([server.url("/"), server.url("/echo")], ordered=True))
    assert not outcomes[0].ok
    assert outcomes[1].ok


@pytest.mark.parametrize("ending", [SystemExit, KeyboardInterrupt])
def test_what_ends_a_program_ends_the_run(pool: ConnectionPool, server: Server, ending: type[BaseException]):
    """Though it is raised on a thread, where it would end that alone."""
    items = [{"url": server.url("/report"), "method": "POST", "body": failing_body(ending())}]
    with pytest.raises(ending):
        list(pool.fetch_many(items))
    assert pool.fetch(server.url("/echo")).body == b"/echo"


def test_what_the_callback_raises_comes_behind_the_outcome(pool: ConnectionPool, server: Server):
    def progress(done: int, _: int | None) -> None:
        if done == 3:
            raise Mine("enough")

    seen: list[Outcome[Any]] = []
    with pytest.raises(Mine, match="enough"):
        seen.extend(pool.fetch_many([server.url("/echo")] * 50, progress=progress))
    seen.clear()
    with pytest.raises(Mine, match="enough"):
        for outcome in pool.fetch_many([server.url("/echo")] * 50, progress=progress):
            seen.append(outcome)  # noqa: PERF402  extend() takes nothing of an iterable that raises
    assert len(seen) == 3
    assert pool.fetch(server.url("/echo")).body == b"/echo"


# -- time -----------------------------------------------------------------------------------------


def test_a_dial_that_is_given_up_for_one_request_does_not_fail_the_others(make_pool: MakePool):
    """The first has little time, and the connection is dialled for it; the second has more."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held: list[socket.socket] = []

        def serve() -> None:
            held.append(listener.accept()[0])  # says nothing
            with contextlib.suppress(OSError):
                listener.accept()[0].close()

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
        items = [FetchRequest(url, deadline=0.2), FetchRequest(url, timeout=20)]
        late, refused = make_pool(retries=0).fetch_many(items, ordered=True)
        thread.join()
        held[0].close()
    assert isinstance(late.error, TimeoutError)
    assert not isinstance(refused.error, TimeoutError)


# -- faults, wherever something is called ---------------------------------------------------------

FAULTS: list[tuple[type, str]] = [
    (Fetcher, "origin"),
    (Fetcher, "hop"),
    (Fetcher, "follow"),
    (Fetcher, "retry"),
    (Fetcher, "received"),
    (Origin, "try_lease"),
    (Origin, "lease"),
    (Origin, "expand"),
    (PooledConnection, "make_request"),
    (PooledConnection, "ask"),
    (Attempt, "begin"),
    (Attempt, "break_off"),
    (Task, "patience"),
    (Flight, "drain"),
    (Flight, "finish"),
    (Flight, "check_timeouts"),
    (HTTP2Connection, "submit"),
    (HTTP2Connection, "pump"),
    (HTTP2Connection, "read"),
    (HTTP2Connection, "fileno"),
    (HTTP2Connection, "check"),
    (selectors.DefaultSelector, "modify"),
    (threading.Thread, "start"),
]
# What gives back, or closes. Where that itself fails, something may stay taken, or open.
ENDS: list[tuple[type, str]] = [
    (Origin, "release"),
    (Origin, "discard"),
    (HTTP2Connection, "cancel"),
    (HTTP2Connection, "abandon"),
    (HTTP2Connection, "drain"),
]
KINDS: list[Callable[[], Exception]] = [
    lambda: OSError(9, "Bad file descriptor"),
    lambda: ValueError("Invalid file descriptor: -1"),
    lambda: KeyError(7),
    lambda: ConnectionLost("broken"),
    lambda: ConnectionLost("refused", retry_safe=True),
    MemoryError,
    RuntimeError,
    Mine,
]


@contextlib.contextmanager
def faults(patch: pytest.MonkeyPatch, where: list[tuple[type, str]], seed: int) -> Iterator[Counter[str]]:
    """Have one call in twelve of these raise something, in the thread that makes a run only."""
    chance, struck = random.Random(seed), Counter[str]()
    here = threading.get_ident()

    def faulty(owner: type, name: str) -> Callable[..., Any]:
        genuine = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() == here and chance.random() < 1 / 12:
                struck[name] += 1
                kind = chance.choice(KINDS)
                raise kind()
            return genuine(*args, **kwargs)

        return call

    with patch.context() as context:
        for owner, name in where:
            context.setattr(owner, name, faulty(owner, name))
        yield struck


def run(pool: ConnectionPool, server: Server, seed: int) -> None:
    """Fetch all sorts of things; each has one outcome, and what is whole is right."""
    items: list[Any] = []
    for number in range(60):
        body = b"%d" % number
        items += [
            server.url(f"/echo?n={number}"),
            server.url("/away"),
            FetchRequest(server.url("/report"), "POST", body=body),
        ]
        if not number % 10:
            items += [server.url("/sized?n=300000"), server.url("/busy"), None]
            items.append(FetchRequest(server.url("/report"), "PUT", body=iter([body])))
    outcomes = list(pool.fetch_many(items, ordered=bool(seed % 2), concurrency=10 + seed % 30))
    assert sorted(outcome.index for outcome in outcomes) == list(range(len(items)))
    for outcome in outcomes:
        assert (outcome.response is None) != (outcome.error is None)
        assert outcome.request is items[outcome.index]
        if not outcome.ok or outcome.response is None or outcome.response.status != 200:
            continue
        if isinstance(outcome.request, FetchRequest):
            if outcome.request.method == "POST":
                assert json.loads(outcome.response.body)["body"] == outcome.request.body.decode()
        elif "sized" in outcome.request:
            assert outcome.response.body == b"x" * 300_000
        elif "away" not in outcome.request:
            assert outcome.request.endswith(outcome.response.body.decode())


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
@pytest.mark.parametrize("seed", range(4))
def test_each_has_one_outcome_whatever_fails(
    make_pool: MakePool, serve: Serve, monkeypatch: pytest.MonkeyPatch, alpn: str, seed: int
):
    routes = ROUTES | {
        "/echo": echo,
        "/away": lambda _: Response(302, headers=[("location", "/echo?from=away")]),
        "/busy": lambda _: Response(503, headers=[("retry-after", "0")]),
    }
    server = serve(routes=routes, alpn=(alpn,))
    pool = make_pool(timeout=5)
    with faults(monkeypatch, FAULTS, seed) as struck:
        run(pool, server, seed)
    assert struck
    assert pool.fetch(server.url("/echo")).body == b"/echo"


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("where", FAULTS + ENDS, ids=lambda where: f"{where[0].__name__}.{where[1]}")
def test_each_has_one_outcome_where_one_thing_fails(
    make_pool: MakePool, serve: Serve, monkeypatch: pytest.MonkeyPatch, where: tuple[type, str]
):
    server = serve(routes=ROUTES | {"/echo": echo})
    pool = make_pool(timeout=5, retries=1)
    urls = [server.url(path) for path in ("/echo", "/sized?n=300000", "/missing")] * 10
    with faults(monkeypatch, [where], seed=1):
        outcomes = list(pool.fetch_many(urls, concurrency=7))
    assert sorted(outcome.index for outcome in outcomes) == list(range(30))
    if where not in ENDS:
        assert pool.fetch(server.url("/echo")).body == b"/echo"


# -- another thread, another process --------------------------------------------------------------


def test_a_pool_that_others_close_and_use(make_pool: MakePool, serve: Serve):
    """Connections are closed under the loop's hands, by `close_idle()`, and by GOAWAY."""
    server = serve(routes=ROUTES | {"/echo": echo}, requests_per_connection=40)
    pool = make_pool()
    stop = threading.Event()
    counts: list[Counter[int]] = []

    def fetch(ordered: bool) -> None:
        urls = [server.url(f"/echo?n={number}") for number in range(400)]
        seen = Counter[int]()
        for outcome in pool.fetch_many(urls, ordered=ordered, concurrency=20):
            assert outcome.result().body == f"/echo?n={outcome.index}".encode()
            seen[outcome.index] += 1
        counts.append(seen)

    def disturb() -> None:
        while not stop.is_set():
            pool.close_idle()
            pool.fetch(server.url("/echo"))

    threads = [threading.Thread(target=fetch, args=(bool(number % 2),)) for number in range(4)]
    disturber = threading.Thread(target=disturb)
    for thread in (*threads, disturber):
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    disturber.join()
    assert counts == [Counter(range(400))] * 4


def test_pools_that_are_closed_at_any_moment(make_pool: MakePool, server: Server):
    for moment in range(0, 40, 4):
        pool = make_pool()
        urls = [server.url(f"/echo?n={number}") for number in range(60)]
        reached = threading.Event()
        closer = threading.Thread(target=lambda pool=pool, reached=reached: reached.wait(10) and pool.close())
        closer.start()
        seen: list[int] = []
        for outcome in pool.fetch_many(urls, concurrency=15):
            seen.append(outcome.index)
            if len(seen) > moment:
                reached.set()
        closer.join()
        assert sorted(seen) == list(range(60))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_run_belongs_to_the_process_that_began_it(pool: ConnectionPool, server: Server):
    """A child that goes on with it would change what its parent's selector waits for."""
    urls = [server.url(f"/echo?n={number}") for number in range(300)]
    outcomes = pool.fetch_many(urls, concurrency=10)
    seen = [next(outcomes).index]
    child = os.fork()
    if not child:
        signal.alarm(10)
        code = 1
        try:
            for _ in outcomes:
                pass
        except ConnectionLost as error:
            code = 0 if "parent" in str(error) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    seen += [outcome.index for outcome in outcomes if outcome.ok]
    assert sorted(seen) == list(range(300))
