"""A scripted peer for each test, and how most scripts begin."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from hyperframe.frame import HeadersFrame

import hyperlite
from tests.peer import Peer

EVERYTHING = 2**31 - 1  # GOAWAY's last stream: none is refused

_failed = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Let the peer know whether its test failed: then it does not complain about what is left open."""
    report = yield
    if report.when == "call":
        item.stash[_failed] = report.failed
    return report


class _TestFailed(Exception):
    """What the peer is told."""


@pytest.fixture
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    """A peer that listens."""
    with contextlib.suppress(_TestFailed), Peer() as peer:
        yield peer
        if request.node.stash.get(_failed, True):
            raise _TestFailed


@pytest.fixture
def conn(peer: Peer) -> hyperlite.HTTP20Connection:
    """A connection to it, which is made with the first request."""
    return peer.connect()


def begin(peer: Peer, conn: hyperlite.HTTP20Connection, *args: Any, **settings: int) -> int:
    """Send the first request, `GET /` if nothing else is said, and greet it; its wire id is 1."""
    stream_id = conn.request(*(args or ("GET", "/")))
    peer.accept()
    peer.greet(**settings)
    peer.want(HeadersFrame, 1)
    return stream_id


def acquaint(peer: Peer, conn: hyperlite.HTTP20Connection, **settings: int) -> None:
    """Have one whole exchange, so that the client knows the peer's settings; the next wire id is 3."""
    stream_id = begin(peer, conn, **settings)
    peer.answer(1, b"hello")
    assert conn.getresponse(stream_id).read() == b"hello"


def path_of(frame: HeadersFrame) -> str:
    """Return what a request asks for."""
    return dict(frame.fields)[":path"]
