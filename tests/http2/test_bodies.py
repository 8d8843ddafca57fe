"""Bodies that do not come to their end, and bodies that are dropped: nothing incomplete looks complete."""

import gc
import http.client
import sys
from collections.abc import Callable

import pytest
from hyperframe.frame import GoAwayFrame, HeadersFrame, RstStreamFrame, WindowUpdateFrame

import hyperlite
import hyperlite.http2.engine.reference
from hyperlite.errors import (
    BodyReset,
    ConnectionLost,
    ErrorCode,
    IncompleteBody,
    MalformedBody,
    MalformedResponse,
    NotHTTP2,
    ProtocolError,
    StreamReset,
)
from hyperlite.http2.engine.windows import STREAM_WINDOW
from tests.peer import Peer

from .conftest import acquaint, begin

CONN = hyperlite.HTTP20Connection
RESPONSE = hyperlite.HTTP20Response


def respond(peer: Peer, conn: CONN, *, length: int | None = None, body: bytes = b"") -> RESPONSE:
    """Take a response of which so far that much has come."""
    stream_id = begin(peer, conn)
    fields = [] if length is None else [("content-length", str(length))]
    peer.send_headers(1, [(":status", "200"), *fields])
    if body:
        peer.send_data(1, body)
    return conn.getresponse(stream_id)


def goes_on(peer: Peer, conn: CONN) -> bool:
    """Tell whether the connection is whole: another request on it is answered."""
    stream_id = conn.request("GET", "/alive")
    while not isinstance(frame := peer.read_frame(), HeadersFrame):
        assert frame is not None
    peer.answer(frame.stream_id, b"alive")
    return conn.getresponse(stream_id).read() == b"alive"


# How a connection ends: what the peer does.
ENDS = pytest.mark.parametrize("end", ["close", "finish", "reset_tcp"])
# How a caller reads a body to its end.
READERS = pytest.mark.parametrize(
    "read_on",
    [
        pytest.param(lambda response: response.read(), id="read()"),
        pytest.param(lambda response: response.read(100), id="read(100)"),
        pytest.param(list, id="iteration"),
        pytest.param(lambda response: response.readinto(bytearray(100)), id="readinto(100)"),
        pytest.param(lambda response: [response.read1() for _ in range(3)], id="read1()"),
        pytest.param(lambda response: [response.read(1) for _ in range(10)], id="read(1)"),
        pytest.param(lambda response: [response.peek() and response.read(4) for _ in range(3)], id="peek()"),
        pytest.param(lambda response: [response.readline() for _ in range(3)], id="readline()"),
    ],
)
ReadOn = Callable[[RESPONSE], object]


class TestTheConnectionEnds:
    @ENDS
    def test_in_a_body_of_known_length(self, peer: Peer, conn: CONN, end: str) -> None:
        response = respond(peer, conn, length=10, body=b"abcd")
        assert response.read(1) == b"a"
        getattr(peer, end)()
        with pytest.raises(http.client.IncompleteRead) as caught:
            response.read()
        assert isinstance(caught.value, IncompleteBody)
        if end != "reset_tcp":  # which may overtake what came before it
            assert caught.value.partial == b"bcd"
        assert (caught.value.stream_id, caught.value.retry_safe) == (1, False)
        assert not peer.waiting

    def test_what_is_missing_is_counted(self, peer: Peer, conn: CONN) -> None:
        response = respond(peer, conn, length=10, body=b"abcd")
        peer.close()
        with pytest.raises(IncompleteBody, match="after 4 of 10 bytes") as caught:
            response.read()
        assert (caught.value.partial, caught.value.expected) == (b"abcd", 6)

    def test_what_is_missing_is_counted_from_where_reading_began(self, peer: Peer, conn: CONN) -> None:
        """As http.client counts: `partial` and `expected` are what this call was to return."""
        response = respond(peer, conn, length=10, body=b"abcd")
        assert response.read(3) == b"abc"
        peer.close()
        with pytest.raises(IncompleteBody) as caught:
            response.read()
        assert (caught.value.partial, caught.value.expected) == (b"d", 6)

    @ENDS
    def test_in_a_body_of_unknown_length(self, peer: Peer, conn: CONN, end: str) -> None:
        response = respond(peer, conn, body=b"abcd")
        assert response.read(4) == b"abcd"
        getattr(peer, end)()
        with pytest.raises(http.client.IncompleteRead) as caught:
            response.read()
        assert (caught.value.partial, caught.value.expected) == (b"", None)

    @READERS
    @pytest.mark.parametrize("length", [4, 10, None])
    def test_no_way_of_reading_takes_it_for_the_end(
        self, peer: Peer, conn: CONN, length: int | None, read_on: ReadOn
    ) -> None:
        response = respond(peer, conn, length=length, body=b"abcd")
        peer.close()
        with pytest.raises((http.client.IncompleteRead, ConnectionLost)):
            read_on(response)

    def test_in_the_middle_of_a_frame(self, peer: Peer, conn: CONN) -> None:
        response = respond(peer, conn, body=b"abcd")
        peer.send_raw(peer.frames.data(1, bytes(1000))[:500])
        peer.close()
        with pytest.raises(IncompleteBody) as caught:
            response.read()
        assert caught.value.partial == b"abcd"

    def test_every_stream_is_told(self, peer: Peer, conn: CONN) -> None:
        ids = [begin(peer, conn), *(conn.request("GET", "/") for _ in range(2))]
        for wire_id in (1, 3, 5):
            peer.send_headers(wire_id)
        responses = [conn.getresponse(stream_id) for stream_id in ids]
        peer.close()
        for stream_id, response in zip(ids, responses, strict=True):
            with pytest.raises(IncompleteBody) as caught:
                response.read()
            assert caught.value.stream_id == stream_id

    def test_again_and_again(self, peer: Peer, conn: CONN) -> None:
        """The end of the socket is final: a second read gets the same error, and does not wait."""
        response = respond(peer, conn, body=b"abcd")
        peer.close()
        for _ in range(3):
            with pytest.raises((http.client.IncompleteRead, ConnectionLost)):
                while True:
                    response.read(1)

    def test_what_had_arrived_whole_can_be_read(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        peer.answer(1, b"all of it", fields=[("content-length", "9")])
        peer.close()
        response = conn.getresponse(stream_id)
        assert response.length == 9
        assert response.read() == b"all of it"
        assert response.length == 0
        assert response.read() == b""


class TestTheLengthIsThereButNotTheEnd:
    """A body is complete when END_STREAM has come, and not when its bytes have."""

    @READERS
    def test_the_connection_ends_instead(self, peer: Peer, conn: CONN, read_on: ReadOn) -> None:
        response = respond(peer, conn, length=4, body=b"abcd")
        peer.close()
        with pytest.raises((http.client.IncompleteRead, ConnectionLost)):
            read_on(response)

    @READERS
    @pytest.mark.parametrize("code", [ErrorCode.NO_ERROR, ErrorCode.INTERNAL_ERROR])
    def test_the_stream_is_reset_instead(
        self, peer: Peer, conn: CONN, read_on: ReadOn, code: ErrorCode
    ) -> None:
        response = respond(peer, conn, length=4, body=b"abcd")
        peer.rst(1, code)
        with pytest.raises(StreamReset, match=code.name):
            read_on(response)
        assert goes_on(peer, conn)

    @pytest.mark.parametrize("amount", [None, 4, 100])
    def test_it_is_waited_for(self, peer: Peer, amount: int | None) -> None:
        conn = peer.connect(timeout=0.1)
        response = respond(peer, conn, length=4, body=b"abcd")
        with pytest.raises(TimeoutError):
            response.read(amount)
        peer.send_data(1, end_stream=True)
        assert response.read() == b"abcd"

    def test_more_comes_instead(self, peer: Peer, conn: CONN) -> None:
        response = respond(peer, conn, length=4, body=b"abcd")
        peer.send_data(1, b"e")
        with pytest.raises(MalformedResponse, match="more body than content-length: 4"):
            response.read()
        assert peer.want(RstStreamFrame, 1).error_code == ErrorCode.PROTOCOL_ERROR
        assert goes_on(peer, conn)

    def test_all_but_the_last_byte_can_be_read(self, peer: Peer, conn: CONN) -> None:
        response = respond(peer, conn, length=4, body=b"abcd")
        assert response.read(3) == b"abc"
        peer.send_data(1, end_stream=True)
        assert response.read() == b"d"


class TestTheStreamEnds:
    @READERS
    @pytest.mark.parametrize("length", [10, None])
    def test_by_the_peer_s_reset(self, peer: Peer, conn: CONN, length: int | None, read_on: ReadOn) -> None:
        response = respond(peer, conn, length=length, body=b"abcd")
        peer.rst(1, ErrorCode.INTERNAL_ERROR)
        with pytest.raises(StreamReset, match="INTERNAL_ERROR") as caught:
            read_on(response)
        assert (caught.value.stream_id, caught.value.error_code) == (1, ErrorCode.INTERNAL_ERROR)
        assert not caught.value.retry_safe
        assert goes_on(peer, conn)

    def test_what_had_come_is_not_lost(self, peer: Peer, conn: CONN) -> None:
        response = respond(peer, conn, body=b"abcd")
        peer.rst(1, ErrorCode.INTERNAL_ERROR)
        with pytest.raises(StreamReset):
            response.read(5)
        with pytest.raises(StreamReset):
            response.readinto(bytearray(5))
        assert response.read(4) == b"abcd"
        with pytest.raises(StreamReset):
            response.read(1)

    def test_read_to_the_end_carries_what_had_come(self, peer: Peer, conn: CONN) -> None:
        response = respond(peer, conn, length=10, body=b"abcd")
        peer.rst(1, ErrorCode.INTERNAL_ERROR)
        with pytest.raises(http.client.IncompleteRead) as caught:
            response.read()
        assert isinstance(caught.value, BodyReset)
        assert (caught.value.partial, caught.value.expected) == (b"abcd", 6)
        assert caught.value.error_code == ErrorCode.INTERNAL_ERROR

    def test_so_does_a_body_that_breaks_http(self, peer: Peer, conn: CONN) -> None:
        response = respond(peer, conn, length=10, body=b"abcd")
        peer.send_data(1, b"", end_stream=True)
        with pytest.raises(MalformedBody, match="4 of 10") as caught:
            response.read()
        assert caught.value.partial == b"abcd"

    def test_with_less_than_was_announced(self, peer: Peer, conn: CONN) -> None:
        response = respond(peer, conn, length=10, body=b"abcd")
        peer.send_data(1, b"e", end_stream=True)
        with pytest.raises(MalformedResponse, match="after 5 of 10 bytes"):
            response.read()
        assert peer.want(RstStreamFrame, 1).error_code == ErrorCode.PROTOCOL_ERROR
        assert goes_on(peer, conn)

    def test_by_trailers_that_are_malformed(self, peer: Peer, conn: CONN) -> None:
        response = respond(peer, conn, body=b"abcd")
        peer.send_headers(1, [("Upper", "case")], end_stream=True)
        with pytest.raises(MalformedResponse, match="field name"):
            response.read()
        assert goes_on(peer, conn)


class TestTheProtocolIsBroken:
    def test_every_stream_fails_and_the_next_request_connects_anew(self, peer: Peer, conn: CONN) -> None:
        ids = [begin(peer, conn), conn.request("GET", "/2")]
        old = peer.wires[0]
        old.send_headers(1)
        old.send_data(1, b"abcd")
        response = conn.getresponse(ids[0])
        old.send_frame(0x6, 0, 0, b"short")  # PING
        with pytest.raises(ProtocolError, match="FRAME_SIZE_ERROR") as caught:
            response.read()
        assert (caught.value.error_code, caught.value.stream_id) == (ErrorCode.FRAME_SIZE_ERROR, ids[0])
        with pytest.raises(ProtocolError) as caught:
            conn.getresponse(ids[1])
        assert (caught.value.stream_id, caught.value.retry_safe) == (ids[1], False)
        assert [frame.error_code for frame in old.want_eof() if isinstance(frame, GoAwayFrame)] == [
            ErrorCode.FRAME_SIZE_ERROR
        ]
        third = begin(peer, conn)
        peer.answer(1, b"new")
        assert conn.getresponse(third).read() == b"new"

    def test_what_had_arrived_whole_before_it_can_be_read(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        frames = peer.frames
        peer.send_raw(
            frames.headers(1) + frames.data(1, b"whole", end_stream=True) + frames.raw(0x6, 0, 0, b"short")
        )
        assert conn.getresponse(stream_id).read() == b"whole"

    def test_what_waits_for_a_slot_goes_elsewhere(self, peer: Peer, conn: CONN) -> None:
        """The slot that the answer before it gives back is none any more."""
        acquaint(peer, conn, max_concurrent_streams=1)
        ids = [conn.request("POST", path, b"body") for path in ("/2", "/3")]
        old, frames = peer.wires[0], peer.frames
        old.want(HeadersFrame, 3)
        old.send_raw(frames.headers(3, end_stream=True) + frames.raw(0x6, 0, 0, b"short"))
        assert conn.getresponse(ids[0]).status == 200
        assert not [frame for frame in old.want_eof() if isinstance(frame, HeadersFrame)]
        answer = peer.background(conn.getresponse, ids[1])
        peer.accept()
        peer.greet()
        peer.want(HeadersFrame, 1)
        peer.answer(1, b"elsewhere")
        assert answer.result().read() == b"elsewhere"

    def test_the_server_speaks_http_1(self, peer: Peer, conn: CONN) -> None:
        stream_id = conn.request("GET", "/")
        peer.accept()
        peer.send_raw(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        with pytest.raises(NotHTTP2, match=r"HTTP/1.1 400 Bad Request") as caught:
            conn.getresponse(stream_id)
        assert not caught.value.retry_safe
        assert not peer.waiting

    def test_a_frame_too_large_is_not_waited_for(self, peer: Peer, conn: CONN) -> None:
        response = respond(peer, conn)
        peer.send_raw(b"\xff\xff\xff\0\0\0\0\0\1" + b"x" * 10)
        with pytest.raises(ProtocolError, match="a frame of 16777215 bytes"):
            response.read()

    def test_a_promise_is_refused(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        promise = [(":method", "GET"), (":path", "/style.css"), (":scheme", "http"), (":authority", "a")]
        peer.send_raw(peer.frames.push_promise(1, 2, promise))
        with pytest.raises(ProtocolError, match="PROTOCOL_ERROR"):
            conn.getresponse(stream_id)


class TestNobodyReadsOn:
    def test_a_response_that_is_closed_resets_its_stream(self, peer: Peer, conn: CONN) -> None:
        response = respond(peer, conn, body=b"abcd")
        response.close()
        assert peer.want(RstStreamFrame, 1).error_code == ErrorCode.CANCEL
        assert goes_on(peer, conn)

    def test_one_that_was_read_to_its_end_does_not(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        peer.answer(1, b"abcd")
        response = conn.getresponse(stream_id)
        response.read()
        response.close()
        assert goes_on(peer, conn)
        assert peer.of(RstStreamFrame) == []

    def test_one_that_had_arrived_whole_does_not(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        peer.answer(1, b"abcd")
        conn.getresponse(stream_id).close()
        assert goes_on(peer, conn)
        assert peer.of(RstStreamFrame) == []

    def test_what_comes_late_is_ignored(self, peer: Peer, conn: CONN) -> None:
        respond(peer, conn, body=b"abcd").close()
        peer.want(RstStreamFrame, 1)
        peer.send_data(1, bytes(1000))
        peer.send_headers(1, [("x-late", "trailers")], end_stream=True)
        assert goes_on(peer, conn)

    def test_an_informational_response_that_comes_late_is_ignored(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        conn.cancel(stream_id)
        peer.want(RstStreamFrame, 1)
        peer.send_headers(1, [(":status", "103"), ("link", "</style.css>")])
        assert goes_on(peer, conn)

    def test_what_comes_late_is_credited_to_the_connection(
        self, peer: Peer, conn: CONN, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Or a client that often closes early would come to a halt (encode/httpcore)."""
        window = 100_000
        for name, module in list(sys.modules.items()):
            if name.startswith("hyperlite.http2.engine") and hasattr(module, "CONNECTION_WINDOW"):
                monkeypatch.setattr(module, "CONNECTION_WINDOW", window)
        respond(peer, conn, body=bytes(1000)).close()
        peer.want(RstStreamFrame, 1)
        late = 60_000
        peer.send_body(1, bytes(late), end_stream=False)
        assert goes_on(peer, conn)
        credit = sum(frame.window_increment for frame in peer.of(WindowUpdateFrame, 0))
        assert credit - (window - 65535) >= late - window // 2

    def test_a_response_that_is_dropped_resets_its_stream(self, peer: Peer, conn: CONN) -> None:
        respond(peer, conn, body=b"abcd")
        gc.collect()
        assert goes_on(peer, conn)
        assert [frame.error_code for frame in peer.of(RstStreamFrame, 1)] == [ErrorCode.CANCEL]

    def test_cancelling_is_final(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        conn.cancel(stream_id)
        with pytest.raises(http.client.ResponseNotReady):
            conn.cancel(stream_id)
        assert peer.want(RstStreamFrame, 1).error_code == ErrorCode.CANCEL
        assert goes_on(peer, conn)
        assert len(peer.of(RstStreamFrame)) == 1


class TestReading:
    def test_reading_gives_credit(self, peer: Peer, conn: CONN) -> None:
        response = respond(peer, conn)
        sending = peer.background(peer.send_body, 1, bytes(STREAM_WINDOW), end_stream=False)
        assert len(response.read(STREAM_WINDOW)) == STREAM_WINDOW
        sending.result()
        credit = 0
        while credit < STREAM_WINDOW // 2:
            credit += peer.want(WindowUpdateFrame, 1).window_increment
        assert credit <= STREAM_WINDOW
        peer.send_data(1, b"more", end_stream=True)
        assert response.read() == b"more"

    def test_a_waiting_reader_makes_the_window_wider(self, peer: Peer, conn: CONN) -> None:
        response = respond(peer, conn)
        sending = peer.background(peer.send_body, 1, bytes(STREAM_WINDOW), end_stream=False)
        reading = peer.background(response.read)
        sending.result()
        credit = 0
        while credit <= STREAM_WINDOW:  # more than was consumed
            credit += peer.want(WindowUpdateFrame, 1).window_increment
        peer.send_data(1, b"end", end_stream=True)
        assert len(reading.result()) == STREAM_WINDOW + 3

    def test_frames_of_one_byte(self, peer: Peer, conn: CONN) -> None:
        stream_id = begin(peer, conn)
        peer.send_headers(1, [(":status", "200"), ("content-length", "1000")])
        peer.send_body(1, bytes(number % 251 for number in range(1000)), size=1)
        assert conn.getresponse(stream_id).read() == bytes(number % 251 for number in range(1000))

    def test_segments_of_one_byte(self, peer: Peer, conn: CONN) -> None:
        stream_id = conn.request("GET", "/")
        getting = peer.background(lambda: conn.getresponse(stream_id).read())
        peer.accept()
        frames = peer.frames
        for byte in (
            frames.settings() + frames.headers(1, split=1) + frames.data(1, b"dribble", end_stream=True)
        ):
            peer.send_raw(bytes([byte]))
        assert getting.result() == b"dribble"

    def test_much_padding(self, peer: Peer, conn: CONN) -> None:
        """The padding uses up the windows too, and the caller never reads it."""
        stream_id = begin(peer, conn)
        total = 3 * STREAM_WINDOW // 1256  # frames

        def send() -> None:
            window = STREAM_WINDOW
            peer.send_headers(1)
            for number in range(total):
                while window < 1256:
                    window += peer.want(WindowUpdateFrame, 1).window_increment
                window -= 1256
                peer.send_data(1, b"x" * 1000, padding=255, end_stream=number == total - 1)

        sending = peer.background(send)
        assert len(conn.getresponse(stream_id).read()) == 1000 * total
        sending.result()

    def test_settings_are_acknowledged_while_a_body_is_read(self, peer: Peer, conn: CONN) -> None:
        acquaint(peer, conn)
        stream_id = conn.request("GET", "/")
        peer.want(HeadersFrame, 3)
        peer.send_headers(3)
        peer.send_settings(initial_window_size=1)
        peer.ping(b"12345678")
        peer.send_data(3, b"x", end_stream=True)
        assert conn.getresponse(stream_id).read() == b"x"
        assert goes_on(peer, conn)
        assert [type(frame).__name__ for frame in peer.seen][-3:] == [
            "SettingsFrame",
            "PingFrame",
            "HeadersFrame",
        ]
