"""Both engines, side by side: the same calls and the same bytes, and a look at both after each."""

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import hpack
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from hyperlite.errors import ErrorCode
from hyperlite.http2.engine import Engine
from hyperlite.http2.engine import native as native_module
from hyperlite.http2.engine.events import ConnectionFailed, DataReceived, Event, StreamFailed
from hyperlite.http2.engine.limits import Limits
from hyperlite.http2.engine.native import NativeEngine
from hyperlite.http2.engine.reference import H2Engine
from hyperlite.http2.engine.windows import DEFAULT_WINDOW
from hyperlite.testing.hostile.frames import FrameFactory
from tests.http2.engine.decoders import table_of
from tests.peer import EnginePeer

# Small windows, so that a few frames fill them.
LIMITS = Limits(stream_window=2000, max_stream_window=6000, max_header_list=4000, max_fields=10)


class Disagreement(AssertionError):
    """The engines did not do the same."""


class Pair:
    """Two connections of the same history.

    Attributes:
        opened: the streams that were opened, ever.
        unread: bytes of body by stream that were not credited yet.
        failed: the connection is over.
        excused: the stream that the judge alone has reset, when the connection failed; 0: none.
    """

    def __init__(self, native: Callable[..., Any] = NativeEngine) -> None:
        self.judge, self.native = EnginePeer(H2Engine(LIMITS)), EnginePeer(native(LIMITS))
        self.frames = FrameFactory()
        self.opened: list[int] = []
        self.unread: dict[int, int] = {}
        self.failed = False
        self.excused = 0
        self._credited = {self.native: 0, self.judge: 0}  # to the connection
        self.compare()

    @property
    def open_streams(self) -> list[int]:
        """The streams that are open, by the native engine, with which the judge has agreed."""
        return sorted(self.native.engine._streams)

    @property
    def senders(self) -> list[int]:
        """Of these, those whose request is still under way."""
        return [number for number in self.open_streams if not self.native.engine._streams[number].ended]

    @property
    def cut_short(self) -> dict[int, int]:
        """The streams that ended before their time, and what may still come on each."""
        remembered: dict[int, int] = self.native.engine._guard._cut_short
        return remembered

    def window_left(self, wire_id: int) -> int:
        """Return how much DATA may come on a stream that is open, or was cut short."""
        if wire_id in self.cut_short:
            return self.cut_short[wire_id]
        return self.native.engine.window_left(wire_id)

    def allow_table(self, size: int) -> None:
        """Have the peer's decoders insist on the table's size, as they said by SETTINGS."""
        for peer in (self.native, self.judge):
            peer.reader.decoder.max_allowed_table_size = size

    def call(self, act: Callable[[Engine], Any]) -> Any:
        """Make a call of both; what they return must be the same."""
        judged = act(self.judge.engine)
        try:
            ours = act(self.native.engine)
        except Exception as error:
            raise Disagreement("the native engine raises") from error
        self._agree("the results", ours, judged)
        self.compare()
        return ours

    def open(self, fields: list[tuple[bytes, bytes]], *, end_stream: bool) -> int:
        """Open a stream on both."""
        wire_id: int = self.call(lambda engine: engine.open(fields, end_stream=end_stream))
        self.opened.append(wire_id)
        return wire_id

    def receive(self, data: bytes, cuts: Iterable[int] = (), judge_cuts: Iterable[int] = ()) -> list[Event]:
        """Feed both, cut at these places; the events must be the same."""
        try:
            ours = [event for piece in _cut(data, cuts) for event in self.native.send_raw(piece)]
        except Exception as error:
            raise Disagreement("the native engine raises") from error
        judged = [event for piece in _cut(data, judge_cuts) for event in self.judge.send_raw(piece)]
        plain, expected = _plain(ours), _plain(judged)
        if self._ends_with_two(expected) and plain == [*expected[:-2], expected[-1]]:
            # A block that may not come, and is no HPACK: its stream is reset before h2 sees it.
            self.excused = expected[-2]["wire_id"]
        else:
            self._agree("the events", plain, expected)
        for event in ours:
            if isinstance(event, DataReceived):
                self.unread[event.wire_id] = self.unread.get(event.wire_id, 0) + len(event.data)
            self.failed = self.failed or isinstance(event, ConnectionFailed)
        self.compare()
        return ours

    @staticmethod
    def _ends_with_two(events: list[Any]) -> bool:
        """Tell whether the judge has failed a stream for what has then failed the connection."""
        kinds = [event["kind"] for event in events[-2:]]
        return (
            kinds == [StreamFailed, ConnectionFailed]
            and events[-1]["error_code"] == ErrorCode.COMPRESSION_ERROR
        )

    def compare(self) -> None:
        """Compare what both have put out, and what they know."""
        self._agree("the frames", self._said(self.native), self._said(self.judge))
        self._agree("the state", _state(self.native.engine), _state(self.judge.engine))
        if not self.failed:
            self._agree("the windows and tables", *map(self._windows, (self.native, self.judge)))

    def _said(self, peer: EnginePeer) -> list[Any]:
        """Return what an engine has put out, but for the connection's credit: h2 gives it at other times."""
        spoken = []
        try:
            said = peer.said()
        except hpack.HPACKError as error:
            raise Disagreement("the peer cannot read a header block") from error
        for frame in said:
            if peer is self.judge and isinstance(frame, RstStreamFrame) and frame.stream_id == self.excused:
                continue
            if isinstance(frame, WindowUpdateFrame) and not frame.stream_id:
                self._credited[peer] += frame.window_increment
            else:
                spoken.append(_spoken(frame))
        return spoken

    def _windows(self, peer: EnginePeer) -> tuple[Any, ...]:
        """Return what may be sent, how much DATA came, ever, by the engine's account, and the HPACK table."""
        engine: Any = peer.engine
        if peer is self.judge:
            h2 = engine._h2
            room = h2.outbound_flow_control_window
            left, largest = h2.inbound_flow_control_window, h2.max_outbound_frame_size
            rooms = {number: h2.local_flow_control_window(number) for number in self.open_streams}
            table = [*h2.decoder.header_table.dynamic_entries]
        else:
            left, largest = engine._inbound, engine.peer.max_frame
            room = engine._outbound
            rooms = {number: min(stream.outbound, room) for number, stream in engine._streams.items()}
            table = table_of(engine._decoder)
        assert left >= native_module.CONNECTION_WINDOW // 2, "the connection is not credited"
        came = DEFAULT_WINDOW + self._credited[peer] - left
        return sorted(rooms.items()), room, largest, came, table

    @staticmethod
    def _agree(what: str, ours: Any, judged: Any) -> None:
        if ours != judged:
            raise Disagreement(f"{what} differ:\nnative {ours}\nh2     {judged}")


def _cut(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(places)]


def _plain(events: Iterable[Event]) -> list[Any]:
    """Return events as they are compared: without the words that explain them, or how a body was cut."""
    plain: list[Any] = []
    for event in events:
        values = {name: getattr(event, name) for name in event.__slots__}
        if isinstance(event, (ConnectionFailed, StreamFailed)):
            assert values.pop("reason")
        values["kind"] = type(event)
        before = plain[-1] if plain else {}
        goes_on = before.get("kind") is DataReceived and not before["end_stream"]
        if isinstance(event, DataReceived) and goes_on and before["wire_id"] == event.wire_id:
            values["data"] = plain.pop()["data"] + event.data
        plain.append(values)
    return plain


def _spoken(frame: Frame) -> tuple[Any, ...]:
    contents = {
        DataFrame: lambda: frame.data,
        HeadersFrame: lambda: frame.fields,
        RstStreamFrame: lambda: frame.error_code,
        SettingsFrame: lambda: frame.settings,
        PingFrame: lambda: frame.opaque_data,
        GoAwayFrame: lambda: (frame.last_stream_id, frame.error_code),
        WindowUpdateFrame: lambda: frame.window_increment,
    }[type(frame)]()
    return type(frame).__name__, frame.stream_id, sorted(set(frame.flags) - {"END_HEADERS"}), contents


def _state(engine: Any) -> dict[str, Any]:
    if engine._failed:
        return {"failed": True}  # the test asks for no more
    return {
        "failed": False,
        "exhausted": engine.exhausted,
        "max_concurrent_streams": engine.peer.max_concurrent_streams,
        "useless": engine._guard.useless,
        "late": engine._guard._cut_short,
        "streams": {
            number: (stream.ended, stream.message.status, stream.message.complete, engine.window_left(number))
            for number, stream in sorted(engine._streams.items())
        },
    }
