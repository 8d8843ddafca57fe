"""An engine and whatever a peer may send: it never raises."""

import random
from collections.abc import Callable

import pytest
from hyperframe.frame import (
    ContinuationFrame,
    HeadersFrame,
)

from hyperlite.http2.engine.events import (
    ConnectionFailed,
)
from hyperlite.testing.hostile.frames import FrameFactory
from tests.peer import EnginePeer

from .conftest import Make
from .script import ALTSVC, GET, POST, of
from .test_responses import TestCutting as Cutting

Step = bytes | Callable[[EnginePeer], object]


CLOSED = object()  # what closing the engine returns: no call follows it


def tame_step(chance: random.Random) -> Step:
    """Return a frame that is good by itself, on any stream, or a call of the engine's owner."""
    frames, wire_id = FrameFactory(), chance.choice([1, 2, 3, 5])
    return chance.choice(
        [
            frames.raw(HeadersFrame.type, 4, wire_id, b"\x88"),
            frames.raw(HeadersFrame.type, 5, wire_id, b"\x88"),
            frames.raw(HeadersFrame.type, 4, wire_id, b"\x48\x03103"),
            frames.raw(HeadersFrame.type, 5, wire_id, b"\0\1a\1b"),
            frames.raw(HeadersFrame.type, 0, wire_id, b"\x88")
            + frames.raw(ContinuationFrame.type, 4, wire_id, b"\0\1a\1b"),
            frames.data(wire_id, b"x"),
            frames.data(wire_id, b"xyz", padding=3, end_stream=True),
            frames.rst(wire_id, 8),
            frames.window_update(wire_id, 1000),
            frames.raw(ALTSVC, 0, wire_id, b"\0\0x"),
            frames.window_update(0, 1000),
            frames.settings(initial_window_size=chance.choice([0, 10, 70_000])),
            frames.settings(max_concurrent_streams=1),
            frames.goaway(3),
            frames.ping(),
            lambda peer: peer.engine.reset(wire_id, 8),
            lambda peer: peer.engine.credit(wire_id, 600_000),
            lambda peer: peer.engine.grow(wire_id),
            lambda peer: peer.engine.ping(bytes(8)),
        ]
    )


def wild_step(chance: random.Random) -> Step:
    """Return any frame, or the end."""
    payloads = [
        b"",
        b"\x88",
        b"\x82",
        b"\xbe",
        b"\0\1a\1b",
        b"\x80",
        b"\x3f",
        chance.randbytes(chance.randrange(20)),
    ]
    frame = FrameFactory().raw(
        chance.randrange(14),
        chance.choice([0, 1, 4, 5, 8, 0x20, 0x2D, 0xFF]),
        chance.choice([0, 1, 2, 3, 5, 7, 2**31 + 1]),
        chance.choice(payloads),
    )
    return frame if chance.random() < 0.95 else lambda peer: peer.engine.close() or CLOSED


def play(peer: EnginePeer, steps: list[Step]) -> None:
    """Whatever the steps are, nothing raises, and a failure is the last that is told."""
    for fields, end_stream in [(GET, True), (POST, False), (GET, True)]:
        peer.engine.open(fields, end_stream=end_stream)
    over = False
    for step in steps:
        if not isinstance(step, bytes):
            over = over or step(peer) is CLOSED
            continue
        events = peer.send_raw(step)
        assert not (over and events)
        over = over or bool(of(ConnectionFailed, events))
        assert of(ConnectionFailed, events[:-1]) == []
    peer.said()  # and what it answers can be read


@pytest.mark.parametrize("wild", [0, 2], ids=["good frames", "bad frames at the end"])
def test_no_frames_raise(make: Make, wild: int) -> None:
    """Good frames in any order on any stream, and then any frames at all."""
    for seed in range(1500):
        chance = random.Random(seed)
        steps = [tame_step(chance) for _ in range(chance.randrange(12))] + [
            wild_step(chance) for _ in range(wild)
        ]
        peer = make()
        peer.greet()
        try:
            play(peer, steps)
        except Exception as error:
            error.add_note(f"seed {seed}: {steps!r}")
            raise


def test_no_noise_raises(make: Make) -> None:
    """A good transcript, from some place on overwritten."""
    transcript = Cutting().transcript()
    for seed in range(500):
        chance = random.Random(seed)
        at, noise = chance.randrange(len(transcript)), chance.randbytes(chance.randrange(1, 60))
        peer = make()
        for _ in range(5):
            peer.engine.open(GET, end_stream=True)
        try:
            peer.send_raw(transcript[:at] + noise + transcript[at + len(noise) :])
            peer.said()
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
