"""sockets.py: waiting on a socket, and what can be asked of it when it is closed."""

import contextlib
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from hyperlite.net.sockets import Watch, break_off, is_stale, wait_for
from tests.peer import TIMEOUT, Task

from .conftest import localhost_context, tls, until_eof
from .dialling import connect


class TestBreakOff:
    """Another thread is inside the socket, perhaps inside the TLS library."""

    def test_it_wakes_a_thread_that_reads(self, listen: Any, keep: Any) -> None:
        sock, _ = connect("127.0.0.1", listen(until_eof).port, context=None)
        reading = Task(keep(sock).recv, 1)
        break_off(sock)
        assert reading.result() == b""
        assert sock.fileno() >= 0  # it is that thread's to close

    def test_over_tls(self, listen: Any, keep: Any, ca: trustme.CA, client: Any) -> None:
        listener = listen(tls(localhost_context(ca), until_eof))
        listener.play()
        sock, _ = connect("localhost", listener.port, context=client(), timeout=TIMEOUT)
        reading = Task(keep(sock).recv, 1)
        break_off(sock)
        with contextlib.suppress(ConnectionResetError):  # as some versions of Python and OpenSSL tell it
            assert reading.result() == b""
        assert sock.fileno() >= 0

    def test_twice(self, listen: Any, keep: Any) -> None:
        sock, _ = connect("127.0.0.1", listen(until_eof).port, context=None)
        break_off(keep(sock))
        break_off(sock)


class TestIsStale:
    @pytest.fixture
    def pair(self) -> Iterator[tuple[socket.socket, socket.socket]]:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.settimeout(7)
            yield ours, theirs

    def test_an_open_one_is_not(self, pair: tuple[socket.socket, socket.socket]) -> None:
        assert not is_stale(pair[0])

    def test_a_closed_one_is(self, pair: tuple[socket.socket, socket.socket]) -> None:
        pair[1].close()
        assert is_stale(pair[0])

    def test_one_that_was_closed_on_this_side_is(self, pair: tuple[socket.socket, socket.socket]) -> None:
        pair[0].close()
        assert is_stale(pair[0])

    def test_one_on_which_something_came_unasked_is(self, pair: tuple[socket.socket, socket.socket]) -> None:
        pair[1].sendall(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        assert is_stale(pair[0])

    @pytest.mark.parametrize("ends", [False, True])
    def test_its_timeout_stays(self, pair: tuple[socket.socket, socket.socket], ends: bool) -> None:
        if ends:
            pair[1].close()
        is_stale(pair[0])
        assert pair[0].gettimeout() == 7

    def test_one_that_was_reset_is(self, listen: Any, keep: Any) -> None:
        connected = threading.Event()

        def reset(sock: socket.socket) -> None:
            assert connected.wait(TIMEOUT)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()

        listener = listen(reset)
        reset_done = listener.play()
        sock, _ = connect("127.0.0.1", listener.port, context=None, timeout=TIMEOUT)
        keep(sock)
        connected.set()
        reset_done.result()
        assert wait_for(sock, read=True, write=False, timeout=TIMEOUT)
        assert is_stale(sock)

    def test_a_session_ticket_is_no_end(self, listen: Any, keep: Any, ca: trustme.CA, client: Any) -> None:
        """With TLS 1.3 the server sends them by itself, right after the handshake."""
        listener = listen(tls(localhost_context(ca), until_eof))
        listener.play()
        sock, _ = connect("localhost", listener.port, context=client(), timeout=TIMEOUT)
        assert keep(sock).version() == "TLSv1.3"
        assert wait_for(sock, read=True, write=False, timeout=TIMEOUT)
        assert not is_stale(sock)

    def test_a_close_notify_is(self, listen: Any, keep: Any, ca: trustme.CA, client: Any) -> None:
        closed = threading.Event()

        def shut(sock: ssl.SSLSocket) -> None:
            sock.settimeout(0)
            with pytest.raises(ssl.SSLWantReadError):
                sock.unwrap()
            closed.set()

        listener = listen(tls(localhost_context(ca), shut))
        listener.play()
        sock, _ = connect("localhost", listener.port, context=client(), timeout=TIMEOUT)
        keep(sock)
        assert closed.wait(TIMEOUT)
        while not is_stale(sock):  # session tickets come before it
            assert wait_for(sock, read=True, write=False, timeout=TIMEOUT)


def test_a_watch_heeds_what_takes_the_place_of_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """gevent may be told to patch the standard library when connections stand already."""
    made = []
    poll = select.poll

    def make() -> Any:
        made.append(poll())
        return made[-1]

    ours, theirs = socket.socketpair()
    with ours, theirs:
        watch = Watch(ours)
        assert not watch.wait(0)
        monkeypatch.setattr(select, "poll", make)
        theirs.sendall(b"x")
        assert [watch.wait(0), watch.wait(5)] == [True, True]
        assert len(made) == 1
        monkeypatch.delattr(select, "poll")
        assert watch.wait(0)


@pytest.mark.parametrize("way", ["poll", "select"])
class TestWaitFor:
    @pytest.fixture(autouse=True)
    def _way(self, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
        if way == "select":
            monkeypatch.delattr(select, "poll")

    @pytest.fixture
    def pair(self) -> Iterator[tuple[socket.socket, socket.socket]]:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            yield ours, theirs

    def test_nothing_to_read(self, pair: tuple[socket.socket, socket.socket]) -> None:
        start = time.monotonic()
        assert not wait_for(pair[0], read=True, write=False, timeout=0.05)
        assert time.monotonic() - start >= 0.05

    @pytest.mark.parametrize("timeout", [0, 5, None])
    def test_something_to_read(
        self, pair: tuple[socket.socket, socket.socket], timeout: float | None
    ) -> None:
        pair[1].sendall(b"x")
        assert wait_for(pair[0], read=True, write=False, timeout=timeout)

    def test_the_end_can_be_read(self, pair: tuple[socket.socket, socket.socket]) -> None:
        pair[1].close()
        assert wait_for(pair[0], read=True, write=False, timeout=5)

    def test_room_to_write(self, pair: tuple[socket.socket, socket.socket]) -> None:
        assert wait_for(pair[0], read=False, write=True, timeout=5)
        assert wait_for(pair[0], read=True, write=True, timeout=5)

    def test_no_room_to_write(self, pair: tuple[socket.socket, socket.socket]) -> None:
        pair[0].setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                pair[0].send(bytes(65536))
        assert not wait_for(pair[0], read=True, write=True, timeout=0)
        pair[1].sendall(b"x")
        assert not wait_for(pair[0], read=False, write=True, timeout=0)
        assert wait_for(pair[0], read=True, write=True, timeout=0)
