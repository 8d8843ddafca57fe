"""A fork while another thread holds a lock: in the child that lock is free, and nothing waits for it."""

import contextlib
import http.client
import os
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

import hyperlite
from hyperlite.origins.lease import Attempt
from tests.inside import http1_of
from tests.net.test_forking import FINE, fork
from tests.peer import Task

from .conftest import CHUNKED, Talk, Wire

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

PATIENCE = 10  # seconds, in which a child that waits for ever is ended


def check_in_child(check: Callable[[], object]) -> None:
    def in_time() -> None:
        signal.alarm(PATIENCE)
        check()

    assert fork(in_time) == FINE


@pytest.fixture
def over() -> Iterator[threading.Event]:
    over = threading.Event()
    yield over
    over.set()


def hold(lock: object, over: threading.Event) -> Task:
    """Have another thread hold a lock until it is over."""
    held = threading.Event()

    def holding() -> None:
        with lock:  # type: ignore[attr-defined]
            held.set()
            over.wait()

    task = Task(holding)
    assert held.wait(PATIENCE)
    return task


def lock_of(one: object) -> object:
    """Return the lock of an object, in this process."""
    lock = getattr(one, "_guard", None) or getattr(one, "_lock", None)
    return getattr(lock, "own", lock)


def open_upload(
    talk: Talk, over: threading.Event
) -> tuple[hyperlite.HTTP20Connection, int, hyperlite.HTTP20Response]:
    """Return a connection, a request whose body is not complete, and its response, which is not either."""

    def script(wire: Wire) -> None:
        wire.head()
        wire.send(CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + b"4\r\nbody\r\n")
        over.wait()

    conn = talk(script)
    stream_id = conn.request("POST", "/", end_stream=False)
    return conn, stream_id, conn.getresponse(stream_id)


def test_of_a_body_that_is_sent(talk: Talk, over: threading.Event) -> None:
    """The response has the connection for itself, of which the lane therefore knows nothing any more."""
    conn, stream_id, response = open_upload(talk, over)
    assert http1_of(conn).counts == (0, 0)
    exchange = response.exchange  # type: ignore[attr-defined]
    task = hold(lock_of(exchange.outgoing), over)

    def check() -> None:
        for call in (lambda: conn.send(b"more", stream_id), lambda: conn.end(stream_id)):
            with contextlib.suppress(http.client.HTTPException):
                call()

    check_in_child(check)
    over.set()
    task.result()


def test_of_a_response_that_is_read(
    talk: Talk,
    over: threading.Event,
) -> None:
    _, _, response = open_upload(talk, over)
    task = hold(lock_of(response), over)

    def check() -> None:
        with pytest.raises(hyperlite.HTTP2Error, match="parent"):
            response.read()
        response.close()

    check_in_child(check)
    over.set()
    task.result()


def test_of_an_attempt(over: threading.Event) -> None:
    attempt = Attempt()
    task = hold(lock_of(attempt), over)
    check_in_child(attempt.end)
    over.set()
    task.result()
