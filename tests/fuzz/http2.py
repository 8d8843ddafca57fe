"""HTTP/2: frames to both engines, which must agree after each; header blocks to all decoders."""

import hpack

from hyperlite.errors import ErrorCode
from hyperlite.http2.engine import native, reference
from hyperlite.http2.engine.hpack_decoder import MemoDecoder
from hyperlite.http2.engine.speedups import Decoder, compiled_decoder
from tests.http2.engine.decoders import table_of
from tests.http2.engine.pair import Pair
from tests.http2.engine.script import GET, POST
from tests.http2.engine.test_hpack_agreement import is_regular, kind_of
from tests.http2.engine.test_hpack_agreement import reference as judged

from .target import Feed, check

# Small enough that the connection's window is credited now and then.
WINDOW = 70_000
SETTINGS = 4
MOST_OPEN = 6
LIMITS = [300, 2000, 1 << 16]
SIZES = [0, 1, 10, 3000, 70_000]


def engines(data: bytes) -> None:
    """Play a program: calls and frames, and at the end bytes that are cut anywhere."""
    before = native.CONNECTION_WINDOW, reference.CONNECTION_WINDOW
    native.CONNECTION_WINDOW = reference.CONNECTION_WINDOW = WINDOW
    try:
        _play(Pair(), Feed(data))
    finally:
        native.CONNECTION_WINDOW, reference.CONNECTION_WINDOW = before


def _play(pair: Pair, feed: Feed) -> None:
    while feed.left and not pair.failed:
        kind = feed.number()
        if kind < 0x80:
            _frame(pair, kind, feed)
        elif kind < 0xF0:
            _call(pair, kind, feed)
        else:
            cuts = [feed.number() for _ in range(kind & 3)]
            judge_cuts = [feed.number() for _ in range(kind & 3)]
            pair.receive(feed.rest(), cuts, judge_cuts)


def _frame(pair: Pair, kind: int, feed: Feed) -> None:
    """Take a frame: its kind, its flags, its stream, how long it is, its payload, and one place to cut it."""
    flags, number = feed.number(), feed.number()
    stream_id = number & 0x0F | (1 << 31 if number & 0x80 else 0)
    payload = feed.take(feed.number(2))
    cut = feed.number()
    pair.receive(pair.frames.raw(kind, flags, stream_id, payload), [cut], [cut // 2])
    if kind == SETTINGS and not flags & 1 and not pair.failed:
        for place in range(0, len(payload), 6):
            if payload[place : place + 2] == b"\0\1":
                pair.allow_table(int.from_bytes(payload[place + 2 : place + 6], "big"))


def _call(pair: Pair, kind: int, feed: Feed) -> None:
    """Make a call of the program's, if the engines may be called so now."""
    choice = feed.number()
    if kind < 0xA0:
        if len(pair.open_streams) < min(MOST_OPEN, pair.native.engine.peer.max_concurrent_streams):
            fields, ends = [(GET, True), (POST, False), (GET, False)][choice % 3]
            pair.open(fields, end_stream=ends)
    elif kind < 0xB0 and pair.senders:
        wire_id = pair.senders[choice % len(pair.senders)]
        data = memoryview(bytes(SIZES[choice % len(SIZES)]))
        pair.call(lambda engine: engine.send(wire_id, data, end_stream=choice > 200))
    elif kind < 0xC0 and pair.senders:
        wire_id = pair.senders[choice % len(pair.senders)]
        pair.call(lambda engine: engine.trailers(wire_id, [(b"x-sum", b"1")]))
    elif kind < 0xD0 and pair.opened:
        wire_id = pair.opened[choice % len(pair.opened)]
        pair.call(lambda engine: engine.reset(wire_id, ErrorCode.CANCEL))
    elif kind < 0xE0 and pair.unread:
        wire_id = sorted(pair.unread)[choice % len(pair.unread)]
        size = -(-pair.unread[wire_id] // (1 + choice % 7))
        pair.unread[wire_id] -= size
        pair.call(lambda engine: engine.credit(wire_id, size))
        pair.call(lambda engine: engine.grow(wire_id))
    else:
        pair.call(lambda engine: engine.ping(b"12345678"))
        pair.call(lambda engine: engine.pause())


def decoder(data: bytes) -> None:
    """Give header blocks to hpack, to the decoder in Python, and to the compiled one where there is one."""
    feed = Feed(data)
    limit = LIMITS[feed.choice(len(LIMITS))]
    theirs = hpack.Decoder(max_header_list_size=limit)
    ours: list[Decoder] = [MemoDecoder(limit)]
    if compiled_decoder is not None:
        ours.append(compiled_decoder(limit))
    while feed.left:
        block = feed.take(feed.number(2))
        expected = judged(theirs, block)
        for one in ours:
            try:
                got = list(one.decode(block))
            except hpack.HPACKError as error:
                check(kind_of(error) == expected, f"{type(one).__name__}: {error!r}, not {expected}")
            else:
                check(got == expected, f"{type(one).__name__}: {got}, not {expected}")
                check(one.regular == is_regular(got), f"{type(one).__name__}: regular")
        if isinstance(expected, str):
            return
        table = [(bytes(name), bytes(value)) for name, value in theirs.header_table.dynamic_entries]
        for one in ours:
            check(table_of(one) == table, f"the table of {type(one).__name__}")
