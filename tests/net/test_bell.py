"""The bell: any thread rings it at any time, and no other descriptor ever gets its bytes."""

import contextlib
import os
import select
import socket
import threading
from typing import Any

import pytest

from hyperlite.net.bell import Bell


def rings(bell: Bell) -> bool:
    return bool(select.select([bell], [], [], 0)[0])


def test_it_rings_until_it_is_hushed():
    bell = Bell()
    assert not rings(bell)
    bell.ring()
    bell.ring()
    assert rings(bell)
    bell.hush()
    assert not rings(bell)
    bell.ring()
    assert rings(bell)
    bell.close()


def test_it_is_a_socket():
    """On Windows a selector takes nothing else."""
    bell = Bell()
    with socket.socket(fileno=os.dup(bell.fileno())) as copy:
        assert copy.type == socket.SOCK_STREAM
    bell.close()


def test_it_may_be_full():
    bell = Bell()
    for _ in range(20_000):
        bell.ring()
    assert rings(bell)
    bell.hush()
    assert not rings(bell)
    bell.close()


def test_it_may_be_rung_when_it_is_closed():
    bell = Bell()
    bell.close()
    bell.ring()
    bell.close()


class Slow:
    """The socket that is written to; something happens while a byte is."""

    def __init__(self, bell: Bell) -> None:
        self._sock: socket.socket = bell._outside
        self.meanwhile: Any = None
        self.closed_meanwhile = False
        bell._outside = self

    def send(self, data: bytes) -> int:
        number = self._sock.fileno()
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        self.closed_meanwhile = self._sock.fileno() != number
        return self._sock.send(data)

    def close(self) -> None:
        self._sock.close()


def test_it_is_not_closed_under_a_thread_that_rings():
    """The number of its descriptor would be another's by the time the byte is written."""
    bell = Bell()
    slow = Slow(bell)

    def close() -> None:
        thread = threading.Thread(target=bell.close)
        thread.start()
        thread.join()  # close() waits for nothing

    slow.meanwhile = close
    bell.ring()
    assert not slow.closed_meanwhile
    assert bell.fileno() == -1, "the thread that rang has closed it"


@pytest.mark.parametrize("call", ["ring", "close"])
def test_a_finalizer_may_come_in_between(call: str):
    """One that runs on the thread which rings, in the middle of that."""
    bell = Bell()
    slow = Slow(bell)
    slow.meanwhile = getattr(bell, call)
    bell.ring()
    assert not slow.closed_meanwhile
    if call == "ring":
        assert rings(bell)
    bell.close()
    assert bell.fileno() == -1


def test_a_ring_while_another_thread_rings_is_not_lost():
    """It comes when that one's byte was written, and heard: there must be another."""
    bell = Bell()
    slow = Slow(bell)

    def later() -> None:
        bell.hush()
        thread = threading.Thread(target=bell.ring)
        thread.start()
        thread.join()

    slow.meanwhile = later
    bell.ring()
    bell.hush()
    bell.ring()
    assert rings(bell)
    bell.close()


def test_its_bytes_go_nowhere_else():
    """Threads ring while it is closed, and its numbers are given to other descriptors."""
    bells = [Bell()]
    stop = threading.Event()

    def ring() -> None:
        while not stop.is_set():
            bells[0].ring()

    threads = [threading.Thread(target=ring) for _ in range(3)]
    for thread in threads:
        thread.start()
    strays = 0
    for _ in range(200):
        old, bells[0] = bells[0], Bell()
        old.close()
        read, write = os.pipe()
        os.set_blocking(read, False)
        with contextlib.suppress(BlockingIOError):
            strays += len(os.read(read, 10))
        os.close(read)
        os.close(write)
    stop.set()
    for thread in threads:
        thread.join()
    bells[0].close()
    assert not strays


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_does_not_ring_its_parents():
    bell = Bell()
    child = os.fork()
    if not child:
        bell.ring()
        os._exit(0 if bell.fileno() == -1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not rings(bell)
    bell.ring()
    assert rings(bell)
    bell.close()
