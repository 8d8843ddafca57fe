"""Event streams, parsed as the HTML standard says (WHATWG, sections 9.2.5 and 9.2.6), with its examples."""

import random

import pytest

from hyperlite import BodyTooLarge, ServerSentEvent
from hyperlite.fetching.event_stream import MAX_EVENT, Events
from hyperlite.fetching.lines import Lines


def interpret(*pieces: bytes, limit: int = MAX_EVENT) -> list[ServerSentEvent]:
    """Return the events of a stream that comes in these pieces; raise its error."""
    events = Events(limit)
    for piece in pieces:
        events.feed(piece)
    events.end()
    if events.error is not None:
        raise events.error
    return list(events.ready)


def data(stream: bytes) -> list[str]:
    """Return the data of a stream's events."""
    return [event.data for event in interpret(stream)]


Event = ServerSentEvent

# Each stream with its events; the first ones are the standard's examples.
STREAMS: list[tuple[bytes, list[ServerSentEvent]]] = [
    (
        (
            b"data: This is the first message.\n\ndata: This is the second message, it\n"
            b"data: has two lines.\n\ndata: This is the third message.\n\n"
        ),
        [
            Event(data="This is the first message."),
            Event(data="This is the second message, it\nhas two lines."),
            Event(data="This is the third message."),
        ],
    ),
    (
        b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n",
        [Event("add", "73857293"), Event("remove", "2153"), Event("add", "113411")],
    ),
    (b"data: YHOO\ndata: +2\ndata: 10\n\n", [Event(data="YHOO\n+2\n10")]),
    (
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
        [Event(data="first event", id="1"), Event(data="second event", id="")],
    ),
    (b"data\n\ndata\ndata\n\ndata:", [Event(data=""), Event(data="\n")]),
    (b"data:test\n\ndata: test\n\n", [Event(data="test"), Event(data="test")]),
    # Line ends.
    (b"data: 1\r\rdata: 2\r\n\r\ndata: 3\n\n", [Event(data="1"), Event(data="2"), Event(data="3")]),
    (b"data: 4\r\n\rdata: 5\n\r\n", [Event(data="4"), Event(data="5")]),
    (b"data: a\x0bb\x0cc\x1c\xc2\x85\xe2\x80\xa8d\n\n", [Event(data="a\x0bb\x0cc\x1c\x85\u2028d")]),
    # The byte order mark: one, at the beginning.
    (b"\xef\xbb\xbfdata: 1\n\n", [Event(data="1")]),
    (b"\xef\xbb\xbf\xef\xbb\xbfdata: 1\n\ndata: 2\n\n", [Event(data="2")]),
    (b"data: 1\n\n\xef\xbb\xbfdata: 2\n\n", [Event(data="1")]),
    # What is no UTF-8.
    (b"data: \xff\xe2\x82\n\n", [Event(data="\ufffd\ufffd")]),
    (b"data: \xf0\x9f\x92\xa9\n\n", [Event(data="\U0001f4a9")]),
    # Fields.
    (b" data: 1\nDATA: 2\ndata : 3\ndat: 4\n\n", []),
    (b"data:\t1\ndata:\xc2\xa02\n\n", [Event(data="\t1\n\xa02")]),
    (b"data: a:b: c\n\n", [Event(data="a:b: c")]),
    (b":data: 1\n:\n: \n\n", []),
    # Events without data are not dispatched, and their type is forgotten; their id is not.
    (b"event: a\nid: 7\n\ndata: 1\n\n", [Event(data="1", id="7")]),
    (b"event: a\nevent\ndata: 1\n\nevent: a\nevent: b\ndata: 2\n\n", [Event(data="1"), Event("b", "2")]),
    # The id.
    (b"id: 1\ndata: 1\n\ndata: 2\n\n", [Event(data="1", id="1"), Event(data="2", id="1")]),
    (b"id: 1\ndata: 1\n\nid: \ndata: 3\n\n", [Event(data="1", id="1"), Event(data="3")]),
    (b"id: 1\nid: 2\x00\ndata: 1\n\n", [Event(data="1", id="1")]),
    (b"id:  1 \ndata: 1\n\n", [Event(data="1", id=" 1 ")]),
    # The time.
    (b"retry: 1000\n\ndata: 1\n\ndata: 2\n\n", [Event(data="1", retry=1000), Event(data="2", retry=1000)]),
    (b"retry: 1000\nretry: 007\ndata: 2\n\n", [Event(data="2", retry=7)]),
    (b"retry: 0\ndata: 1\n\n", [Event(data="1", retry=0)]),
    (b"retry: 5\nretry\nretry: 1x\nretry: -1\nretry: \xd9\xa1\ndata: 1\n\n", [Event(data="1", retry=5)]),
    (b"retry: " + b"9" * 5000 + b"\ndata: 1\n\n", [Event(data="1")]),
    (b"retry: " + b"0" * 5000 + b"9\ndata: 1\n\n", [Event(data="1", retry=9)]),
    # The end.
    (b"", []),
    (b"data: 1\n\ndata: 2\n", [Event(data="1")]),
    (b"data: 1\n\ndata: 2", [Event(data="1")]),
    (b"data: 1\n\n\r", [Event(data="1")]),
]  # fmt: skip


@pytest.mark.parametrize(("stream", "events"), STREAMS)
def test_a_stream(stream: bytes, events: list[ServerSentEvent]) -> None:
    assert interpret(stream) == events


@pytest.mark.parametrize(("stream", "events"), [pair for pair in STREAMS if len(pair[0]) < 1000])
def test_a_stream_cut_anywhere(stream: bytes, events: list[ServerSentEvent]) -> None:
    for cut in range(len(stream) + 1):
        assert interpret(stream[:cut], stream[cut:]) == events
    assert interpret(*(stream[place : place + 1] for place in range(len(stream)))) == events


def test_random_streams_cut_anywhere() -> None:
    dice = random.Random(5)
    for _ in range(300):
        tokens = [
            b"\r",
            b"\n",
            b"data: ",
            b"data",
            b"id:",
            b"event: x",
            b"\xef\xbb\xbf",
            b"\xe2",
            b":",
            b"a",
            b"retry: 5",
        ]
        stream = b"".join(dice.choices(tokens, k=40))
        whole = interpret(stream)
        for _ in range(10):
            cuts = sorted(dice.choices(range(len(stream) + 1), k=5))
            pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
            assert interpret(*pieces) == whole


@pytest.mark.parametrize(
    "stream",
    [
        b"data: " + b"x" * 100 + b"\n\n",
        b": " + b"x" * 100 + b"\n",
        b"id: " + b"x" * 100,
        b"data: xxxxxxxxx\n" * 11,
        b"data\n" * 102,
    ],
)
def test_an_event_has_a_limit(stream: bytes) -> None:
    """Wherever it is cut, what came before it is there, and nothing behind it."""
    first, last = b"data: 1\n\n", b"\n\ndata: 2\n\n"
    for cut in range(len(stream)):
        events = Events(100)
        events.feed(first + stream[:cut])
        events.feed(stream[cut:])
        events.feed(last)
        events.end()
        assert isinstance(events.error, BodyTooLarge)
        assert "longer than 100 characters (max_event=)" in str(events.error)
        assert list(events.ready) == [Event(data="1")]


def test_an_event_as_long_as_the_limit() -> None:
    assert data(b"data: " + b"x" * (MAX_EVENT - 6) + b"\n\n") == ["x" * (MAX_EVENT - 6)]
    assert interpret(b"data: xxxxxxxxxx\n" * 9 + b"data: \n\n", limit=100)[0].data == "xxxxxxxxxx\n" * 9
    assert interpret(b"data\n" * 101 + b"\n", limit=100) == [Event(data="\n" * 100)]


def test_an_event_is_a_value() -> None:
    event = ServerSentEvent("add", "1", "2", 3)
    assert event == ServerSentEvent(event="add", data="1", id="2", retry=3)
    assert hash(event) == hash(ServerSentEvent("add", "1", "2", 3))
    with pytest.raises(AttributeError):
        event.data = "2"  # type: ignore[misc]


def lines(*pieces: bytes, codec: str = "utf_8", limit: int = 1000) -> list[str]:
    parser = Lines(codec, limit)
    for piece in pieces:
        parser.feed(piece)
    parser.end()
    if parser.error is not None:
        raise parser.error
    return list(parser.ready)


@pytest.mark.parametrize(
    "codec", ["utf_8", "utf_16", "utf_16_le", "utf_32", "shift_jis", "iso2022_jp", "cp037"]
)
def test_lines_cut_anywhere(codec: str) -> None:
    text = "one\r\ntwo\rthree\n\n\r\r\n" + ("日本\n" if codec != "cp037" else "x\n") + "\x0b\x1c\nlast"
    encoded = text.encode(codec)
    expected = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for cut in range(len(encoded) + 1):
        assert lines(encoded[:cut], encoded[cut:], codec=codec) == expected
    assert lines(*(encoded[place : place + 1] for place in range(len(encoded))), codec=codec) == expected


@pytest.mark.parametrize("codec", ["utf_16", "utf_32"])
def test_lines_without_a_byte_order_mark(codec: str) -> None:
    """They were a UnicodeError; `text` takes them for little-endian, as browsers do."""
    encoded = "ł\nb".encode(f"{codec}_le")
    for cut in range(len(encoded) + 1):
        assert lines(encoded[:cut], encoded[cut:], codec=codec) == ["ł", "b"]


def test_the_end_of_lines() -> None:
    assert lines() == lines(b"") == []
    assert lines(b"one\n") == lines(b"one\r") == lines(b"one\r\n") == lines(b"one") == ["one"]
    assert lines(b"one\n\n") == ["one", ""]
    assert lines(b"\xef\xbb\xbfone\xe2\x82") == ["one\ufffd"]


def test_a_line_has_a_limit() -> None:
    text = b"one\n" + b"x" * 11 + b"\ntwo\n"
    for cut in range(len(text)):
        parser = Lines("utf_8", 10)
        parser.feed(text[:cut])
        parser.feed(text[cut:])
        parser.end()
        assert str(parser.error) == "a line of the body is longer than 10 characters (max_line=)"
        assert list(parser.ready) == ["one"]
    assert lines(b"x" * 10 + b"\r\n", limit=10) == ["x" * 10]
