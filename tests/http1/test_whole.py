"""Bodies that are read in one piece: what fails on the way loses nothing of what had come."""

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import hyperlite
from hyperlite.http1.body import LARGE_PIECE, HTTP1Body
from hyperlite.http1.timed_socket import TimedSocket
from hyperlite.http1.wire import Wire
from hyperlite.messages.head import Framing, LineReader
from hyperlite.messages.request import UNSET


class Failing(socket.socket):
    """A socket that fails at some of the calls that receive."""

    failures: list[BaseException | None]

    def recv_into(self, buffer: Any, *args: Any) -> int:
        if self.failures and (error := self.failures.pop(0)) is not None:
            raise error
        return super().recv_into(memoryview(buffer)[:10_000], *args)


@pytest.fixture
def pair() -> Iterator[tuple[Failing, socket.socket]]:
    ours, peer = socket.socketpair()
    with Failing(fileno=ours.detach()) as failing, peer:
        failing.failures = []
        yield failing, peer


def make(sock: socket.socket, length: int) -> HTTP1Body:
    wire = Wire(sock)
    framing = Framing(200, 11, [(b"content-length", b"%d" % length)], "GET")
    return HTTP1Body(wire, LineReader(wire.file), framing, require_close_notify=True, stream_id=1)


def read_into(body: HTTP1Body) -> bytes:
    buffer = bytearray(100_000)
    return bytes(buffer[: body.readinto(buffer)])


WAYS: list[Callable[[HTTP1Body], bytes]] = [lambda body: body.read(), read_into]
WHOLE = bytes(range(250)) * 200


@pytest.mark.parametrize("way", WAYS, ids=["read", "readinto"])
@pytest.mark.parametrize("place", [0, 1, 3])
def test_a_caller_that_reads_on_misses_nothing(
    pair: tuple[Failing, socket.socket], place: int, way: Callable[[HTTP1Body], bytes]
) -> None:
    sock, peer = pair
    sock.settimeout(5)
    sock.failures = [*[None] * place, TimeoutError()]
    peer.sendall(WHOLE)
    body = make(sock, len(WHOLE))
    with pytest.raises(hyperlite.RequestTimeout):
        way(body)
    assert body.held == 10_000 * place
    assert body.read() == WHOLE
    assert body.complete
    body.close()


@pytest.mark.parametrize("way", [*WAYS, HTTP1Body.read1, lambda body: body.hold(1 << 20)])
@pytest.mark.parametrize("place", [0, 1, 3])
def test_a_caller_that_reads_on_after_an_interrupt_does_not_wait_for_what_is_lost(
    pair: tuple[Failing, socket.socket], place: int, way: Callable[[HTTP1Body], object]
) -> None:
    """It may come when the socket's bytes were taken, and no caller has them yet; TLS makes that likely."""
    sock, peer = pair
    sock.settimeout(5)
    sock.failures = [*[None] * place, KeyboardInterrupt()]
    peer.sendall(WHOLE)
    body = make(sock, len(WHOLE))
    with pytest.raises(KeyboardInterrupt):
        while way(body) != b"":
            pass
    with pytest.raises(hyperlite.IncompleteBody, match="interrupted"):
        body.read()


@pytest.mark.parametrize("way", WAYS, ids=["read", "readinto"])
@pytest.mark.parametrize("error", [ConnectionResetError(), None], ids=repr)
def test_what_is_cut_off_is_in_the_error(
    pair: tuple[Failing, socket.socket], error: BaseException | None, way: Callable[[HTTP1Body], bytes]
) -> None:
    sock, peer = pair
    peer.sendall(WHOLE[:20_000])
    peer.shutdown(socket.SHUT_WR)
    if error is not None:
        sock.failures = [None, None, error]
    body = make(sock, len(WHOLE))
    with pytest.raises(hyperlite.IncompleteBody) as caught:
        way(body)
    assert caught.value.partial == WHOLE[:20_000]
    assert caught.value.expected == len(WHOLE) - 20_000
    with pytest.raises(hyperlite.IncompleteBody):
        body.read()


def test_an_interrupt_where_it_cannot_be_kept(
    pair: tuple[Failing, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signal handlers run between any two instructions. Then the body does not go on as if it were whole."""
    sock, peer = pair
    peer.sendall(WHOLE)
    body = make(sock, len(WHOLE))
    calls = iter([False, True])
    receive = Wire.receive_into

    def interrupted(self: Wire, buffer: Any) -> int | None:
        if next(calls):
            raise KeyboardInterrupt
        return receive(self, buffer)

    monkeypatch.setattr(Wire, "receive_into", interrupted)
    with pytest.raises(KeyboardInterrupt):
        body.read()
    with pytest.raises(hyperlite.IncompleteBody, match="interrupted"):
        body.read()


def test_what_is_only_announced_is_not_allocated(pair: tuple[Failing, socket.socket]) -> None:
    sock, peer = pair
    peer.sendall(b"few")
    peer.shutdown(socket.SHUT_WR)
    sizes: list[int] = []
    wire = Wire(sock)
    fill = wire.fill
    wire.fill = lambda size: sizes.append(size) or fill(size)  # type: ignore[method-assign,func-returns-value]
    framing = Framing(200, 11, [(b"content-length", b"1" * 18)], "GET")
    body = HTTP1Body(wire, LineReader(wire.file), framing, require_close_notify=True, stream_id=1)
    with pytest.raises(hyperlite.IncompleteBody):
        body.read()
    assert max(sizes) == LARGE_PIECE


def test_a_step_has_the_sockets_timeout_and_not_the_one_that_a_call_of_another_thread_sets() -> None:
    """Calls that must not block set it to nothing, and back, under the lock."""
    ours, peer = socket.socketpair()
    with ours, peer:
        ours.settimeout(60)
        timed = TimedSocket(ours, timeout=UNSET, deadline=None, stream_id=1, duplex=True)
        ours.settimeout(0)

        class Lock:
            """A lock that another thread holds, which is done when it is let go."""

            def __enter__(self) -> None:
                ours.settimeout(60)

            def __exit__(self, *_: object) -> None: ...

        timed._lock = Lock()  # type: ignore[assignment]
        assert timed._step_end() > time.monotonic() + 30
