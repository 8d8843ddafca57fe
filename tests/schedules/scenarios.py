"""What the two threads do, and what may become of it."""

import contextlib
import gc
import http.client
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import hyperlite
from hyperlite.testing.certificates import certificates
from hyperlite.testing.server import Request, Response, Server

from .explorer import Call, Explorer, Outcome

BODY = b"the answer" * 100
FAILURES = (http.client.HTTPException, OSError)


def answer(request: Request) -> Response:
    """Answer at once, or after a moment."""
    return Response(body=BODY, delay=0.02 if request.target.startswith("/slow") else 0)


class Scenario(NamedTuple):
    """Two threads on one connection, or one pool.

    Attributes:
        first, other: what they do.
        may_fail: the first thread may get an error, because the other one ends what it waits for.
        goes_on: makes a further request, which must be answered; None: all is closed.
    """

    first: Call
    other: Call
    may_fail: bool
    goes_on: Call | None


def read(conn: hyperlite.HTTP20Connection, target: str) -> bytes:
    """Make a request, and read its answer."""
    with conn.getresponse(conn.request("GET", target)) as response:
        return response.read()


def hand_over(conn: hyperlite.HTTP20Connection) -> Scenario:
    """Both wait: one works for both, and hands that over when it has its own answer."""
    return Scenario(
        lambda: read(conn, "/slow/1"), lambda: read(conn, "/slow/2"), False, lambda: read(conn, "/")
    )


def cancel(conn: hyperlite.HTTP20Connection) -> Scenario:
    """A response is cancelled by its id while it is read."""
    stream_id = conn.request("GET", "/slow/1")

    def first() -> bytes:
        with conn.getresponse(stream_id) as response:
            return response.read()

    def other() -> None:
        with contextlib.suppress(http.client.ResponseNotReady):  # it was asked for already
            conn.cancel(stream_id)

    return Scenario(first, other, True, lambda: read(conn, "/"))


def close(conn: hyperlite.HTTP20Connection) -> Scenario:
    """The connection is closed while a thread waits on it; the next request opens another one."""
    return Scenario(lambda: read(conn, "/slow/1"), conn.close, True, lambda: read(conn, "/"))


def drop(conn: hyperlite.HTTP20Connection) -> Scenario:
    """Another response is dropped unread, and collected, while a thread waits."""
    held = [conn.getresponse(conn.request("GET", "/"))]

    def other() -> None:
        held.clear()
        gc.collect()

    return Scenario(lambda: read(conn, "/slow/1"), other, False, lambda: read(conn, "/"))


def upload(conn: hyperlite.HTTP20Connection) -> Scenario:
    """One uploads while the other reads."""

    def first() -> bytes:
        with conn.getresponse(conn.request("POST", "/slow/1", BODY * 100)) as response:
            return response.read()

    return Scenario(first, lambda: read(conn, "/2"), False, lambda: read(conn, "/"))


def pool_fetches(pool: hyperlite.ConnectionPool, url: str) -> Scenario:
    """Both are the first to fetch from an origin."""
    fetch = lambda: pool.fetch(f"{url}/slow").body  # noqa: E731
    return Scenario(fetch, fetch, False, fetch)


def pool_close(pool: hyperlite.ConnectionPool, url: str) -> Scenario:
    """The pool is closed while a thread fetches."""
    return Scenario(lambda: pool.fetch(f"{url}/slow").body, pool.close, True, None)


CONNECTION: dict[str, Callable[[hyperlite.HTTP20Connection], Scenario]] = {
    "hand-over": hand_over,
    "cancel": cancel,
    "close": close,
    "drop": drop,
    "upload": upload,
}
POOL: dict[str, Callable[[hyperlite.ConnectionPool, str], Scenario]] = {
    "first fetches": pool_fetches,
    "pool closed": pool_close,
}
NAMES = [f"{name}, {protocol}" for protocol in ("h2", "http/1.1") for name in (*CONNECTION, *POOL)]


@contextlib.contextmanager
def prepared(named: str, server: Server) -> Iterator[Scenario]:
    """Make a scenario: "cancel, h2"."""
    name, _, protocol = named.partition(", ")
    with contextlib.ExitStack() as stack:
        if name in POOL:
            pool = hyperlite.ConnectionPool(
                timeout=10, verify=certificates().ca_file, proxies=False, protocols=[protocol]
            )
            yield POOL[name](stack.enter_context(pool), server.url(""))
            return
        conn = hyperlite.HTTP20Connection(
            "localhost",
            server.port,
            timeout=10,
            protocols=[protocol],
            context=hyperlite.create_context(cafile=certificates().ca_file),
        )
        stack.enter_context(conn)
        read(conn, "/")
        yield CONNECTION[name](conn)


def explore(named: str, server: Server, stop_at: int | None) -> Explorer:
    """Run a scenario by one schedule, and check what became of it.

    Raises:
        AssertionError: a thread hangs, or got what it must not.
    """
    explorer = Explorer(stop_at)
    with prepared(named, server) as scenario:
        first, other = explorer.run(scenario.first, scenario.other)
        where = f"{named}, schedule {stop_at}, at {explorer.where}"
        check(first, scenario.may_fail, where)
        check(other, False, where)
        if scenario.goes_on is not None:
            assert scenario.goes_on() == BODY, where
    return explorer


def check(outcome: Outcome, may_fail: bool, where: str) -> None:
    """Check what a thread has got."""
    error: Any = outcome.error
    if error is not None and not (may_fail and isinstance(error, (*FAILURES, ValueError))):
        raise AssertionError(where) from error
    assert error is not None or outcome.value in (None, BODY, True, False), where
