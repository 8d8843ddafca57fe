"""A connection that was idle is looked at before it is used again."""

import socket

import pytest
from hyperframe.frame import GoAwayFrame, HeadersFrame, PingFrame, SettingsFrame

import hyperlite
from hyperlite.errors import ErrorCode
from hyperlite.testing.certificates import certificates
from hyperlite.testing.hostile.frames import FrameFactory
from tests.inside import http2_of
from tests.peer import Peer, Wire

from .conftest import acquaint

CONN = hyperlite.HTTP20Connection


@pytest.fixture
def idle(peer: Peer, conn: CONN) -> Wire:
    """The peer's end of a connection that has served a request and is idle."""
    acquaint(peer, conn)
    return peer.wires[0]


def is_replaced(peer: Peer, conn: CONN) -> bool:
    """Tell whether the next request goes out on a new connection, and is answered."""
    stream_id = conn.request("POST", "/next", b"body")
    if not peer.waiting:
        return False
    new = peer.accept()
    new.greet()
    new.want(HeadersFrame, 1)
    assert new.want_end(1) == b"body"
    new.answer(1, b"new")
    return conn.getresponse(stream_id).read() == b"new"


def is_kept(peer: Peer, conn: CONN, idle: Wire) -> bool:
    """Tell whether the next request goes out on the same connection, and is answered."""
    stream_id = conn.request("GET", "/next")
    if peer.waiting:
        return False
    while not isinstance(frame := idle.read_frame(), HeadersFrame):
        assert isinstance(frame, (PingFrame, SettingsFrame)), frame
    idle.answer(frame.stream_id, b"kept")
    return conn.getresponse(stream_id).read() == b"kept"


@pytest.mark.parametrize("end", ["close", "finish", "reset_tcp"])
def test_one_that_the_server_closed_is_replaced(peer: Peer, conn: CONN, idle: Wire, end: str) -> None:
    getattr(idle, end)()
    assert is_replaced(peer, conn)


def test_over_tls_all_that_has_come_is_looked_at() -> None:
    """Each record comes by itself, and what lies before GOAWAY is no reason not to see that."""
    with Peer(tls=certificates().server_context(("h2",))) as peer:
        conn = peer.connect(host="localhost", context=certificates().client_context())
        connecting = peer.background(conn.connect)
        peer.accept()
        connecting.result()
        stream_id = conn.request("GET", "/")
        peer.greet()
        peer.answer(1, b"hello")
        assert conn.getresponse(stream_id).read() == b"hello"
        peer.ping()
        peer.ping()
        peer.goaway(1)
        sent = peer.background(conn.request, "POST", "/next", b"body")
        new = peer.accept()
        new.greet()
        new.want(HeadersFrame, 1)
        new.answer(1, b"new")
        assert conn.getresponse(sent.result()).read() == b"new"


@pytest.mark.parametrize("end", ["close", "reset_tcp", None])
@pytest.mark.parametrize("code", [ErrorCode.NO_ERROR, ErrorCode.ENHANCE_YOUR_CALM])
def test_one_that_is_going_away_is_replaced(
    peer: Peer, conn: CONN, idle: Wire, end: str | None, code: ErrorCode
) -> None:
    idle.goaway(1, code)
    if end:
        getattr(idle, end)()
    assert is_replaced(peer, conn)


def test_one_on_which_the_server_broke_the_protocol_is_replaced(peer: Peer, conn: CONN, idle: Wire) -> None:
    idle.send_frame(PingFrame.type, 0, 0, b"short")
    assert is_replaced(peer, conn)
    assert [frame.error_code for frame in idle.want_eof() if isinstance(frame, GoAwayFrame)] == [
        ErrorCode.FRAME_SIZE_ERROR
    ]


def test_twice(peer: Peer, conn: CONN, idle: Wire) -> None:
    idle.close()
    assert is_replaced(peer, conn)
    peer.wires[1].close()
    assert is_replaced(peer, conn)


@pytest.mark.parametrize(
    ("kind", "flags", "payload"),
    [
        pytest.param(PingFrame.type, 0, bytes(8), id="PING"),
        pytest.param(PingFrame.type, 1, bytes(8), id="acknowledgement of no PING"),
        pytest.param(SettingsFrame.type, 0, b"", id="SETTINGS"),
        pytest.param(SettingsFrame.type, 0, b"\0\3\0\0\0\5", id="SETTINGS with a limit"),
        pytest.param(0x8, 0, b"\0\0\0\5", id="WINDOW_UPDATE"),
        pytest.param(0xEE, 0, b"whatever", id="unknown"),
    ],
)
def test_whatever_else_has_come_is_no_end(
    peer: Peer, conn: CONN, idle: Wire, kind: int, flags: int, payload: bytes
) -> None:
    idle.send_frame(kind, flags, 0, payload)
    assert is_kept(peer, conn, idle)


def test_a_ping_that_came_meanwhile_is_answered(peer: Peer, conn: CONN, idle: Wire) -> None:
    idle.ping(b"12345678")
    conn.request("GET", "/next")
    (ack,) = [frame for frame in (idle.want(PingFrame), idle.want(HeadersFrame, 3)) if frame.stream_id == 0]
    assert ("ACK" in ack.flags, ack.opaque_data) == (True, b"12345678")


def test_half_a_frame_is_no_end(peer: Peer, conn: CONN, idle: Wire) -> None:
    ping = idle.frames.ping(b"12345678")
    idle.send_raw(ping[:11])
    stream_id = conn.request("GET", "/next")
    idle.want(HeadersFrame, 3)
    idle.send_raw(ping[11:])
    idle.answer(3, b"kept")
    assert conn.getresponse(stream_id).read() == b"kept"


def test_settings_that_came_meanwhile_hold(peer: Peer, conn: CONN, idle: Wire) -> None:
    idle.send_settings(max_concurrent_streams=1)
    ids = [conn.request("GET", "/"), conn.request("GET", "/")]
    idle.want(HeadersFrame, 3)
    assert idle.silent()
    for wire_id, stream_id in zip((3, 5), ids, strict=True):
        idle.answer(wire_id)
        assert conn.getresponse(stream_id).status == 200


class Counted:
    """A socket whose receiving is counted."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.received = 0

    def recv(self, size: int) -> bytes:
        self.received += 1
        return self._sock.recv(size)

    def __getattr__(self, name: str) -> object:
        return getattr(self._sock, name)


def test_nothing_is_received_in_vain(conn: CONN, idle: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over TLS to find nothing costs as much as all the rest of a wait: the answer to the only request there
    is cannot be there yet, even where no thread has looked before, as a pool does not at once."""
    mux = http2_of(conn)
    monkeypatch.setattr(mux, "check", lambda: mux.usable)
    watch, sock = mux._io.watch, Counted(mux.sock)
    wait = watch.wait

    def answer_and_wait(timeout: float | None) -> bool:
        idle.answer(3, b"next")
        return wait(timeout)

    stream_id = conn.request("GET", "/next")
    idle.want(HeadersFrame, 3)
    monkeypatch.setattr(mux._io, "sock", sock)
    monkeypatch.setattr(watch, "wait", answer_and_wait)
    assert conn.getresponse(stream_id).read() == b"next"
    assert sock.received == 1


class Talker:
    """A socket on which there is always something more to be read, until it is told to stop."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.talks = True

    def recv(self, _size: int) -> bytes:
        if not self.talks:
            raise BlockingIOError
        return FrameFactory().raw(0xEE, payload=bytes(1000))

    def __getattr__(self, name: str) -> object:
        return getattr(self._sock, name)


def test_a_server_that_never_stops_talking_does_not_hold_up_a_request(
    peer: Peer, conn: CONN, idle: Wire
) -> None:
    """The look before reuse takes what is there, but it does not wait for an end of it."""
    conn.sock.settimeout(0.2)
    talker = http2_of(conn)._io.sock = Talker(http2_of(conn).sock)
    conn.request("GET", "/next")
    talker.talks = False
    assert not idle.silent() or peer.waiting
