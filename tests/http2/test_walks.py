"""A random walk through all that callers and a peer do to the streams of one connection, in one thread.

After each step the accounts must be right: what lies unread, what was credited, the slots; and a stream is
open, complete or failed. A failure names its seed.
"""

import contextlib
import random
import socket
from collections.abc import Iterator

import pytest

from hyperlite.errors import HTTP2Error
from hyperlite.http2.connection import HTTP2Connection
from hyperlite.http2.engine import make_engine
from hyperlite.http2.stream import Stream
from hyperlite.messages.request import NO_HEADERS, Request
from hyperlite.testing.hostile.frames import FrameFactory
from tests.inside import sleepers_on

ROUNDS = 60
STEPS = 60
SLOTS = 4


class Walk:
    """One connection, its peer, and which byte was sent on which stream."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        ours, self.peer = socket.socketpair()
        self.peer.setblocking(False)
        self.frames = FrameFactory()
        self.mux = HTTP2Connection(ours, make_engine(), timeout=0, max_buffered=1 << 20)
        self.streams: list[Stream] = []
        self.sent: dict[Stream, bytes] = {}
        self.read: dict[Stream, bytes] = {}
        self.whole: set[Stream] = set()
        self.say(self.frames.settings(max_concurrent_streams=SLOTS) + self.frames.settings_ack())

    def say(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # the client has closed
            while self.peer.recv(1 << 20):
                pass
        with contextlib.suppress(OSError):
            self.peer.send(data)

    def any_stream(self) -> Stream | None:
        return self.random.choice(self.streams) if self.streams else None

    def live(self, *, answered: bool) -> tuple[int, Stream] | None:
        some = [item for item in self.mux.table.open.items() if bool(item[1].status) is answered]
        return self.random.choice(some) if some else None

    # -- what the caller does --

    def submit(self) -> None:
        body = self.random.choice([None, b"", b"x" * 100, b"y" * 200_000])
        method = "GET" if body is None else "POST"
        request = Request(method, "/", body, NO_HEADERS, b"http", b"localhost", 65536)
        stream = Stream(2 * len(self.streams) + 1, request)
        if self.mux.submit([stream], gather=self.random.random() < 0.5):
            self.streams.append(stream)
            self.sent[stream] = self.read[stream] = b""

    def take(self) -> None:
        stream = self.any_stream()
        if stream is None or stream.given_up or not stream.status:
            return
        with contextlib.suppress(HTTP2Error):
            way = self.random.randrange(3)
            if way == 0:
                self.read[stream] += self.mux.read(stream, self.random.choice([1, 500, 1 << 20]))
            elif way == 1:
                room = bytearray(700)
                self.read[stream] += room[: self.mux.read_into(stream, memoryview(room))]
            else:
                self.mux.put_back(stream, self.mux.read(stream, 300))

    def take_rest(self) -> None:
        stream = self.any_stream()
        if stream is not None and stream.inbox.complete:
            with contextlib.suppress(HTTP2Error):
                self.read[stream] += self.mux.read_rest(stream)

    def wait(self) -> None:
        stream = self.any_stream()
        if stream is not None:
            with contextlib.suppress(HTTP2Error):
                self.mux.wait_head(stream)

    def end(self) -> None:
        stream = self.any_stream()
        if stream is not None:
            self.random.choice([self.mux.cancel, self.mux.drop, self.mux.abandon])(stream)

    # -- what the peer does --

    def answer(self) -> None:
        if found := self.live(answered=False):
            wire_id, stream = found
            whole = self.random.random() < 0.2
            self.say(self.frames.headers(wire_id, end_stream=whole))
            self.whole |= {stream} if whole else set()

    def inform(self) -> None:
        if found := self.live(answered=False):
            self.say(self.frames.headers(found[0], [(":status", "103")]))

    def data(self) -> None:
        if found := self.live(answered=True):
            wire_id, stream = found
            piece = self.random.randbytes(self.random.choice([0, 1, 1000, 16384]))
            whole = self.random.random() < 0.3
            self.sent[stream] += piece
            self.whole |= {stream} if whole else set()
            self.say(self.frames.data(wire_id, piece, end_stream=whole))

    def reset(self) -> None:
        if found := self.live(answered=self.random.random() < 0.5):
            self.say(self.frames.rst(found[0], self.random.choice([0, 2, 7, 8, 11])))

    def grant(self) -> None:
        found = self.live(answered=False)
        self.say(self.frames.window_update(0, 70_000))
        if found:
            self.say(self.frames.window_update(found[0], 70_000))

    def go_away(self) -> None:
        if self.random.random() < 0.05:
            self.say(self.frames.goaway(self.random.choice([0, 1, 9, 2**31 - 1])))
        elif self.random.random() < 0.02:
            self.peer.close()

    # -- the accounts --

    def step(self) -> None:
        steps = [self.submit, self.submit, self.take, self.take, self.take_rest, self.wait, self.end]
        steps += [self.answer, self.answer, self.inform, self.data, self.data, self.data]
        self.random.choice([*steps, self.reset, self.grant, self.go_away])()
        self.mux.pump()
        self.check()

    def check(self) -> None:
        mux = self.mux
        assert mux.table.unread.total == sum(stream.inbox.size for stream in self.streams)
        assert mux.table.unread.advanced == sum(stream.inbox.advanced for stream in self.streams)
        assert not mux.table.abandoned
        assert not mux.table.busy
        assert not mux._io.leadership.held
        assert not sleepers_on(mux)
        assert set(mux.table.turns.senders) <= set(mux.table.open)
        assert len(mux.table.open) <= SLOTS
        for stream in self.streams:
            is_open = stream in mux.table.open.values() or stream in mux.table.queue
            assert is_open + stream.inbox.complete + (stream.error is not None) == 1, stream
            assert stream.inbox.advanced <= stream.inbox.size
            assert self.sent[stream].startswith(self.read[stream])
            if stream.inbox.exhausted:
                assert stream in self.whole
                assert self.read[stream] == self.sent[stream]

    def finish(self) -> None:
        for stream in self.streams:
            self.mux.drop(stream)
        self.mux.drain()
        self.check()
        assert (self.mux.counts, self.mux.table.unread.total, self.mux.table.unread.advanced) == (
            (0, 0),
            0,
            0,
        )
        assert self.mux.closed
        assert self.mux.fileno() == -1
        self.peer.close()


@pytest.fixture(params=range(ROUNDS))
def walk(request: pytest.FixtureRequest) -> Iterator[Walk]:
    walk = Walk(request.param)
    yield walk
    walk.finish()


def test_the_accounts_are_right_after_each_step(walk: Walk) -> None:
    for _ in range(STEPS):
        walk.step()
