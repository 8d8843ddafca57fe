"""Numbers of seconds, wherever they are taken: infinity is no limit, and what is none is an error at once."""

import math
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import hyperlite
from hyperlite.cli import main
from hyperlite.testing.server import Server
from hyperlite.timeouts import checked_seconds

from .conftest import Connect, Serve

NONSENSE = [math.nan, -1, -0.001, -math.inf]
ENDLESS = [None, math.inf, 1e300]


@pytest.mark.parametrize("seconds", [0, 0.5, 60, threading.TIMEOUT_MAX])
def test_a_number_is_itself(seconds: float) -> None:
    assert checked_seconds(seconds, "timeout") == seconds
    with socket.socket() as sock:
        sock.settimeout(seconds)


def test_what_is_no_number_at_all() -> None:
    with pytest.raises(TypeError):
        checked_seconds("5", "timeout")  # type: ignore[arg-type]


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
