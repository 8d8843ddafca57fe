"""The proof of NativeEngine: whatever happens, it does what H2Engine does."""

import os
import struct
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hyperlite.errors import ErrorCode

from .conftest import request
from .pair import Pair

REQUESTS = [
    (request("GET"), True),
    (request("HEAD"), True),
    (request("POST", (b"content-type", b"text/plain")), False),
    (request("GET", (b"x-long", b"v" * 20_000)), True),
    (request("GET", (b"cookie", b"a=b"), (b"authorization", b"secret")), True),
]
HEADS = [
    [(":status", "200")],
    [(":status", "200"), ("content-length", "5"), ("etag", '"1"')],
    [(":status", "204")],
    [(":status", "304"), ("content-length", "9")],
    [(":status", "404"), ("x-long", "y" * 300), ("set-cookie", "a=b")],
    [(":status", "103"), ("link", "</a>")],
    [(":status", "100")],
    [("x-sum", "1")],
    [],
    [(":status", "20")],
    [(":status", "200"), ("Upper", "x")],
    [(":status", "200"), ("content-length", "x")],
    [(":status", "200"), ("x", "z" * 5000)],
]
SETTINGS = [
    {},
    {4: 0},
    {4: 10},
    {4: 70_000},
    {4: 2**31 - 1},
    {4: 2**31},
    {5: 16_384},
    {5: 40_000},
    {5: 16_383},
    {1: 0},
    {1: 100},
    {1: 2**32 - 1},
    {3: 5},
    {3: 2**32 - 1},
    {2: 0},
    {2: 1},
    {2: 2},
    {6: 10},
    {8: 1},
    {0xABCD: 7},
]
BODIES = [b"", b"x", b"hello", b"12345678", bytes(100), bytes(700), bytes(1999)]
CUTS = st.lists(st.integers(0, 400), max_size=4)
ENDS = st.booleans()
# Streams that are open, that were, that never will be.
NUMBERS = st.integers(0, 40)


class BothEngines(RuleBasedStateMachine):
    """A server and a program, good or not, and both engines between them."""

    def __init__(self) -> None:
        super().__init__()
        self.pair = Pair()
        self.greeted = False

    def number(self, choice: int) -> int:
        """Return the number of a stream, one that was opened if there is any."""
        opened = self.pair.opened[-8:]
        return opened[choice % len(opened)] if opened and choice < 36 else choice

    def some(self, choices: list[int], choice: int) -> int:
        return choices[choice % len(choices)]

    # -- the program --

    @precondition(lambda self: not self.pair.failed and len(self.pair.open_streams) < 6)
    @rule(asked=st.sampled_from(REQUESTS))
    def open(self, asked: Any) -> None:
        if len(self.pair.open_streams) < self.pair.native.engine.max_concurrent_streams:
            self.pair.open(asked[0], end_stream=asked[1])

    @precondition(lambda self: not self.pair.failed and self.pair.senders)
    @rule(choice=NUMBERS, size=st.sampled_from([0, 1, 10, 3000, 70_000]), ends=ENDS)
    def send(self, choice: int, size: int, ends: bool) -> None:
        wire_id = self.some(self.pair.senders, choice)
        self.pair.call(lambda engine: engine.send(wire_id, memoryview(bytes(size)), end_stream=ends))

    @precondition(lambda self: not self.pair.failed and self.pair.senders)
    @rule(choice=NUMBERS)
    def trailers(self, choice: int) -> None:
        wire_id = self.some(self.pair.senders, choice)
        self.pair.call(lambda engine: engine.trailers(wire_id, [(b"x-sum", b"1")]))

    @rule(choice=NUMBERS, code=st.sampled_from([ErrorCode.CANCEL, ErrorCode.NO_ERROR]))
    def reset(self, choice: int, code: ErrorCode) -> None:
        wire_id = self.number(choice)
        self.pair.call(lambda engine: engine.reset(wire_id, code))

    @precondition(lambda self: self.pair.unread)
    @rule(choice=NUMBERS, share=st.sampled_from([1, 2, 7]))
    def credit(self, choice: int, share: int) -> None:
        wire_id = self.some(sorted(self.pair.unread), choice)
        size = -(-self.pair.unread[wire_id] // share)
        self.pair.unread[wire_id] -= size
        self.pair.call(lambda engine: engine.credit(wire_id, size))
        self.pair.call(lambda engine: engine.grow(wire_id))

    @precondition(lambda self: not self.pair.failed)
    @rule()
    def ping(self) -> None:
        self.pair.call(lambda engine: engine.ping(b"12345678"))
        self.pair.call(lambda engine: engine.pause())

    # -- the server --

    def say(self, data: bytes, cuts: list[int], judge_cuts: list[int]) -> None:
        if not self.greeted:
            self.greeted = True
            data = self.pair.frames.settings(initial_window_size=1000) + data
        self.pair.receive(data, cuts, judge_cuts)

    @rule(
        choice=NUMBERS,
        fields=st.sampled_from(HEADS),
        ends=ENDS,
        padding=st.sampled_from([None, None, 0, 7]),
        priority=st.sampled_from([b"", b"", bytes(5), struct.pack(">LB", 1, 3)]),
        split=st.sampled_from([0, 0, 0, 3, 40]),
        cuts=CUTS,
        judge_cuts=CUTS,
    )
    def headers(
        self,
        choice: int,
        fields: list[tuple[str, str]],
        ends: bool,
        padding: int | None,
        priority: bytes,
        split: int,
        cuts: list[int],
        judge_cuts: list[int],
    ) -> None:
        frames = self.pair.frames.headers(
            self.number(choice),
            fields,
            end_stream=ends,
            padding=padding,
            priority=priority,
            split=split if fields else 0,
        )
        self.say(frames, cuts, judge_cuts)

    @rule(
        choice=NUMBERS,
        bodies=st.lists(st.sampled_from(BODIES), min_size=1, max_size=3),
        ends=ENDS,
        padding=st.sampled_from([None, None, 0, 9, 255]),
        cuts=CUTS,
        judge_cuts=CUTS,
    )
    def data(
        self,
        choice: int,
        bodies: list[bytes],
        ends: bool,
        padding: int | None,
        cuts: list[int],
        judge_cuts: list[int],
    ) -> None:
        wire_id, frames = self.number(choice), self.pair.frames
        last = frames.data(wire_id, bodies[-1], end_stream=ends, padding=padding)
        self.say(b"".join(frames.data(wire_id, body) for body in bodies[:-1]) + last, cuts, judge_cuts)

    @precondition(lambda self: self.pair.open_streams)
    @rule(choice=NUMBERS, body=st.sampled_from(BODIES), cuts=CUTS, judge_cuts=CUTS)
    def answer(self, choice: int, body: bytes, cuts: list[int], judge_cuts: list[int]) -> None:
        wire_id, frames = self.some(self.pair.open_streams, choice), self.pair.frames
        head = frames.headers(wire_id, [(":status", "200"), ("content-length", str(len(body)))])
        self.say(head + frames.data(wire_id, body, end_stream=True), cuts, judge_cuts)

    @rule(choice=NUMBERS, code=st.sampled_from([0, 7, 8, 0xDEAD]), cuts=CUTS, judge_cuts=CUTS)
    def rst(self, choice: int, code: int, cuts: list[int], judge_cuts: list[int]) -> None:
        self.say(self.pair.frames.rst(self.number(choice), code), cuts, judge_cuts)

    @rule(
        choice=NUMBERS,
        connection=ENDS,
        increment=st.sampled_from([1, 500, 500, 70_000, 2**31 + 9, 2**31 - 1, 0]),
        cuts=CUTS,
        judge_cuts=CUTS,
    )
    def window_update(
        self, choice: int, connection: bool, increment: int, cuts: list[int], judge_cuts: list[int]
    ) -> None:
        wire_id = 0 if connection else self.number(choice)
        self.say(self.pair.frames.window_update(wire_id, increment), cuts, judge_cuts)

    @rule(chosen=st.lists(st.sampled_from(SETTINGS), max_size=2), cuts=CUTS, judge_cuts=CUTS)
    def settings(self, chosen: list[dict[int, int]], cuts: list[int], judge_cuts: list[int]) -> None:
        pairs = [pair for one in chosen for pair in one.items()]
        self.say(self.pair.frames.settings(pairs), cuts, judge_cuts)

    @rule(kind=st.sampled_from(["goaway", "ping", "pong", "ack"]), cuts=CUTS, judge_cuts=CUTS)
    def connection_frame(self, kind: str, cuts: list[int], judge_cuts: list[int]) -> None:
        frames = self.pair.frames
        data = {
            "goaway": frames.goaway(3, 0xB, b"calm"),
            "ping": frames.ping(),
            "pong": frames.ping(ack=True),
            "ack": frames.settings_ack(),
        }[kind]
        self.say(data, cuts, judge_cuts)

    @rule(
        kind=st.integers(0, 12),
        flags=st.sampled_from([0, 1, 4, 5, 8, 9, 0xC, 0x2C, 0xFF]),
        choice=NUMBERS,
        reserved=ENDS,
        payload=st.binary(max_size=12)
        | st.sampled_from([b"\x88", b"\x82", b"\xbe", bytes(4), bytes(5), bytes(8), b"\x05\x88abcdef"]),
        cuts=CUTS,
        judge_cuts=CUTS,
    )
    def any_frame(
        self,
        kind: int,
        flags: int,
        choice: int,
        reserved: bool,
        payload: bytes,
        cuts: list[int],
        judge_cuts: list[int],
    ) -> None:
        wire_id = self.number(choice) | (2**31 if reserved else 0)
        self.say(self.pair.frames.raw(kind, flags, wire_id, payload), cuts, judge_cuts)

    @invariant()
    def agree(self) -> None:
        self.pair.compare()


FUZZ_SECONDS = float(os.environ.get("HYPERLITE_FUZZ_SECONDS", "0"))
QUICK = settings(
    max_examples=150,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def test_both_engines_do_the_same() -> None:
    run_state_machine_as_test(BothEngines, settings=QUICK)


@pytest.mark.skipif(not FUZZ_SECONDS, reason="HYPERLITE_FUZZ_SECONDS says for how long")
@pytest.mark.timeout(FUZZ_SECONDS + 120)
def test_both_engines_do_the_same_for_long() -> None:
    until = time.monotonic() + FUZZ_SECONDS
    while time.monotonic() < until:
        run_state_machine_as_test(
            BothEngines, settings=settings(QUICK, max_examples=300, stateful_step_count=50, database=None)
        )
