"""http1/kept_socket.py: whose a socket is, and which thread closes it."""

import socket
from collections.abc import Iterator

import pytest

from hyperlite.http1.kept_socket import KeptSocket


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, peer = socket.socketpair()
    with ours, peer:
        yield ours, peer


@pytest.fixture
def sock(pair: tuple[socket.socket, socket.socket]) -> socket.socket:
    return pair[0]


@pytest.fixture
def kept(sock: socket.socket) -> KeptSocket:
    return KeptSocket(sock)


def is_closed(sock: socket.socket) -> bool:
    return sock.fileno() < 0


def test_one_that_the_server_has_closed_is_not_alive(
    kept: KeptSocket, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, peer = pair
    assert kept.alive() is ours
    peer.close()
    assert kept.alive() is None
    assert kept.sock is ours


def test_another_takes_its_place(kept: KeptSocket, sock: socket.socket) -> None:
    """The thread at work closes the one before: not while it has the lock."""
    with socket.socket() as fresh:
        kept.replace(fresh)
        assert (kept.sock, is_closed(sock)) == (fresh, False)
        kept.stop_work()
        assert (is_closed(sock), is_closed(fresh)) == (True, False)


def test_one_that_is_taken_is_the_taker_s(kept: KeptSocket, sock: socket.socket) -> None:
    assert kept.take() is sock
    kept.hang_up(interrupt=True)
    kept.stop_work()
    assert (kept.take(), is_closed(sock)) == (None, False)


def test_a_doomed_one_is_closed_when_the_thread_at_work_has_stopped(
    kept: KeptSocket, sock: socket.socket
) -> None:
    kept.working = True
    kept.doom(sock)
    assert (kept.sock, is_closed(sock)) == (None, False)
    kept.stop_work()
    assert (kept.working, is_closed(sock)) == (False, True)


def test_another_than_the_kept_one_can_be_doomed(kept: KeptSocket, sock: socket.socket) -> None:
    with socket.socket() as other:
        kept.doom(other)
        kept.stop_work()
        assert (kept.sock, is_closed(other), is_closed(sock)) == (sock, True, False)


def test_a_response_that_reads_on_keeps_the_connection(
    kept: KeptSocket, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, peer = pair
    with ours.makefile("rb") as file:
        kept.let_go(ours)
        assert kept.sock is None
        peer.sendall(b"rest")
        peer.close()
        assert file.read() == b"rest"
    kept.let_go(None)


@pytest.mark.parametrize("interrupt", [False, True])
@pytest.mark.parametrize("working", [False, True])
def test_hanging_up(
    kept: KeptSocket, pair: tuple[socket.socket, socket.socket], *, working: bool, interrupt: bool
) -> None:
    """A thread that uses the socket is interrupted, and closes it; else it is closed at once."""
    ours, peer = pair
    kept.working = working
    kept.hang_up(interrupt=interrupt)
    assert (kept.sock, is_closed(ours)) == (None, not (working and interrupt))
    peer.settimeout(5)
    assert peer.recv(1) == b""
    kept.stop_work()
    assert is_closed(ours)


def test_in_a_child_nothing_is_under_way(kept: KeptSocket, sock: socket.socket) -> None:
    with socket.socket() as doomed:
        kept.doom(doomed)
        kept.working = True
        kept.after_fork()
        kept.stop_work()
        assert (kept.working, kept.sock, is_closed(sock), is_closed(doomed)) == (False, None, True, False)
