"""Numbers of seconds, wherever they are taken: infinity is no limit, and what is none is an error at once."""

import contextlib
import datetime as dt
import math
import socket
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

import hyperlite
from hyperlite.cli import main
from hyperlite.fetching.task import make_task
from hyperlite.many.poller import Poller
from hyperlite.messages.replay import UNSENT
from hyperlite.net.timeouts import checked_seconds, resolve_timeout
from hyperlite.testing.server import Response, Server
from tests.conftest import Connect, Serve

NONSENSE = [math.nan, -1, -0.001, -math.inf]
ENDLESS = [None, math.inf, 1e300]


class Scalar:
    """What numpy's numbers are to Python: neither int nor float."""

    def __init__(self, value: float) -> None:
        self._value = value

    def __repr__(self) -> str:
        return f"Scalar({self._value})"

    def __float__(self) -> float:
        return self._value


class Whole:
    """A number that is an integer and no more, as numpy's are."""

    def __init__(self, value: int) -> None:
        self._value = value

    def __repr__(self) -> str:
        return f"Whole({self._value})"

    def __index__(self) -> int:
        return self._value


class Text(str):
    """What numpy's text is to Python."""

    def __float__(self) -> float:
        return float(str(self))


# All of them 1, so that one test is for each.
NUMBERS = [Decimal(1), Fraction(2, 2), Scalar(1.0), Whole(1), True]
SHORT = [Decimal("0.01"), Fraction(1, 100), Scalar(0.01)]
NO_NUMBERS = ["5", Text("5"), b"5", [1], 1j, object(), dt.timedelta(seconds=1)]


@pytest.mark.parametrize("seconds", [0, 0.5, 60, threading.TIMEOUT_MAX])
def test_a_number_is_itself(seconds: float) -> None:
    assert checked_seconds(seconds, "timeout") == seconds
    with socket.socket() as sock:
        sock.settimeout(seconds)


@pytest.mark.parametrize("seconds", NO_NUMBERS)
@pytest.mark.parametrize("check", [lambda seconds: checked_seconds(seconds, "timeout"), resolve_timeout])
def test_what_is_no_number_at_all(check: Any, seconds: object) -> None:
    with pytest.raises(TypeError, match="timeout is a number of seconds"):
        check(seconds)


@pytest.mark.parametrize("seconds", NUMBERS, ids=repr)
def test_every_kind_of_number(seconds: Any) -> None:
    assert checked_seconds(seconds, "timeout") == resolve_timeout(seconds) == 1.0
    assert type(resolve_timeout(seconds)) is float


@pytest.mark.parametrize(
    "seconds", [10**400, Decimal("1e400"), Decimal("inf"), Fraction(10**400), Scalar(math.inf)]
)
def test_too_many_seconds_are_no_limit(seconds: Any) -> None:
    assert checked_seconds(seconds, "timeout") is None
    with pytest.raises(ValueError, match="timeout"):
        checked_seconds(Scalar(-math.inf) if isinstance(seconds, Scalar) else -seconds, "timeout")


@pytest.mark.parametrize(
    "seconds", [Decimal("nan"), Decimal("snan"), Scalar(math.nan), Whole(-1), Fraction(-1, 2)]
)
def test_every_kind_of_nonsense(seconds: Any) -> None:
    with pytest.raises(ValueError, match="timeout"):
        checked_seconds(seconds, "timeout")


@pytest.mark.parametrize("seconds", NUMBERS, ids=repr)
def test_the_socket_of_a_connection_has_the_timeout(server: Server, connect: Connect, seconds: Any) -> None:
    conn = connect(server, timeout=seconds)
    conn.connect()
    assert conn.sock.gettimeout() == 1.0
    conn.close()
    conn.timeout = 5
    conn.timeout = seconds
    conn.connect()
    assert conn.sock.gettimeout() == 1.0


@pytest.mark.parametrize("seconds", SHORT, ids=repr)
@pytest.mark.parametrize("name", ["timeout", "deadline"])
def test_a_request_ends_in_time(conn: hyperlite.HTTP20Connection, name: str, seconds: Any) -> None:
    with pytest.raises(TimeoutError):  # to connect may already take so long
        conn.getresponse(conn.request("GET", "/slow", **{name: seconds}))
    setattr(conn, name, seconds)
    conn.close()
    with pytest.raises(TimeoutError):
        conn.getresponse(conn.request("GET", "/slow"))


@pytest.mark.parametrize("seconds", SHORT, ids=repr)
def test_a_wait_ends_in_time(h2: hyperlite.HTTP20Connection, seconds: Any) -> None:
    h2.request("GET", "/slow")
    with pytest.raises(hyperlite.RequestTimeout):
        list(h2.as_ready(timeout=seconds))
    h2.sock.settimeout(seconds)
    assert h2.sock.gettimeout() == 0.01
    with pytest.raises(hyperlite.RequestTimeout):
        h2.getresponse()


@pytest.mark.parametrize("seconds", [Decimal(60), Fraction(60), Scalar(60.0), Whole(60)], ids=repr)
def test_of_a_sign_of_life(serve: Serve, connect: Connect, seconds: Any) -> None:
    conn = connect(serve(), keepalive_idle=seconds, ping_timeout=seconds)
    assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"
    assert conn.ping(seconds) > 0


@pytest.mark.parametrize("seconds", NONSENSE)
@pytest.mark.parametrize("name", ["timeout", "deadline", "keepalive_idle", "ping_timeout"])
def test_of_a_connection(name: str, seconds: float) -> None:
    with pytest.raises(ValueError, match=name):
        hyperlite.HTTP20Connection("localhost", **{name: seconds})


@pytest.mark.parametrize("seconds", NONSENSE)
@pytest.mark.parametrize("name", ["timeout", "deadline"])
def test_of_a_request(conn: hyperlite.HTTP20Connection, server: Server, name: str, seconds: float) -> None:
    with pytest.raises(ValueError, match=name):
        conn.request("GET", "/", **{name: seconds})
    assert server.connections == 0


@pytest.mark.parametrize("seconds", NONSENSE)
def test_set_later(conn: hyperlite.HTTP20Connection, seconds: float) -> None:
    conn.timeout = seconds
    with pytest.raises(ValueError, match="timeout"):
        conn.connect()
    conn.timeout = 10
    conn.deadline = seconds
    with pytest.raises(ValueError, match="deadline"):
        conn.request("GET", "/")
    conn.deadline = None
    assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"


@pytest.mark.parametrize("seconds", NONSENSE)
def test_of_a_wait(h2: hyperlite.HTTP20Connection, seconds: float) -> None:
    stream_id = h2.request("GET", "/")
    with pytest.raises(ValueError, match="timeout"):
        list(h2.as_ready(timeout=seconds))
    with pytest.raises(ValueError, match="timeout"):
        h2.ping(seconds)
    with pytest.raises(ValueError, match="timeout"):
        h2.sock.settimeout(seconds)
    assert h2.getresponse(stream_id).read() == b"hello"


@pytest.mark.parametrize("seconds", ENDLESS)
def test_no_limit(server: Server, connect: Connect, seconds: float | None) -> None:
    conn = connect(server, timeout=seconds, deadline=seconds, keepalive_idle=seconds)
    stream_id = conn.request("GET", "/", timeout=seconds, deadline=seconds)
    assert list(conn.as_ready(timeout=seconds)) == [stream_id]
    assert conn.getresponse(stream_id).read() == b"hello"
    conn.request("POST", "/count", iter([b"body"]))
    assert conn.getresponse().read() == b"4"


def test_no_limit_to_wait_for_a_sign_of_life(serve: Serve, connect: Connect) -> None:
    conn = connect(serve(), keepalive_idle=0, ping_timeout=math.inf)
    for _ in range(2):
        assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"
    assert conn.ping(math.inf) > 0
    conn.sock.settimeout(math.inf)
    assert conn.sock.gettimeout() is None
    assert conn.ping() > 0


@pytest.fixture
def pools() -> Iterator[Callable[..., hyperlite.ConnectionPool]]:
    made: list[hyperlite.ConnectionPool] = []

    def make(server: Server, **options: Any) -> hyperlite.ConnectionPool:
        made.append(hyperlite.ConnectionPool(context=server.context(), **options))
        return made[-1]

    yield make
    for pool in made:
        pool.close()


@pytest.mark.parametrize("seconds", NONSENSE)
class TestPool:
    @pytest.mark.parametrize(
        "name", ["timeout", "deadline", "idle_timeout", "keepalive_idle", "ping_timeout"]
    )
    def test_of_its_own(self, name: str, seconds: float) -> None:
        with pytest.raises(ValueError, match=name):
            hyperlite.ConnectionPool(**{name: seconds})

    @pytest.mark.parametrize("name", ["timeout", "deadline"])
    def test_of_a_fetch(self, server: Server, pools: Any, name: str, seconds: float) -> None:
        pool = pools(server)
        for call in (pool.fetch, lambda url, **options: pool.request("GET", url, **options)):
            with pytest.raises(ValueError, match=name):
                call(server.url(), **{name: seconds})
        with pytest.raises(ValueError, match=name):
            pool.fetch_many([server.url()], **{name: seconds})
        assert server.connections == 0

    @pytest.mark.parametrize("name", ["timeout", "deadline"])
    def test_of_one_of_many(self, server: Server, pools: Any, name: str, seconds: float) -> None:
        """What is wrong with one is that one's outcome."""
        requests = [server.url(), hyperlite.FetchRequest(server.url(), **{name: seconds})]
        good, bad = pools(server).fetch_many(requests, ordered=True)
        assert good.result().body == b"hello"
        with pytest.raises(ValueError, match=name):
            bad.result()


@pytest.mark.parametrize("seconds", SHORT, ids=repr)
@pytest.mark.parametrize("name", ["timeout", "deadline"])
def test_a_fetch_ends_in_time(server: Server, pools: Any, name: str, seconds: Any) -> None:
    limit = {name: seconds}
    with pytest.raises(TimeoutError):
        pools(server, **limit).fetch(server.url("/slow"))
    pool = pools(server)
    with pytest.raises(TimeoutError):
        pool.fetch(server.url("/slow"), **limit)
    (outcome,) = pool.fetch_many([server.url("/slow")], **limit)
    with pytest.raises(TimeoutError):
        outcome.result()
    (outcome,) = pool.fetch_many([hyperlite.FetchRequest(server.url("/slow"), **limit)])
    with pytest.raises(TimeoutError):
        outcome.result()


@pytest.mark.parametrize("seconds", [Decimal(60), Fraction(60), Scalar(60.0), Whole(60)], ids=repr)
def test_of_a_pool_that_keeps_connections(server: Server, pools: Any, seconds: Any) -> None:
    pool = pools(server, idle_timeout=seconds, keepalive_idle=seconds, ping_timeout=seconds)
    assert [pool.fetch(server.url()).body for _ in range(2)] == [b"hello"] * 2
    assert server.connections == 1


@pytest.mark.parametrize("seconds", SHORT, ids=repr)
def test_of_retries(serve: Serve, pools: Any, seconds: Any) -> None:
    answers = iter([Response(503, headers=[("retry-after", "0")]), Response(body=b"hello")])
    server = serve(routes=lambda _: next(answers))
    retries = hyperlite.Retries(backoff=seconds, longest=seconds)
    assert (retries.backoff, retries.longest) == (0.01, 0.01)
    assert pools(server, retries=retries).fetch(server.url()).body == b"hello"


@pytest.mark.parametrize("name", ["backoff", "longest"])
def test_nonsense_of_retries(name: str) -> None:
    for seconds in NONSENSE:
        with pytest.raises(ValueError, match=name):
            hyperlite.Retries(**{name: seconds})
    for text in NO_NUMBERS:
        with pytest.raises(TypeError, match=name):
            hyperlite.Retries(**{name: text})
    with pytest.raises(ValueError, match="backoff"):
        hyperlite.Retries(backoff=math.inf)


@pytest.mark.parametrize("seconds", ENDLESS)
def test_no_limit_to_a_fetch(server: Server, pools: Any, seconds: float | None) -> None:
    pool = pools(server, timeout=seconds, deadline=seconds, idle_timeout=seconds)
    assert pool.fetch(server.url()).body == b"hello"
    assert pool.fetch(server.url(), timeout=seconds, deadline=seconds).body == b"hello"
    requests = [hyperlite.FetchRequest(server.url(), timeout=seconds, deadline=seconds) for _ in range(3)]
    assert [outcome.result().body for outcome in pool.fetch_many(requests)] == [b"hello"] * 3


@pytest.mark.parametrize("latency", ["nan", "-1", "inf"])
def test_of_the_demo(latency: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["demo", f"--latency={latency}"])
    assert f"{latency} is no number of milliseconds" in capsys.readouterr().err


@pytest.mark.parametrize("seconds", [3e6, 3e9])
def test_a_limit_of_months(server: Server, pools: Any, seconds: float) -> None:
    """A selector takes no more than some 24 days at once."""
    pool = pools(server, timeout=seconds, deadline=seconds)
    assert pool.fetch(server.url()).body == b"hello"
    assert [outcome.result().body for outcome in pool.fetch_many([server.url()])] == [b"hello"]


def test_a_run_polls_until_an_answer_that_comes_in_months() -> None:
    """As after a Retry-After, and while nothing else goes on."""
    with contextlib.closing(Poller()) as poller:
        assert poller.poll(3e6, lambda: poller.wake() is not None) == []


def test_the_pause_before_another_try_can_be_slept(pools: Any, server: Server) -> None:
    options = pools(server).options(retries=hyperlite.Retries(total=100, backoff=1e9))
    task = make_task(server.url(), "GET", options)
    pauses = [task.retry(ConnectionRefusedError(), UNSENT) for _ in range(100)]
    assert 5e8 <= pauses[0] <= 1e9
    assert threading.TIMEOUT_MAX / 2 <= max(pauses) <= threading.TIMEOUT_MAX
