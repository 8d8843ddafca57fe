"""The proof of NativeEngine: whatever happens, it does what H2Engine does."""

import inspect
import os
import struct
import time
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hyperlite.errors import ErrorCode
from hyperlite.http2.engine import hpack_decoder, native, reference
from hyperlite.http2.engine.events import DataReceived, ResponseReceived
from hyperlite.http2.engine.frames import SETTINGS as SETTINGS_FRAME

from .conftest import request
from .pair import Disagreement, Pair
from .test_responses import TestCutting as Cutting

REQUESTS = [
    (request("GET"), True),
    (request("HEAD"), True),
    (request("POST", (b"content-type", b"text/plain")), False),
    (request("GET", (b"x-long", b"v" * 20_000)), True),
    (request("GET", (b"cookie", b"a=b"), (b"authorization", b"secret")), True),
]
HEADS = [
    *[[(":status", "200")]] * 6,
    [(":status", "200"), ("content-length", "5"), ("etag", '"1"')],
    [(":status", "204")],
    [(":status", "304"), ("content-length", "9")],
    [(":status", "404"), ("x-long", "y" * 300), ("set-cookie", "a=b")],
    [(":status", "103"), ("link", "</a>")],
    [(":status", "100")],
    [("x-sum", "1")],
    [(":status", "200"), *[("x", "1")] * 10],
    [],
    [(":status", "20")],
    [(":status", "200"), ("Upper", "x")],
    [(":status", "200"), ("content-length", "x")],
]
TOO_LARGE = [(":status", "200"), ("x", "z" * 5000)]
SETTINGS = [
    {},
    {4: 0},
    {4: 10},
    {4: 70_000},
    {4: 1_000_000},
    {5: 16_384},
    {5: 40_000},
    {1: 0},
    {1: 100},
    {1: 2**32 - 1},
    {3: 5},
    {3: 2**32 - 1},
    {2: 0},
    {6: 10},
    {8: 1},
    {0xABCD: 7},
]
BAD_SETTINGS = [{4: 2**31 - 1}, {4: 2**31}, {5: 16_383}, {5: 2**24}, {2: 1}, {2: 2}, {8: 2}]
BODIES = [b"", b"x", b"hello", b"12345678", bytes(100), bytes(700), bytes(1999)]
CUTS = st.lists(st.integers(0, 400), max_size=4)
ENDS = st.booleans()
# Streams that are open, that were, that never will be.
NUMBERS = st.integers(0, 40)


class BothEngines(RuleBasedStateMachine):
    """A program and a server between which both engines are: nothing here ends the connection."""

    def __init__(self) -> None:
        super().__init__()
        self.pair = self.make_pair()
        self.say(self.pair.frames.settings(initial_window_size=1000), [], [])

    def make_pair(self) -> Pair:
        """Return the two engines."""
        return Pair()

    @property
    def live(self) -> list[int]:
        """The streams on which frames may come: open ones, and those that were cut short."""
        return [] if self.pair.failed else self.pair.open_streams + list(self.pair.cut_short)

    def some(self, choices: list[int], choice: int) -> int:
        return choices[choice % len(choices)]

    def say(self, data: bytes, cuts: list[int], judge_cuts: list[int]) -> None:
        self.pair.receive(data, cuts, judge_cuts)

    # -- the program --

    @precondition(lambda self: not self.pair.failed and len(self.pair.open_streams) < 6)
    @rule(asked=st.sampled_from(REQUESTS))
    def open(self, asked: Any) -> None:
        if len(self.pair.open_streams) < self.pair.native.engine.peer.max_concurrent_streams:
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

    @precondition(lambda self: self.pair.opened)
    @rule(choice=NUMBERS, code=st.sampled_from([ErrorCode.CANCEL, ErrorCode.NO_ERROR, None]))
    def reset(self, choice: int, code: ErrorCode | None) -> None:
        wire_id = self.some(self.pair.opened, choice)
        self.pair.call(lambda engine: engine.forget(wire_id) if code is None else engine.reset(wire_id, code))

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

    @precondition(lambda self: self.live)
    @rule(
        choice=NUMBERS,
        fields=st.sampled_from(HEADS),
        ends=st.sampled_from([False, False, True]),
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
            self.some(self.live, choice),
            fields,
            end_stream=ends,
            padding=padding,
            priority=priority,
            split=split if fields else 0,
        )
        self.say(frames, cuts, judge_cuts)

    @precondition(lambda self: self.live)
    @rule(
        choice=NUMBERS,
        bodies=st.lists(st.sampled_from(BODIES), min_size=1, max_size=3),
        ends=st.sampled_from([False, False, False, True]),
        padding=st.sampled_from([None, None, 0, 9, 255]),
        reserved=st.sampled_from([0, 0, 2**31]),
        cuts=CUTS,
        judge_cuts=CUTS,
    )
    def data(
        self,
        choice: int,
        bodies: list[bytes],
        ends: bool,
        padding: int | None,
        reserved: int,
        cuts: list[int],
        judge_cuts: list[int],
    ) -> None:
        wire_id, frames = self.some(self.live, choice), self.pair.frames
        padded = 0 if padding is None else padding + 1
        if sum(map(len, bodies)) + padded <= self.pair.window_left(wire_id):
            last = frames.data(reserved | wire_id, bodies[-1], end_stream=ends, padding=padding)
            self.say(b"".join(frames.data(wire_id, body) for body in bodies[:-1]) + last, cuts, judge_cuts)

    @precondition(lambda self: self.pair.open_streams)
    @rule(
        choice=NUMBERS,
        body=st.sampled_from(BODIES),
        padding=st.sampled_from([None, 9, 255]),
        cuts=CUTS,
        judge_cuts=CUTS,
    )
    def answer(
        self, choice: int, body: bytes, padding: int | None, cuts: list[int], judge_cuts: list[int]
    ) -> None:
        """Answer a request, wholly or, where there is padding, with a body that is to go on."""
        wire_id, frames = self.some(self.pair.open_streams, choice), self.pair.frames
        if len(body) + 256 <= self.pair.window_left(wire_id):
            length = [("content-length", str(len(body)))] if padding is None else []
            head = frames.headers(wire_id, [(":status", "200"), *length])
            data = frames.data(wire_id, body, padding=padding, end_stream=padding is None)
            self.say(head + data, cuts, judge_cuts)

    @precondition(lambda self: self.live and not self.pair.frames.encoder.header_table.resized)
    @rule(choice=NUMBERS, value=st.sampled_from([b"a", b"b"]), ends=ENDS)
    def repeat(self, choice: int, value: bytes, ends: bool) -> None:
        """Send a field as nginx does: as a literal to be indexed, each time anew."""
        frames = self.pair.frames
        frames.encoder.header_table.add(b"server", value)
        flags = 0x5 if ends else 0x4
        self.say(frames.raw(1, flags, self.some(self.live, choice), b"\x88\x76\x01" + value), [], [])

    @precondition(lambda self: self.live)
    @rule(choice=NUMBERS, code=st.sampled_from([0, 7, 8, 0xDEAD]), cuts=CUTS, judge_cuts=CUTS)
    def rst(self, choice: int, code: int, cuts: list[int], judge_cuts: list[int]) -> None:
        self.say(self.pair.frames.rst(self.some(self.live, choice), code), cuts, judge_cuts)

    @precondition(lambda self: self.live)
    @rule(
        choice=NUMBERS,
        increment=st.sampled_from([1, 500, 70_000, 2**31 + 9, 2**31 - 1]),
        cuts=CUTS,
        judge_cuts=CUTS,
    )
    def window_update(self, choice: int, increment: int, cuts: list[int], judge_cuts: list[int]) -> None:
        self.say(self.pair.frames.window_update(self.some(self.live, choice), increment), cuts, judge_cuts)

    @rule(increment=st.sampled_from([1, 70_000, 2**31 + 9, 2**31 - 1]), cuts=CUTS, judge_cuts=CUTS)
    def connection_window_update(self, increment: int, cuts: list[int], judge_cuts: list[int]) -> None:
        self.say(self.pair.frames.window_update(0, increment), cuts, judge_cuts)

    @rule(chosen=st.lists(st.sampled_from(SETTINGS), max_size=2), cuts=CUTS, judge_cuts=CUTS)
    def settings(self, chosen: list[dict[int, int]], cuts: list[int], judge_cuts: list[int]) -> None:
        pairs = [pair for one in chosen for pair in one.items()]
        self.say(self.pair.frames.settings(pairs), cuts, judge_cuts)
        if not self.pair.failed and 1 in dict(pairs):
            self.pair.allow_table(dict(pairs)[1])

    @rule(size=st.sampled_from([0, 60, 4096]))
    def own_table(self, size: int) -> None:
        """The server uses another table from its next header block on."""
        self.pair.frames.encoder.header_table_size = size

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

    @invariant()
    def agree(self) -> None:
        self.pair.compare()


class Wild(BothEngines):
    """As before, and then a server that knows no rules."""

    def any_number(self, choice: int) -> int:
        """Return the number of a stream: one that is open, was, or never will be."""
        opened = self.pair.opened[-8:]
        return opened[choice % len(opened)] if opened and choice < 30 else choice

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
        wire_id = self.any_number(choice) | (2**31 if reserved else 0)
        self.say(self.pair.frames.raw(kind, flags, wire_id, payload), cuts, judge_cuts)

    @rule(chosen=st.sampled_from(BAD_SETTINGS))
    def bad_settings(self, chosen: dict[int, int]) -> None:
        self.say(self.pair.frames.settings(chosen), [], [])

    @rule(choice=NUMBERS, increment=st.sampled_from([0, 2**31 - 1]))
    def bad_window_update(self, choice: int, increment: int) -> None:
        self.say(self.pair.frames.window_update(self.any_number(choice), increment), [], [])

    @rule(choice=NUMBERS, fields=st.sampled_from([*HEADS, TOO_LARGE]), ends=ENDS)
    def headers_anywhere(self, choice: int, fields: list[tuple[str, str]], ends: bool) -> None:
        self.say(self.pair.frames.headers(self.any_number(choice), fields, end_stream=ends), [], [])

    @rule(choice=NUMBERS, size=st.sampled_from([0, 1, 3000]), ends=ENDS)
    def data_anywhere(self, choice: int, size: int, ends: bool) -> None:
        self.say(self.pair.frames.data(self.any_number(choice), bytes(size), end_stream=ends), [], [])


FUZZ_SECONDS = float(os.environ.get("HYPERLITE_FUZZ_SECONDS", "0"))
QUICK = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def small_connection_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the connection's window small enough to be credited now and then."""
    for module in (native, reference):
        monkeypatch.setattr(module, "CONNECTION_WINDOW", 70_000)


@pytest.mark.parametrize("machine", [BothEngines, Wild])
def test_both_engines_do_the_same(machine: type[BothEngines]) -> None:
    run_state_machine_as_test(machine, settings=QUICK)


@pytest.mark.long
@pytest.mark.skipif(not FUZZ_SECONDS, reason="HYPERLITE_FUZZ_SECONDS says for how long")
@pytest.mark.timeout(FUZZ_SECONDS + 120)
def test_both_engines_do_the_same_for_long() -> None:
    until = time.monotonic() + FUZZ_SECONDS
    while time.monotonic() < until:
        for machine in (BothEngines, Wild):
            run_state_machine_as_test(
                machine, settings=settings(QUICK, max_examples=100, stateful_step_count=50, database=None)
            )
        test_a_transcript_that_was_tampered_with()


# What befalls a transcript: where, how much of it goes, and what comes in its place.
CHANGES = st.lists(
    st.tuples(st.integers(0, 700), st.integers(0, 12), st.binary(max_size=12)), min_size=1, max_size=4
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes=CHANGES, cuts=CUTS, judge_cuts=CUTS)
def test_a_transcript_that_was_tampered_with(
    changes: list[tuple[int, int, bytes]], cuts: list[int], judge_cuts: list[int]
) -> None:
    """Nothing raises, and both engines make the same of it."""
    transcript = Cutting().transcript()
    for at, gone, instead in changes:
        transcript = transcript[:at] + instead + transcript[at + gone :]
    pair = Pair()
    for _ in range(5):
        pair.open(request("GET"), end_stream=True)
    pair.receive(transcript, cuts, judge_cuts)


def test_the_native_way_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole frames of open streams go through the short way of the loop; h2 sees none of any stream's."""
    slow: list[int] = []
    receive_frame = native.NativeEngine._receive_frame

    def watched(engine: native.NativeEngine, kind: int, *rest: Any) -> None:
        slow.append(kind)
        receive_frame(engine, kind, *rest)

    monkeypatch.setattr(native.NativeEngine, "_receive_frame", watched)
    pair = Pair()
    frames = pair.frames
    wire_id = pair.open(request("GET"), end_stream=True)
    head = frames.headers(wire_id, [(":status", "200"), ("content-length", "1500")])
    body = frames.data(wire_id, bytes(1000)) + frames.data(wire_id, bytes(500), end_stream=True)
    events = pair.receive(frames.settings() + head + body)
    assert [type(event) for event in events[1:]] == [ResponseReceived, DataReceived, DataReceived]
    assert slow == [SETTINGS_FRAME]


# -- defects that the proof must find -----------------------------------------------------------------

# Each is a change of one place in the source of native.py or hpack_decoder.py, of the kind that happens.
MUTANTS = {
    "padding is not flow-controlled": (native, "stream.left -= length", "stream.left -= size"),
    "padding is not credited": (native, "if length > size:", "if False:"),
    "late DATA is not credited to the connection": (
        native,
        "guard.late_data(wire_id, len(payload))\n                self._consume_connection(len(payload))",
        "guard.late_data(wire_id, len(payload))",
    ),
    "SETTINGS change no open stream": (native, "stream.outbound += change", "pass"),
    "a window may overflow": (
        native,
        "if stream.outbound > MAX_WINDOW:\n            code",
        "if False:\n            code",
    ),
    "header blocks of no open stream are not decoded": (
        native,
        "        try:\n            fields = self._decoder.decode(block)",
        "        fields = []\n        try:\n            fields = stream and self._decoder.decode(block)",
    ),
    "the reserved bit is not masked": (native, "wire_id &= MAX_WIRE_ID", "pass"),
    "END_STREAM is forgotten over CONTINUATION": (native, "guard.block_ends_stream, events", "False, events"),
    "a reset by the peer is not remembered": (
        native,
        "guard.cut_short(wire_id, stream.left)\n                code",
        "code",
    ),
    "half a frame is lost": (native, "(self.pending, *pieces)", "pieces"),
    "what is sent uses up no connection window": (
        native,
        "self._outbound -= sent",
        "pass",
    ),
    "the peer's frame size is not heeded": (
        native,
        "self.peer.apply(named)",
        "size = self.peer.max_frame; self.peer.apply(named); self.peer.max_frame = size",
    ),
    "the peer's table size is not heeded": (
        native,
        "self._encoder.header_table_size = named[HEADER_TABLE_SIZE]",
        "pass",
    ),
    "the connection's credit is not heeded": (native, "self._outbound += increment", "pass"),
    "the connection's window may overflow": (native, "if self._outbound > MAX_WINDOW:", "if False:"),
    "PING is not answered": (native, "self._out.append(frame(PING, ACK, 0, payload))", "pass"),
    "SETTINGS are not acknowledged": (native, "self._out.append(frame(SETTINGS, ACK, 0))", "pass"),
    "an acknowledgement is taken for SETTINGS": (
        native,
        "kind == SETTINGS and not flags & ACK",
        "kind == SETTINGS",
    ),
    "wrong SETTINGS are taken": (native, "named, before = read_settings(payload)", "named, before = {}"),
    "a block that came before enters no table": (hpack_decoder, "self._inserted += inserted", "pass"),
    "a table size update is not obeyed": (hpack_decoder, "self._max_size = size\n            while", "while"),
    "what a smaller table has no room for stays": (hpack_decoder, "while self._size > size:", "while False:"),
    "a literal enters no table": (hpack_decoder, "self._inserted.append(entry)", "pass"),
}


def mutant(module: ModuleType, old: str, new: str) -> type:
    """Return NativeEngine with one place of its source, or of its HPACK's, changed."""
    source = inspect.getsource(module)
    assert source.count(old) == 1, f"{old!r} is {source.count(old)} times in {module.__name__}"
    changed = ModuleType(module.__name__)
    changed.__package__ = module.__package__
    exec(compile(source.replace(old, new), f"mutant of {module.__file__}", "exec"), vars(changed))
    if module is native:
        changed.CONNECTION_WINDOW = native.CONNECTION_WINDOW
        return changed.NativeEngine
    engine = ModuleType(native.__name__)
    engine.__package__ = native.__package__
    exec(compile(inspect.getsource(native), native.__file__ or "", "exec"), vars(engine))
    engine.CONNECTION_WINDOW = native.CONNECTION_WINDOW
    engine.MemoDecoder, engine.compiled_decoder = changed.MemoDecoder, None
    return engine.NativeEngine


@pytest.mark.parametrize("name", MUTANTS)
def test_a_defect_is_found(name: str) -> None:
    engine = mutant(*MUTANTS[name])

    class Mutated(BothEngines):
        def make_pair(self) -> Pair:
            return Pair(engine)

    with pytest.raises(Disagreement):
        run_state_machine_as_test(
            Mutated,
            settings=settings(
                QUICK, max_examples=1000, phases=[Phase.generate], database=None, derandomize=True
            ),
        )
