"""An engine: bytes in, events out; calls in, bytes out. By RFC 9113, whichever engine it is."""

import struct
from collections.abc import Callable

import pytest
from hyperframe.frame import (
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from hyperlite.errors import ErrorCode
from hyperlite.http2.engine import MAX_HEADER_LIST, make_engine
from hyperlite.http2.engine.events import (
    DataReceived,
    GoAwayReceived,
    PingAcknowledged,
    ResponseReceived,
    SettingsReceived,
    WindowOpened,
)
from hyperlite.http2.engine.frames import MAX_FRAME
from hyperlite.http2.engine.windows import (
    CONNECTION_WINDOW,
    STREAM_WINDOW,
)
from hyperlite.testing.hostile.frames import PREFACE, FrameFactory
from tests.peer import EnginePeer

from .conftest import Make
from .script import ALTSVC, GET, LARGEST, ORIGIN, POST, UNKNOWN, failure, goes_on, of, pack_settings


class TestGreeting:
    def test_the_client_s_preface(self, fresh: EnginePeer) -> None:
        assert fresh.engine.take().startswith(PREFACE)

    def test_its_settings(self, fresh: EnginePeer) -> None:
        first = fresh.said()[0]
        assert isinstance(first, SettingsFrame)
        assert first.settings[SettingsFrame.ENABLE_PUSH] == 0
        assert first.settings[SettingsFrame.INITIAL_WINDOW_SIZE] == STREAM_WINDOW
        assert first.settings[SettingsFrame.MAX_HEADER_LIST_SIZE] == MAX_HEADER_LIST
        assert first.settings[SettingsFrame.MAX_FRAME_SIZE] == MAX_FRAME
        assert SettingsFrame.ENABLE_CONNECT_PROTOCOL not in first.settings  # a server's
        # Go's server changes its table while it encodes the response to an upgrade, whatever the size is.
        assert SettingsFrame.HEADER_TABLE_SIZE not in first.settings

    def test_its_settings_are_those_asked_for(self, make: Make) -> None:
        first = make(stream_window=100_000, max_header_list=5000).said()[0]
        assert first.settings[SettingsFrame.INITIAL_WINDOW_SIZE] == 100_000
        assert first.settings[SettingsFrame.MAX_HEADER_LIST_SIZE] == 5000

    def test_the_connection_s_window_is_wide_from_the_start(self, fresh: EnginePeer) -> None:
        assert [frame.window_increment for frame in fresh.said_of(WindowUpdateFrame, 0)] == [
            CONNECTION_WINDOW - 65535
        ]

    def test_a_request_may_be_sent_with_the_preface(self, fresh: EnginePeer) -> None:
        fresh.engine.open(GET, end_stream=True)
        assert [type(frame) for frame in fresh.said()] == [SettingsFrame, WindowUpdateFrame, HeadersFrame]

    def test_the_server_s_settings_are_acknowledged(self, fresh: EnginePeer) -> None:
        fresh.said()
        assert fresh.greet(max_concurrent_streams=7) == [SettingsReceived()]
        (ack,) = fresh.said()
        assert isinstance(ack, SettingsFrame)
        assert "ACK" in ack.flags
        assert ack.settings == {}

    def test_empty_settings_are_settings(self, fresh: EnginePeer) -> None:
        assert fresh.greet() == [SettingsReceived()]
        assert goes_on(fresh)

    @pytest.mark.parametrize(
        "start",
        [
            pytest.param(lambda frames: frames.ping(), id="PING"),
            pytest.param(lambda frames: frames.headers(1), id="HEADERS"),
            pytest.param(lambda frames: frames.window_update(0, 1), id="WINDOW_UPDATE"),
            pytest.param(lambda frames: frames.settings_ack(), id="SETTINGS acknowledgement"),
            pytest.param(lambda frames: frames.goaway(0), id="GOAWAY"),
            pytest.param(lambda frames: frames.raw(UNKNOWN, 0, 0, b"x"), id="unknown"),
        ],
    )
    def test_the_first_frame_must_be_settings(
        self, fresh: EnginePeer, start: Callable[[FrameFactory], bytes]
    ) -> None:
        """RFC 9113 section 3.4."""
        fresh.engine.open(GET, end_stream=True)
        failed = failure(fresh.send_raw(start(fresh.frames)))
        assert failed.error_code == ErrorCode.PROTOCOL_ERROR
        assert "did not begin with SETTINGS" in failed.reason
        assert fresh.said_of(GoAwayFrame)[0].error_code == ErrorCode.PROTOCOL_ERROR

    @pytest.mark.parametrize("line", ["HTTP/1.1 400 Bad Request", "HTTP/1.0 505 No", "HTTP/1.1 200 OK"])
    def test_an_answer_in_http_1_is_named(self, fresh: EnginePeer, line: str) -> None:
        failed = failure(fresh.send_raw(line.encode() + b"\r\nContent-Length: 0\r\n\r\n"))
        assert failed.not_http2
        assert f"answered in HTTP/1 on an HTTP/2 connection: {line} (" in failed.reason

    @pytest.mark.parametrize("size", [9, 12, 1000])
    def test_an_answer_in_http_1_is_not_waited_for(self, fresh: EnginePeer, size: int) -> None:
        """Read as a frame, "HTT" announces 4.7 MB."""
        assert failure(fresh.send_raw((b"HTTP/1.1 400 Bad Request\r\n" + b"x" * 1000)[:size])).not_http2

    @pytest.mark.parametrize(
        "garbage",
        [
            b"SSH-2.0-OpenSSH_9.2\r\n",
            bytes(range(200, 240)),
            b"\0" * 30,
            b"<html>nothing here</html>",
            b"\x15\x03\x03\0\2\x02\x46\0\0\0",
        ],
        ids=["ssh", "random", "zeros", "html", "tls alert"],
    )
    def test_garbage(self, fresh: EnginePeer, garbage: bytes) -> None:
        failed = failure(fresh.send_raw(garbage))
        assert (failed.not_http2, failed.error_code) == (True, ErrorCode.PROTOCOL_ERROR)
        assert repr(garbage[:9])[2:-1] in failed.reason

    def test_less_than_a_frame_header_says_nothing_yet(self, fresh: EnginePeer) -> None:
        assert fresh.send_raw(b"HTTP/1.1") == []

    def test_after_a_failure_nothing_is_read(self, fresh: EnginePeer) -> None:
        fresh.send_raw(fresh.frames.ping())
        fresh.said()
        assert fresh.send_raw(fresh.frames.settings() + fresh.frames.ping()) == []
        assert fresh.said() == []


class TestGoAway:
    def test_it_is_told(self, peer: EnginePeer) -> None:
        assert peer.goaway(7, ErrorCode.ENHANCE_YOUR_CALM, b"too many pings") == [
            GoAwayReceived(7, ErrorCode.ENHANCE_YOUR_CALM, b"too many pings")
        ]

    def test_the_reserved_bit_is_ignored(self, peer: EnginePeer) -> None:
        assert peer.goaway(2**31 + 5) == [GoAwayReceived(5, 0, b"")]

    def test_an_unknown_code(self, peer: EnginePeer) -> None:
        assert peer.goaway(0, 0xDEADBEEF) == [GoAwayReceived(0, 0xDEADBEEF, b"")]

    @pytest.mark.parametrize("code", [ErrorCode.NO_ERROR, ErrorCode.ENHANCE_YOUR_CALM])
    def test_streams_that_the_peer_took_go_on(self, peer: EnginePeer, code: ErrorCode) -> None:
        """RFC 9113 section 6.8."""
        wire_id = peer.engine.open(POST, end_stream=False)
        peer.goaway(wire_id, code)
        peer.said()
        assert peer.engine.send(wire_id, b"the rest", end_stream=True) == 8
        assert [frame.data for frame in peer.said_of(DataFrame)] == [b"the rest"]
        events = peer.answer(wire_id, b"done")
        assert [type(event) for event in events] == [ResponseReceived, DataReceived]

    def test_the_connection_goes_on_too(self, peer: EnginePeer) -> None:
        wire_id = peer.engine.open(POST, end_stream=False)
        peer.goaway(wire_id)
        peer.said()
        assert peer.send_settings(initial_window_size=100_000) == [SettingsReceived()]
        peer.ping(b"12345678")
        assert peer.window_update(0, 10) == [WindowOpened(0)]
        assert peer.window_update(wire_id, 10) == [WindowOpened(wire_id)]
        settings_ack, ping_ack = peer.said()
        assert ("ACK" in settings_ack.flags, type(settings_ack)) == (True, SettingsFrame)
        assert ("ACK" in ping_ack.flags, ping_ack.opaque_data) == (True, b"12345678")

    def test_a_body_is_still_credited(self, make: Make) -> None:
        peer = make(stream_window=1000)
        peer.greet()
        peer.engine.open(GET, end_stream=True)
        peer.goaway(1)
        peer.send_headers(1)
        peer.send_data(1, bytes(1000))
        peer.engine.credit(1, 1000)
        assert [frame.window_increment for frame in peer.said_of(WindowUpdateFrame, 1)] == [1000]

    def test_in_two_steps(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        assert peer.goaway(LARGEST) == [GoAwayReceived(LARGEST, 0, b"")]
        assert peer.goaway(1) == [GoAwayReceived(1, 0, b"")]
        assert len(of(ResponseReceived, peer.answer(1))) == 1

    def test_what_it_refuses_can_be_reset(self, peer: EnginePeer) -> None:
        for _ in range(2):
            peer.engine.open(GET, end_stream=True)
        peer.goaway(1)
        peer.engine.reset(3, ErrorCode.CANCEL)
        assert len(of(ResponseReceived, peer.answer(1))) == 1


class TestPing:
    def test_the_peer_s_is_answered(self, peer: EnginePeer) -> None:
        assert peer.ping(b"12345678") == []
        (frame,) = peer.said()
        assert isinstance(frame, PingFrame)
        assert ("ACK" in frame.flags, frame.opaque_data) == (True, b"12345678")

    def test_ours_comes_back(self, peer: EnginePeer) -> None:
        peer.engine.ping(b"abcdefgh")
        (frame,) = peer.said()
        assert ("ACK" in frame.flags, frame.opaque_data) == (False, b"abcdefgh")
        assert peer.ping(b"abcdefgh", ack=True) == [PingAcknowledged(b"abcdefgh")]

    def test_an_unasked_answer_is_harmless(self, peer: EnginePeer) -> None:
        peer.ping(b"nonsense", ack=True)
        assert peer.said() == []
        assert goes_on(peer)


class TestIgnored:
    """RFC 9113 sections 4.1 and 5.5: what is not known is passed over."""

    @pytest.mark.parametrize(
        ("kind", "flags", "stream_id", "payload"),
        [
            pytest.param(UNKNOWN, 0, 0, b"whatever", id="unknown"),
            pytest.param(UNKNOWN, 0xFF, 1, b"whatever", id="unknown, on a stream"),
            pytest.param(UNKNOWN, 0, 98, b"", id="unknown, on an idle stream"),
            pytest.param(ALTSVC, 0, 0, b"\0\x06origin" + b'h2=":443"', id="ALTSVC"),
            pytest.param(ALTSVC, 0, 1, b'\0\0h2=":443"', id="ALTSVC on a stream"),
            pytest.param(ORIGIN, 0, 0, b"\0\x13https://example.org", id="ORIGIN"),
            pytest.param(PriorityFrame.type, 0, 1, struct.pack(">LB", 0, 10), id="PRIORITY"),
            pytest.param(
                PriorityFrame.type, 0, 98, struct.pack(">LB", 0, 10), id="PRIORITY of an idle stream"
            ),
            pytest.param(
                PriorityFrame.type, 0, 1, struct.pack(">LB", 1, 10), id="PRIORITY that depends on itself"
            ),
            pytest.param(ALTSVC, 0, 0, b"", id="ALTSVC of nothing"),
            pytest.param(ALTSVC, 0, 1, b"\0\x09x", id="ALTSVC cut off"),
            pytest.param(0x10, 0, 0, struct.pack(">L", 1) + b"u=1", id="PRIORITY_UPDATE"),
            pytest.param(SettingsFrame.type, 0, 0, pack_settings(0xABCD, 5), id="unknown setting"),
            pytest.param(SettingsFrame.type, 0, 0, pack_settings(8, 1), id="ENABLE_CONNECT_PROTOCOL"),
            pytest.param(SettingsFrame.type, 0xFE, 0, b"", id="unknown flags"),
            pytest.param(PingFrame.type, 0xFE, 0, bytes(8), id="unknown flags of PING"),
        ],
    )
    @pytest.mark.parametrize("state", ["waiting", "body", "over"])
    def test_frames(
        self, peer: EnginePeer, kind: int, flags: int, stream_id: int, payload: bytes, state: str
    ) -> None:
        peer.engine.open(GET, end_stream=True)
        if state == "body":
            peer.send_headers(1)
        elif state == "over":
            peer.answer(1)
        events = peer.send_frame(kind, flags, stream_id, payload)
        assert [event for event in events if not isinstance(event, SettingsReceived)] == []
        assert goes_on(peer)

    @pytest.mark.parametrize("flags", [0x01, 0x04, 0x08, 0x20, 0xFF])
    def test_flags_of_window_update(self, peer: EnginePeer, flags: int) -> None:
        """END_HEADERS and the others mean nothing here."""
        peer.engine.open(GET, end_stream=False)
        events = peer.send_frame(WindowUpdateFrame.type, flags, 1, struct.pack(">L", 1))
        assert [event for event in events if not isinstance(event, (SettingsReceived, WindowOpened))] == []
        assert goes_on(peer)

    def test_unknown_flags_of_a_stream_s_frames(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        block = peer.frames.block([(":status", "200")])
        (response,) = peer.send_frame(HeadersFrame.type, 0x4 | 0x40 | 0x80 | 0x10, 1, block)
        assert not response.end_stream
        assert peer.send_frame(DataFrame.type, 0xF6, 1, b"x") == [DataReceived(1, b"x", False)]

    def test_the_reserved_bit(self, peer: EnginePeer) -> None:
        peer.engine.open(GET, end_stream=True)
        peer.send_headers(2**31 + 1)
        assert peer.send_data(2**31 + 1, b"x", end_stream=True) == [DataReceived(1, b"x", True)]


def test_take_forgets_what_it_returned(peer: EnginePeer) -> None:
    peer.engine.ping(bytes(8))
    assert len(peer.engine.take()) == 17
    assert peer.engine.take() == b""


def test_nothing_received_is_nothing(peer: EnginePeer) -> None:
    assert peer.send_raw(b"") == []


class TestMakeEngine:
    @pytest.mark.parametrize("name", ["", "H2", "curl"])
    def test_an_unknown_name(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setenv("HYPERLITE_ENGINE", name)
        with pytest.raises(ValueError, match=f"HYPERLITE_ENGINE='{name}' names no engine"):
            make_engine()

    def test_there_is_a_default(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("HYPERLITE_ENGINE", raising=False)
        assert make_engine().take().startswith(PREFACE)
