"""A connection that a selector polls keeps its descriptor, though another thread closes it."""

import os
import select
import threading

import pytest

from hyperlite.http2.connection import HTTP2Connection
from hyperlite.many.poller import Poller
from tests.inside import http2_of
from tests.peer import Peer


@pytest.fixture
def poller():
    with_selector = Poller()
    yield with_selector
    with_selector.close()


def reused(number: int) -> bool:
    """Tell whether a descriptor that is opened now gets that number."""
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(number + 1)]
    for one in opened:
        os.close(one)
    return number in opened


def connected(peer: Peer) -> HTTP2Connection:
    conn = peer.connect()
    conn.request("GET", "/")
    peer.accept()
    peer.greet()
    return http2_of(conn)


def test_no_other_socket_gets_the_number_before_the_poller_knows(poller: Poller):
    with Peer() as peer:
        mux = connected(peer)
        number = mux.fileno()
        poller.watch(mux)
        thread = threading.Thread(target=mux.close)
        thread.start()
        thread.join()
        assert mux.closed
        assert not reused(number)
        assert poller.poll(0, lambda: False) == [], "it is forgotten before anything is waited for"
        assert reused(number)


def test_closing_it_wakes_the_thread_that_polls(poller: Poller):
    with Peer() as peer:
        mux = connected(peer)
        number = mux.fileno()
        poller.watch(mux)
        mux.close()
        assert select.select([number], [], [], 0)[0]


def test_one_that_was_closed_is_not_watched(poller: Poller):
    with Peer() as peer:
        mux = connected(peer)
        mux.close()
        poller.watch(mux)
        assert poller.poll(0, lambda: False) == []
        assert mux.attach() is None


def test_the_poller_lets_go_at_its_end():
    poller = Poller()
    with Peer() as peer:
        mux = connected(peer)
        number = mux.fileno()
        poller.watch(mux)
        mux.close()
        poller.close()
        assert reused(number)


def test_a_poller_that_ends_in_the_middle_of_anything_waits_for_nothing():
    """A finalizer may close it on a thread that has the connection's lock."""
    poller = Poller()
    with Peer() as peer:
        mux = connected(peer)
        number = mux.fileno()
        poller.watch(mux)
        with mux._io.lock:
            poller.close()
        mux.close()
        assert reused(number)


def test_several_pollers(poller: Poller):
    other = Poller()
    with Peer() as peer:
        mux = connected(peer)
        number = mux.fileno()
        for one in (poller, other):
            one.watch(mux)
        mux.close()
        other.close()
        assert not reused(number)
        poller.poll(0, lambda: False)
        assert reused(number)
