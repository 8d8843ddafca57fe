"""A conversation of 10,000 small messages on one stream, while 50 other streams download.

A server that serves in turns measures waiting without a clock: at each message it sends a piece on every
download, and then the answer.  That is a turn.  A client that were not fair would show in how many turns
a thread is behind; one in which a thread had to wait for more than the turn would stand still.
"""

import statistics
import threading
from collections.abc import Iterator

import pytest

import hyperlite

from .servers import Site

MESSAGES = 10_000  # half of them answers
DOWNLOADS = 50
PIECE = 1024  # bytes of a download in a turn: programs/server.js
WINDOW = 1 << 20  # of an unread stream


@pytest.fixture
def conn(node_site: Site) -> Iterator[hyperlite.HTTP20Connection]:
    with node_site.connect() as conn:
        yield conn


@pytest.mark.long
def test_no_thread_waits_longer_than_a_turn(conn: hyperlite.HTTP20Connection) -> None:
    received = [0] * DOWNLOADS

    def download(number: int, stream_id: int) -> None:
        response = conn.getresponse(stream_id)
        while piece := response.read1(65536):
            received[number] += len(piece)

    ids = [conn.request("GET", "/turns") for _ in range(DOWNLOADS)]
    threads = [threading.Thread(target=download, args=item) for item in enumerate(ids)]
    for thread in threads:
        thread.start()
    stream_id = conn.request("POST", "/talk", end_stream=False)
    talk = conn.getresponse(stream_id)
    turns = MESSAGES // 2
    behind = []
    for turn in range(1, turns + 1):
        message = b"%08d" % turn
        conn.send(message, stream_id)
        assert talk.read(len(message)) == message
        # The answer was the last of its turn: no thread can be ahead of it.
        assert max(received) <= turn * PIECE
        behind.append(turn - min(received) // PIECE)
    conn.end(stream_id)
    assert talk.read() == b""
    for thread in threads:
        thread.join()
    assert received == [turns * PIECE] * DOWNLOADS
    # The slowest of the 50 threads has mostly been handed the piece of this turn or of the one before;
    # which of them the interpreter lets run, and when, is not in our hands.
    assert statistics.median(behind) <= 2
    assert statistics.quantiles(behind, n=100)[-1] <= 10


def test_unread_downloads_hold_up_no_other(conn: hyperlite.HTTP20Connection) -> None:
    """They fill their windows, and the connection's is open all the same."""
    ids = [conn.request("GET", "/endless") for _ in range(DOWNLOADS)]
    downloads = [conn.getresponse(stream_id) for stream_id in ids]
    stream_id = conn.request("POST", "/echo", end_stream=False)
    echo = conn.getresponse(stream_id)
    for turn in range(MESSAGES // 2):
        message = b"%08d" % turn
        conn.send(message, stream_id)
        assert echo.read(len(message)) == message
    conn.end(stream_id)
    assert echo.read() == b""
    for response in downloads:
        assert len(response.read(WINDOW)) == WINDOW
        response.close()
