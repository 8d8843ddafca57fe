"""Deadlines and timeouts on HTTP/1.1, however slowly bytes drip."""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import hyperlite
import hyperlite.pending

from .conftest import CHUNKED, Talk, Wire, response, says

SOON = 0.25
# What a busy machine may add.
SLACK = 4.0


@contextlib.contextmanager
def times_out() -> Iterator[None]:
    start = time.monotonic()
    with pytest.raises(hyperlite.RequestTimeout) as caught:
        yield
    assert isinstance(caught.value, TimeoutError)
    assert SOON * 0.5 < time.monotonic() - start < SOON + SLACK


@contextlib.contextmanager
def times_out_at_once() -> Iterator[None]:
    with pytest.raises(hyperlite.RequestTimeout, match="before the deadline"):
        yield


def drips(start: bytes, rest: bytes) -> Any:
    def script(wire: Wire) -> None:
        wire.head()
        wire.send(start)
        wire.drip(rest)

    return script


OK = b"HTTP/1.1 200 OK\r\n"
DRIPS = {
    "status line": (b"", OK + b"x" * 500),
    "status line's reason": (OK[:-2], b"x" * 500),
    "header line": (OK, b"X: " + b"x" * 500),
    "1xx": (b"HTTP/1.1 103 H\r\n", b"X: " + b"x" * 500),
    "body": (OK + b"Content-Length: 1000\r\n\r\n", b"x" * 500),
    "body until the end": (OK + b"\r\n", b"x" * 500),
    "chunk size": (CHUNKED + b"4\r\nbody\r\n", b"0" * 500),
    "chunk extension": (CHUNKED + b"4\r\nbody\r\n4;", b"x" * 500),
    "chunk": (CHUNKED + b"400\r\n", b"x" * 500),
    "chunks": (CHUNKED, b"1\r\nx\r\n" * 100),
    "trailers": (CHUNKED + b"4\r\nbody\r\n0\r\n", b"X: " + b"x" * 500),
}


@pytest.mark.parametrize("how", ["read", "lines", "read1", "in memory"])
@pytest.mark.parametrize("where", DRIPS)
def test_the_deadline_holds(talk: Talk, where: str, how: str) -> None:
    conn = talk(drips(*DRIPS[where]), says(response(b"next")))
    with times_out():
        answer = conn.getresponse(conn.request("GET", "/", deadline=SOON))
        if how == "lines":
            for _ in answer:
                pass
        elif how == "read1":
            while answer.read1():
                pass
        elif how == "in memory":
            assert conn.getresponse(conn.request("GET", "/")).read() == b"next"
        answer.read()
    assert conn.getresponse(conn.request("GET", "/")).read() == b"next"


def test_the_deadline_of_the_connection(talk: Talk) -> None:
    conn = talk(drips(*DRIPS["body"]), deadline=SOON)
    with times_out():
        conn.getresponse(conn.request("GET", "/")).read()


def test_a_deadline_while_sending(talk: Talk) -> None:
    """The server takes a little of the body now and then."""

    def script(wire: Wire) -> None:
        wire.head()
        while not wire.over.wait(0.02):
            if not wire.sock.recv(20_000):
                return

    conn = talk(script)
    with times_out():
        conn.request("POST", "/", b"x" * 50_000_000, deadline=SOON)
    with times_out():
        conn.request("POST", "/", (b"x" * 100_000 for _ in range(500)), deadline=SOON)


def test_a_timeout_of_one_s_own(talk: Talk) -> None:
    conn = talk(says(OK + b"Content-Length: 4\r\n\r\nbo", close=False), says(OK, close=False))
    answer = conn.getresponse(conn.request("GET", "/", timeout=SOON))
    with times_out():
        answer.read()
    answer.close()
    with times_out():
        conn.getresponse(conn.request("GET", "/", timeout=SOON))


def test_a_timeout_is_of_each_step(talk: Talk) -> None:
    """The whole takes longer than the timeout, and longer than the connection's own."""

    def script(wire: Wire) -> None:
        wire.head()
        wire.send(OK + b"Content-Length: 40\r\n\r\n")
        wire.drip(b"x" * 40)

    conn = talk(script, timeout=SOON)
    start = time.monotonic()
    assert len(conn.getresponse(conn.request("GET", "/", timeout=5)).read()) == 40
    assert time.monotonic() - start > SOON


def test_the_socket_s_own_timeout_counts(talk: Talk) -> None:
    conn = talk(says(OK, close=False))
    conn.connect()
    conn.sock.settimeout(SOON)
    with times_out():
        conn.getresponse(conn.request("GET", "/"))


def test_what_came_before_a_timeout_is_not_lost(talk: Talk) -> None:
    """Wherever it strikes."""
    go_on = threading.Event()
    parts = [b"6\r", b"\none\nt", b"w\r\n5", b"\r\no\nthr\r", b"\n0\r\nX-S", b"um: 1\r\n\r\n"]

    def script(wire: Wire) -> None:
        wire.head()
        wire.send(CHUNKED)
        for part in parts:
            go_on.wait(10)
            go_on.clear()
            wire.send(part)
        wire.wait()

    conn = talk(script)
    conn.connect()
    answer = conn.getresponse(conn.request("GET", "/", timeout=0.2))
    timeouts = 0
    while True:
        try:
            body = answer.read()
            break
        except hyperlite.RequestTimeout:
            timeouts += 1
            go_on.set()
    assert body == b"one\ntwo\nthr"
    assert timeouts >= len(parts)
    assert answer.trailers["x-sum"] == "1"


class TestAsReady:
    def test_its_timeout_is_its_own(self, talk: Talk) -> None:
        """It costs the request nothing: that goes on, and no timeout is over."""
        go_on = threading.Event()

        def script(wire: Wire) -> None:
            wire.head()
            wire.send(OK)
            go_on.wait(10)
            wire.send(b"Content-Length: 5\r\n\r\nfirst")
            wire.wait()

        conn = talk(script)
        first, second = conn.request("GET", "/"), conn.request("GET", "/")
        with times_out():
            list(conn.as_ready(timeout=SOON))
        with times_out():
            list(conn.as_ready([second], timeout=SOON))
        go_on.set()
        assert list(conn.as_ready([first], timeout=10)) == [first]
        assert conn.getresponse(first).read() == b"first"
        assert conn.server.connections == 1

    def test_a_deadline_that_is_over_is_a_failure_that_has_arrived(self, talk: Talk) -> None:
        """Whether the request is on the wire or behind another."""
        conn = talk(says(OK, close=False), timeout=None)
        conn.request("GET", "/")
        second = conn.request("GET", "/", deadline=SOON)
        assert list(conn.as_ready([second])) == [second]
        with times_out_at_once():
            conn.getresponse(second)
        third = conn.request("GET", "/", deadline=SOON)
        assert next(conn.as_ready()) == third
        with times_out_at_once():
            conn.getresponse(third)

    @pytest.mark.parametrize("came", [b"", OK], ids=["nothing", "the beginning of a head"])
    def test_a_frozen_connection_costs_the_timeout_however_often_the_thread_looks(
        self, talk: Talk, came: bytes
    ) -> None:
        """A look that ends early does not begin the request's own time anew."""

        def script(wire: Wire) -> None:
            wire.head()
            wire.send(came)
            wire.wait()

        conn = talk(script, timeout=3 * hyperlite.pending.LOOK)
        ids = [conn.request("GET", "/"), conn.request("GET", "/")]
        assert list(conn.as_ready(ids)) == ids
        for stream_id in ids:
            with pytest.raises(hyperlite.RequestTimeout, match=r"nothing came within 0\.75 s"):
                conn.getresponse(stream_id)

    def test_they_come_as_they_arrive_whatever_the_order_that_is_named(self, talk: Talk) -> None:
        def script(wire: Wire) -> None:
            wire.head()
            wire.send(response(b"first"))
            wire.wait()

        conn = talk(script)
        first, second = conn.request("GET", "/"), conn.request("GET", "/")
        assert next(conn.as_ready([second, first], timeout=10)) == first


class TestQueued:
    """Waiting for one's turn counts, and harms no other request."""

    def test_behind_a_head_that_drips(self, talk: Talk) -> None:
        def script(wire: Wire) -> None:
            wire.head()
            wire.drip(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 30 + b"\r\nContent-Length: 5\r\n\r\nfirst")
            wire.head()
            wire.send(response(b"third"))

        conn = talk(script)
        first, second = conn.request("GET", "/"), conn.request("GET", "/", deadline=SOON)
        with times_out():
            conn.getresponse(second)
        third = conn.request("GET", "/")
        assert conn.getresponse(first).read() == b"first"
        assert conn.getresponse(third).read() == b"third"
        assert conn.server.connections == 1

    def test_behind_a_body_that_drips(self, talk: Talk) -> None:
        def script(wire: Wire) -> None:
            wire.head()
            wire.send(CHUNKED)
            wire.drip(b"2\r\nxy\r\n" * 10 + b"0\r\n\r\n")
            wire.head()
            wire.send(response(b"third"))

        conn = talk(script)
        first, second = conn.request("GET", "/"), conn.request("GET", "/", timeout=SOON)
        answer = conn.getresponse(first)
        with times_out():
            conn.getresponse(second)
        third = conn.request("GET", "/")
        assert answer.read() == b"xy" * 10
        assert conn.getresponse(third).read() == b"third"
        assert conn.server.connections == 1

    def test_behind_a_body_that_is_not_taken(self, talk: Talk) -> None:
        """The request before is half sent when its own time is not over, but ours is."""
        take = threading.Event()
        size = 10_000_000

        def script(wire: Wire) -> None:
            wire.head()
            wire.send(response(b"zeroth"))
            wire.head()
            take.wait(10)
            assert wire.read(size) == b"x" * size
            wire.send(response(b"first"))
            wire.head()
            wire.send(response(b"third"))

        conn = talk(script)
        zeroth = conn.getresponse(conn.request("GET", "/"))
        first = conn.request("POST", "/", b"x" * size)  # queued: the response before it is not read
        second = conn.request("GET", "/", deadline=SOON)
        with times_out():
            conn.getresponse(second)
        take.set()
        third = conn.request("GET", "/")
        assert conn.getresponse(first).read() == b"first"
        assert conn.getresponse(third).read() == b"third"
        assert zeroth.read() == b"zeroth"
        assert conn.server.connections == 1
