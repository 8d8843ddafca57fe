"""Cleartext HTTP/2 by `Upgrade: h2c`, with a server that does not do as it should."""

import contextlib
import http.client
import socket
import threading
import time

import pytest
from hyperframe.frame import HeadersFrame, RstStreamFrame, SettingsFrame

import hyperlite
from hyperlite.errors import ErrorCode, RequestTimeout
from tests.peer import Peer, Wire

CONN = hyperlite.HTTP20Connection
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\n"


@pytest.fixture
def conn(peer: Peer) -> CONN:
    return peer.connect(upgrade=True, timeout=2)


def want_head(wire: Wire) -> bytes:
    """Return the head of a request on HTTP/1.1."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = wire.sock.recv(1)
        assert byte, f"the client closed after {head!r}"
        head += byte
    return head


def test_an_answer_that_stops_in_its_first_line(peer: Peer) -> None:
    conn = peer.connect(upgrade=True, timeout=0.2)
    request = peer.background(conn.request, "GET", "/")
    want_head(peer.accept())
    peer.send_raw(b"HTTP/1.1 1")
    request.result(2)
    with pytest.raises(RequestTimeout):
        conn.getresponse(1)


@pytest.mark.parametrize("limit", [{"deadline": 0.2}, {"timeout": 0.2}])
def test_the_request_has_less_time_than_the_connection(peer: Peer, limit: dict[str, float]) -> None:
    conn = peer.connect(upgrade=True, timeout=4)
    request = peer.background(conn.request, "GET", "/", **limit)
    want_head(peer.accept())
    start = time.monotonic()
    request.result(2)
    with pytest.raises(RequestTimeout):
        conn.getresponse(1)
    assert time.monotonic() - start < 3.5


@pytest.mark.parametrize("limit", [{"deadline": 0.3}, {"timeout": 0.3}])
def test_the_head_of_a_101_that_drips_ends_with_the_deadline(peer: Peer, limit: dict[str, float]) -> None:
    """However often a byte comes."""
    conn = peer.connect(upgrade=True, timeout=4)
    over = threading.Event()

    def drip() -> None:
        with contextlib.suppress(OSError):
            want_head(peer.accept())
            peer.send_raw(b"HTTP/1.1 101 Switching Protocols\r\n")
            while not over.wait(0.02):
                peer.send_raw(b"x")

    dripping = peer.background(drip)
    with pytest.raises(RequestTimeout, match="101"):
        conn.request("GET", "/", **limit)
    over.set()
    dripping.result()
    with pytest.raises(http.client.ResponseNotReady):
        conn.getresponse()


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_the_head_of_a_101_in_pieces(peer: Peer, conn: CONN, size: int) -> None:
    """And with HTTP/2 right behind it, of which not a byte is taken."""
    request = peer.background(conn.request, "GET", "/")
    wire = peer.accept()
    want_head(wire)
    data = SWITCHING % b"h2c" + wire.frames.settings()
    for start in range(0, len(data), size):
        wire.send_raw(data[start : start + size])
    request.result()
    wire.answer(1, b"answer")
    assert conn.getresponse(1).read() == b"answer"


def test_the_head_of_a_101_without_an_end(peer: Peer, conn: CONN) -> None:
    request = peer.background(conn.request, "GET", "/")
    want_head(peer.accept())
    with contextlib.suppress(ConnectionError):
        peer.send_raw(b"HTTP/1.1 101 Switching Protocols\r\n" + b"x" * 200_000)
    with pytest.raises(http.client.HTTPException, match="no end"):
        request.result()


@pytest.mark.parametrize("fields", [b"", b"Upgrade:\r\n", b"upgrade: H2C\r\n", b"Upgrade: tls/1.2, h2c\r\n"])
def test_what_a_101_names(peer: Peer, conn: CONN, fields: bytes) -> None:
    """Jetty names nothing: nothing but h2c was asked for."""
    request = peer.background(conn.request, "GET", "/")
    wire = peer.accept()
    want_head(wire)
    wire.send_raw(b"HTTP/1.1 101 Switching Protocols\r\n" + fields + b"\r\n")
    request.result()
    wire.greet()
    wire.answer(1, b"answer")
    response = conn.getresponse(1)
    assert (response.version, response.read()) == (20, b"answer")


def test_a_code_that_only_begins_like_101(peer: Peer, conn: CONN) -> None:
    request = peer.background(conn.request, "GET", "/")
    want_head(peer.accept())
    peer.send_raw(b"HTTP/1.1 1010 Unheard Of\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n")
    request.result()
    with pytest.raises(http.client.BadStatusLine, match="1010"):
        conn.getresponse(1)


def test_another_protocol_leaves_nothing_behind(peer: Peer, conn: CONN) -> None:
    request = peer.background(conn.request, "GET", "/")
    want_head(peer.accept())
    peer.send_raw(SWITCHING % b"websocket")
    with pytest.raises(http.client.HTTPException, match="websocket"):
        request.result()
    again = peer.background(lambda: (conn.request("GET", "/"), conn.getresponse())[1])
    want_head(peer.accept())
    peer.send_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert again.result().read() == b"ok"


def test_only_the_first_request_asks(peer: Peer, conn: CONN) -> None:
    """One whose body can be sent once is not sent twice; and while it is under way there is no asking."""
    first = conn.request("POST", "/", iter([b"body"]))
    assert b"Upgrade" not in want_head(peer.accept())
    assert want_head(peer) == b"4\r\nbody\r\n0\r\n\r\n"  # its body
    second = peer.background(conn.request, "GET", "/")
    peer.send_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none")
    assert second.result() == 3
    assert conn.getresponse(first).read() == b"one"
    answer = peer.background(conn.getresponse, 3)
    assert b"Upgrade" not in want_head(peer)
    peer.send_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo")
    assert answer.result().read() == b"two"


def upgrade(wire: Wire, line: bytes = b"GET ") -> None:
    """Take the upgrade up, for which a request asks whose head begins so."""
    head = want_head(wire)
    assert head.startswith(line)
    assert b"HTTP2-Settings" in head
    wire.send_raw(SWITCHING % b"h2c")
    wire.greet()


def test_it_is_asked_for_again_when_the_connection_is_opened_again(peer: Peer, conn: CONN) -> None:
    """A server may know nothing but that: to begin in HTTP/2 would be nonsense to it."""
    for number in (1, 3):
        asked = peer.background(conn.request, "GET", f"/{number}")
        wire = peer.accept()
        upgrade(wire)
        assert asked.result() == number
        wire.answer(1, b"answer")
        assert conn.getresponse(number).read() == b"answer"
        wire.goaway(1, ErrorCode.NO_ERROR)


def test_one_of_those_that_are_sent_again_asks(peer: Peer, conn: CONN) -> None:
    first = peer.background(conn.request, "GET", "/1")
    old = peer.accept()
    upgrade(old)
    first.result()
    ids = conn.request_many([("GET", "/2"), ("GET", "/3")])
    old.answer(1, b"one")
    assert conn.getresponse(1).read() == b"one"
    old.want(HeadersFrame, 3)
    old.want(HeadersFrame, 5)
    old.goaway(1, ErrorCode.NO_ERROR)
    second = peer.background(conn.getresponse, ids[0])
    new = peer.accept()
    upgrade(new, b"GET /2 HTTP/1.1\r\n")
    new.want(HeadersFrame, 3)
    new.answer(1, b"two")
    new.answer(3, b"three")
    assert second.result().read() == b"two"
    assert conn.getresponse(ids[1]).read() == b"three"
    assert not new.of(RstStreamFrame)


def test_a_server_that_does_not_want_to_any_more(peer: Peer, conn: CONN) -> None:
    """What was on HTTP/2 goes on over HTTP/1.1, and so does what comes next."""
    first = peer.background(conn.request, "GET", "/1")
    old = peer.accept()
    upgrade(old)
    first.result()
    old.want(SettingsFrame)
    old.goaway(0, ErrorCode.NO_ERROR)
    going_on = peer.background(conn.getresponse, 1)
    new = peer.accept()
    head = want_head(new)
    assert head.startswith(b"GET /1 ")
    assert b"HTTP2-Settings" in head
    new.send_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none")
    assert going_on.result().read() == b"one"
    again = peer.background(lambda: (conn.request("GET", "/"), conn.getresponse())[1])
    want_head(peer)
    peer.send_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert again.result().read() == b"ok"


def respond(wire: Wire, status: int, body: bytes) -> None:
    """Answer in HTTP/1.1."""
    wire.send_raw(b"HTTP/1.1 %d Answer\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))


@pytest.mark.parametrize(
    "options", [{"body": b"body"}, {"body": b"body", "headers": {"Expect": "100-continue"}}]
)
def test_a_request_with_a_body_does_not_ask(peer: Peer, conn: CONN, options: dict[str, object]) -> None:
    """Tomcat answers 413 where it would have to keep more than 4 KiB; the next one asks."""
    first = peer.background(lambda: (conn.request("POST", "/", **options), conn.getresponse())[1])
    head = want_head(peer.accept())
    assert b"HTTP2-Settings" not in head
    if b"Expect" in head:
        peer.send_raw(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert peer.sock.recv(4, socket.MSG_WAITALL) == b"body"
    respond(peer, 200, b"one")
    assert first.result().read() == b"one"
    second = peer.background(conn.request, "GET", "/2")
    upgrade(peer, b"GET /2 ")
    second.result()
    peer.answer(1, b"two")
    response = conn.getresponse(3)
    assert (response.version, response.read()) == (20, b"two")


@pytest.mark.parametrize("methods", ["POST", "POST GET", "DELETE"])
def test_what_is_not_safe_to_repeat_does_not_ask_when_it_is_sent_again(
    peer: Peer, conn: CONN, methods: str
) -> None:
    """The server may switch or not: where nothing else can ask, it goes over HTTP/1.1."""
    first = peer.background(conn.request, "GET", "/1")
    old = peer.accept()
    upgrade(old)
    first.result()
    old.answer(1, b"one")
    assert conn.getresponse(1).read() == b"one"
    ids = [
        conn.request(method, f"/{method}", b"body" if method == "POST" else None)
        for method in methods.split()
    ]
    old.want(HeadersFrame, 3)
    old.goaway(1, ErrorCode.NO_ERROR)
    going_on = peer.background(conn.getresponse, ids[0])
    new = peer.accept()
    if "GET" in methods:
        upgrade(new, b"GET /GET ")
        assert new.want(HeadersFrame, 3).fields[0] == (":method", "POST")
        new.answer(3, b"on stream 3")
    else:
        assert b"HTTP2-Settings" not in want_head(new)
        respond(new, 200, b"on HTTP/1.1")
    response = going_on.result()
    assert response.version == (20 if "GET" in methods else 11)
    assert response.read().startswith(b"on ")


def test_a_thread_that_has_no_time_for_the_answer_sends_it_again_later(peer: Peer, conn: CONN) -> None:
    first = peer.background(conn.request, "GET", "/1")
    old = peer.accept()
    upgrade(old)
    first.result()
    old.goaway(0, ErrorCode.NO_ERROR)
    looking = peer.background(lambda: list(conn.as_ready([1], timeout=0.2)))
    assert b"GET /1 " in want_head(peer.accept())
    with pytest.raises(RequestTimeout, match="1 responses did not come"):
        looking.result()
    answer = peer.background(conn.getresponse, 1)
    new = peer.accept()
    upgrade(new, b"GET /1 ")
    new.answer(1, b"one")
    assert answer.result().read() == b"one"
