"""HTTP_1_1_REQUIRED (RFC 9113 section 7): what the server refuses with it goes on over HTTP/1.1."""

import time
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hyperframe.frame import HeadersFrame

import hyperlite
from hyperlite import client
from hyperlite.errors import ConnectionGoingAway, ErrorCode, StreamReset
from hyperlite.net import protocols
from hyperlite.testing.certificates import certificates
from tests.peer import TIMEOUT, Peer, Wire

from .conftest import acquaint, begin, path_of

REQUIRED = ErrorCode.HTTP_1_1_REQUIRED


def refuse(wire: Wire) -> None:
    wire.rst(1, REQUIRED)


def leave(wire: Wire) -> None:
    wire.goaway(0, REQUIRED)


def leave_with(last: int, wire: Wire) -> None:
    wire.goaway(last, REQUIRED)
    wire.finish()


def leave_and_close(wire: Wire) -> None:
    """What it says it has seen it has not answered."""
    leave_with(1, wire)


EACH_WAY = pytest.mark.parametrize("say", [refuse, leave, leave_and_close])
Say = Callable[[Wire], None]


def take(wire: Wire, body: int = 0) -> tuple[str, bytes]:
    """Return the request line and the body of a request in HTTP/1.1."""
    data = b""
    while b"\r\n\r\n" not in data or len(data.partition(b"\r\n\r\n")[2]) < body:
        more = wire.sock.recv(65536)
        assert more, f"the client closed after {data!r}"
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.partition(b"\r\n")[0].decode(), rest


def give(wire: Wire, body: bytes, head: bytes = b"HTTP/1.1 200 OK") -> None:
    wire.sock.sendall(b"%b\r\nContent-Length: %d\r\n\r\n%b" % (head, len(body), body))


def read(conn: hyperlite.HTTP20Connection, stream_id: int) -> tuple[int, int | None, bytes]:
    response = conn.getresponse(stream_id)
    return response.version, response.stream_id, response.read()


class TestTheConnection:
    @EACH_WAY
    def test_a_request_goes_on_whatever_its_method(
        self, peer: Peer, conn: hyperlite.HTTP20Connection, say: Say
    ) -> None:
        stream_id = begin(peer, conn, "POST", "/login", b"secret")
        assert peer.want_end(1) == b"secret"
        say(peer.wires[0])
        answer = peer.background(read, conn, stream_id)
        wire = peer.accept()
        assert take(wire, 6) == ("POST /login HTTP/1.1", b"secret")
        give(wire, b"welcome")
        assert answer.result() == (11, stream_id, b"welcome")

    def test_and_all_that_wait_keep_their_ids_while_what_is_answered_goes_on(
        self, peer: Peer, conn: hyperlite.HTTP20Connection
    ) -> None:
        acquaint(peer, conn, max_concurrent_streams=3)
        ids = [conn.request("GET", f"/{n}") for n in (1, 2, 3, 4)]  # the last one has no slot
        for wire_id in (3, 5, 7):
            peer.want(HeadersFrame, wire_id)
        peer.send_headers(5)
        peer.send_data(5, b"begun ")
        peer.rst(3, REQUIRED)
        peer.rst(7, REQUIRED)
        answered = conn.getresponse(ids[1])
        assert answered.read1() == b"begun "
        late = peer.background(read, conn, ids[3])
        wire = peer.accept()
        for number in (4, 1, 3):  # the one that is waited for comes first
            assert take(wire)[0] == f"GET /{number} HTTP/1.1"
            give(wire, b"%d" % number)
            if number == 4:
                assert late.result() == (11, ids[3], b"4")
            else:
                assert read(conn, ids[number - 1]) == (11, ids[number - 1], b"%d" % number)
        peer.wires[0].send_data(5, b"and ended", end_stream=True)
        assert answered.read() == b"and ended"
        assert answered.version == 20
        assert peer.wires[0].want_eof()

    def test_where_it_closes_with_several_open_those_that_are_safe_to_repeat_go_on(
        self, peer: Peer, conn: hyperlite.HTTP20Connection
    ) -> None:
        """It may have processed all but one of what it says it has seen."""
        acquaint(peer, conn)
        pay, look, answered = (
            conn.request(*one) for one in (("POST", "/pay"), ("GET", "/look"), ("GET", "/"))
        )
        for wire_id in (3, 5, 7):
            peer.want(HeadersFrame, wire_id)
        peer.answer(7, b"hello")
        leave_with(7, peer.wires[0])
        with pytest.raises(hyperlite.HTTP2Error, match="HTTP_1_1_REQUIRED") as caught:
            conn.getresponse(pay)
        assert not caught.value.retry_safe
        assert read(conn, answered) == (20, answered, b"hello")
        answer = peer.background(read, conn, look)
        wire = peer.accept()
        assert take(wire)[0] == "GET /look HTTP/1.1"
        give(wire, b"seen")
        assert answer.result() == (11, look, b"seen")

    def test_where_it_closes_with_one_unanswered_that_goes_on(
        self, peer: Peer, conn: hyperlite.HTTP20Connection
    ) -> None:
        acquaint(peer, conn)
        pay, answered = conn.request("POST", "/pay"), conn.request("GET", "/")
        for wire_id in (3, 5):
            peer.want(HeadersFrame, wire_id)
        peer.answer(5, b"hello")
        leave_with(5, peer.wires[0])
        assert read(conn, answered) == (20, answered, b"hello")
        answer = peer.background(read, conn, pay)
        wire = peer.accept()
        assert take(wire)[0] == "POST /pay HTTP/1.1"
        give(wire, b"paid")
        assert answer.result() == (11, pay, b"paid")

    def test_as_ready_tells_of_it(self, peer: Peer, conn: hyperlite.HTTP20Connection) -> None:
        stream_id = begin(peer, conn)
        refuse(peer.wires[0])
        ready = peer.background(lambda: list(conn.as_ready([stream_id])))
        wire = peer.accept()
        take(wire)
        give(wire, b"hello")
        assert ready.result() == [stream_id]
        assert read(conn, stream_id) == (11, stream_id, b"hello")

    def test_it_is_cancelled_as_any_other(self, peer: Peer, conn: hyperlite.HTTP20Connection) -> None:
        one, other = begin(peer, conn), conn.request("GET", "/other")
        peer.want(HeadersFrame, 3)
        peer.rst(1, REQUIRED)
        peer.rst(3, REQUIRED)
        answer = peer.background(read, conn, one)
        wire = peer.accept()
        take(wire)
        conn.cancel(other)
        give(wire, b"hello")
        assert answer.result()[2] == b"hello"
        assert read_after(peer, conn, wire, "/more") == "GET /more HTTP/1.1"

    def test_it_is_remembered_for_a_while(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with Peer(tls=certificates().server_context(("h2", "http/1.1"))) as peer:
            conn = peer.connect(host="localhost", context=certificates().client_context())
            answer = peer.background(lambda: read(conn, conn.request("GET", "/")))
            peer.accept()
            peer.greet()
            peer.want(HeadersFrame, 1)
            refuse(peer.wires[0])
            for _ in range(2):
                wire = peer.accept()
                assert wire.sock.selected_alpn_protocol() == "http/1.1"  # h2 would be preferred
                take(wire)
                give(wire, b"hello")
                assert answer.result()[0] == 11
                conn.close()
                answer = peer.background(lambda: read(conn, conn.request("GET", "/")))
            wire = peer.accept()
            take(wire)
            give(wire, b"hello")
            answer.result()
            conn.close()
            later = types.SimpleNamespace(monotonic=lambda: time.monotonic() + protocols.REMEMBERED)
            monkeypatch.setattr(protocols, "time", later)
            answer = peer.background(lambda: read(conn, conn.request("GET", "/")))
            wire = peer.accept()
            assert wire.sock.selected_alpn_protocol() == "h2"
            peer.greet()
            peer.want(HeadersFrame, 1)
            peer.answer(1, b"hello")
            assert answer.result()[0] == 20

    @EACH_WAY
    def test_a_body_that_cannot_be_sent_again_is_an_error_that_says_so(
        self, peer: Peer, conn: hyperlite.HTTP20Connection, say: Say
    ) -> None:
        stream_id = begin(peer, conn, "POST", "/", iter([b"body"]))
        assert peer.want_end(1) == b"body"
        say(peer.wires[0])
        said = "server" if say is leave_and_close else "the body cannot be sent again"
        with pytest.raises(ConnectionResetError, match=said) as caught:
            conn.getresponse(stream_id)
        assert isinstance(caught.value, hyperlite.HTTP2Error)
        assert caught.value.error_code == REQUIRED
        assert caught.value.retry_safe
        again = peer.background(lambda: read(conn, conn.request("POST", "/", b"body")))
        wire = peer.accept()
        assert take(wire, 4) == ("POST / HTTP/1.1", b"body")
        give(wire, b"hello")
        assert again.result()[0] == 11

    def test_an_open_request_has_its_error_and_the_next_one_goes_over_http1(
        self, peer: Peer, conn: hyperlite.HTTP20Connection
    ) -> None:
        stream_id = conn.request("POST", "/", end_stream=False)
        peer.accept()
        peer.greet()
        peer.want(HeadersFrame, 1)
        refuse(peer.wires[0])
        with pytest.raises(StreamReset, match="the body cannot be sent again"):
            conn.getresponse(stream_id)
        again = peer.background(lambda: read(conn, conn.request("GET", "/")))
        wire = peer.accept()
        take(wire)
        give(wire, b"hello")
        assert again.result()[0] == 11

    @pytest.mark.parametrize("status", ["103", "200"])
    def test_what_has_begun_to_be_answered_is_not_sent_again(
        self, peer: Peer, conn: hyperlite.HTTP20Connection, status: str
    ) -> None:
        stream_id = begin(peer, conn)
        peer.send_headers(1, [(":status", status)])
        refuse(peer.wires[0])
        with pytest.raises(ConnectionResetError) as caught:
            conn.getresponse(stream_id).read(1)
        assert isinstance(caught.value, hyperlite.HTTP2Error)
        assert not caught.value.retry_safe
        assert not peer.waiting

    @pytest.mark.parametrize("say", [refuse, leave])
    def test_where_http2_alone_may_be_spoken_it_is_an_error_that_says_so(self, peer: Peer, say: Say) -> None:
        conn = peer.connect(protocols=("h2",))
        stream_id = begin(peer, conn)
        say(peer.wires[0])
        with pytest.raises(ConnectionResetError, match="which the choice of protocols excludes") as caught:
            conn.getresponse(stream_id)
        assert isinstance(caught.value, hyperlite.HTTP2Error)
        assert caught.value.error_code == REQUIRED
        assert not peer.waiting

    def test_and_other_requests_go_on_over_http2(self, peer: Peer) -> None:
        conn = peer.connect(protocols=("h2",))
        begin(peer, conn, "GET", "/", max_concurrent_streams=1)
        other = conn.request("GET", "/other")
        refuse(peer.wires[0])
        answer = peer.background(read, conn, other)
        assert path_of(peer.want(HeadersFrame, 3)) == "/other"
        peer.answer(3, b"hello")
        assert answer.result() == (20, other, b"hello")

    def test_not_without_auto_open(self, peer: Peer, conn: hyperlite.HTTP20Connection) -> None:
        stream_id = begin(peer, conn)
        conn.auto_open = 0
        refuse(peer.wires[0])
        with pytest.raises(StreamReset):
            conn.getresponse(stream_id)
        assert not peer.waiting

    def test_a_server_that_has_no_http1_either_is_not_asked_for_ever(
        self, peer: Peer, conn: hyperlite.HTTP20Connection
    ) -> None:
        stream_id = begin(peer, conn)
        refuse(peer.wires[0])
        peer.stop_listening()
        with pytest.raises(ConnectionRefusedError):
            conn.getresponse(stream_id)

    def test_after_an_upgrade_it_is_not_asked_for_http2_again(self, peer: Peer) -> None:
        conn = peer.connect(upgrade=True)
        asked = peer.background(conn.request, "GET", "/")
        peer.accept()
        assert b"Upgrade: h2c" in peer.wires[0].sock.recv(65536)
        peer.send_raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")
        peer.greet()
        stream_id = asked.result()
        refuse(peer.wires[0])
        answer = peer.background(read, conn, stream_id)
        wire = peer.accept()
        head = wire.sock.recv(65536)
        assert b"h2c" not in head
        give(wire, b"hello")
        assert answer.result() == (11, stream_id, b"hello")


def read_after(peer: Peer, conn: hyperlite.HTTP20Connection, wire: Wire, path: str) -> str:
    """Have one more exchange on a connection in HTTP/1.1; returns its request line."""
    answer = peer.background(lambda: read(conn, conn.request("GET", path)))
    line = take(wire)[0]
    give(wire, b"more")
    assert answer.result()[2] == b"more"
    return line


class TestWhereHttp2IsGone:
    """What a server has not processed goes on over HTTP/1.1 where it has no HTTP/2 any more."""

    def test_on_a_connection(self) -> None:
        with Peer(tls=certificates().server_context(("h2", "http/1.1"))) as peer:
            conn = peer.connect(host="localhost", context=certificates().client_context())
            answer = peer.background(lambda: read(conn, conn.request("POST", "/", b"body")))
            peer.accept()
            peer.greet()
            assert peer.want(HeadersFrame, 1)
            peer.want_end(1)
            peer.tls = certificates().server_context(("http/1.1",))
            peer.goaway(0)
            wire = peer.accept()
            assert take(wire, 4) == ("POST / HTTP/1.1", b"body")
            give(wire, b"hello")
            assert answer.result() == (11, 1, b"hello")


@pytest.fixture
def secure() -> Iterator[Peer]:
    with Peer(tls=certificates().server_context(("h2", "http/1.1"))) as peer:
        yield peer


@pytest.fixture
def strict(secure: Peer) -> Iterator[client.HTTPSConnection]:
    context = certificates().client_context()
    conn = client.HTTPSConnection("localhost", secure.port, timeout=TIMEOUT, context=context)
    yield conn
    conn.close()


def ask(conn: client.HTTPSConnection, *args: Any, **options: Any) -> tuple[int, int, bytes]:
    conn.request(*(args or ("GET", "/")), **options)
    response = conn.getresponse()
    return response.version, response.status, response.read()


def accept(peer: Peer) -> None:
    peer.accept()
    peer.greet()
    peer.want(HeadersFrame, 1)


class TestHyperliteClient:
    @EACH_WAY
    def test_the_response_is_one_of_http1(
        self, secure: Peer, strict: client.HTTPSConnection, say: Say
    ) -> None:
        answer = secure.background(ask, strict, "POST", "/login", b"secret", {"X-Case": "kept"})
        accept(secure)
        assert secure.want_end(1) == b"secret"
        say(secure.wires[0])
        wire = secure.accept()
        assert wire.sock.selected_alpn_protocol() == "http/1.1"
        head = b""
        while not head.endswith(b"secret"):
            head += wire.sock.recv(65536)
        assert head == (
            b"POST /login HTTP/1.1\r\nHost: localhost:%d\r\nAccept-Encoding: identity\r\n"
            b"Content-Length: 6\r\nX-Case: kept\r\n\r\nsecret" % secure.port
        )
        give(wire, b"welcome")
        assert answer.result() == (11, 200, b"welcome")
        more = secure.background(ask, strict)  # on the same connection
        assert take(wire)[0] == "GET / HTTP/1.1"
        give(wire, b"more")
        assert more.result() == (11, 200, b"more")

    def test_it_is_remembered(self, secure: Peer, strict: client.HTTPSConnection) -> None:
        answer = secure.background(ask, strict)
        accept(secure)
        refuse(secure.wires[0])
        for _ in range(2):
            wire = secure.accept()
            assert wire.sock.selected_alpn_protocol() == "http/1.1"
            take(wire)
            give(wire, b"hello", b"HTTP/1.1 200 OK\r\nConnection: close")
            wire.close()
            assert answer.result() == (11, 200, b"hello")
            answer = secure.background(ask, strict)
        wire = secure.accept()
        take(wire)
        give(wire, b"hello")
        assert answer.result() == (11, 200, b"hello")

    @pytest.mark.parametrize("close", [True, False])
    def test_a_body_that_cannot_be_sent_again_is_an_error_and_the_next_try_goes_over_http1(
        self, secure: Peer, strict: client.HTTPSConnection, close: bool
    ) -> None:
        answer = secure.background(ask, strict, "POST", "/", iter([b"bo", b"dy"]))
        accept(secure)
        assert secure.want_end(1) == b"body"
        refuse(secure.wires[0])
        with pytest.raises(StreamReset, match="the body cannot be sent again"):
            answer.result()
        if close:
            strict.close()
        answer = secure.background(ask, strict, "POST", "/", iter([b"bo", b"dy"]))
        wire = secure.accept()
        assert wire.sock.selected_alpn_protocol() == "http/1.1"
        while not (data := wire.sock.recv(65536)).endswith(b"0\r\n\r\n"):
            assert data
        give(wire, b"hello")
        assert answer.result() == (11, 200, b"hello")

    def test_where_http2_alone_may_be_spoken_it_is_an_error_that_says_so(
        self, secure: Peer, strict: client.HTTPSConnection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HYPERLITE_PROTOCOLS", "h2")
        answer = secure.background(ask, strict)
        accept(secure)
        refuse(secure.wires[0])
        with pytest.raises(StreamReset, match="which the choice of protocols excludes"):
            answer.result()
        assert not secure.waiting

    def test_not_without_auto_open(self, secure: Peer, strict: client.HTTPSConnection) -> None:
        connecting = secure.background(strict.connect)
        secure.accept()
        connecting.result()
        strict.auto_open = 0
        answer = secure.background(ask, strict)
        secure.greet()
        secure.want(HeadersFrame, 1)
        leave(secure.wires[0])
        with pytest.raises(ConnectionGoingAway):
            answer.result()
