"""A body on HTTP/1.1 is complete or an error, whichever way it is read."""

import http.client
from collections.abc import Callable
from typing import Any

import pytest

import hyperlite

from .conftest import CHUNKED, Talk, Wire, response, says

READS: dict[str, Callable[[Any], Any]] = {
    "read": lambda r: r.read(),
    "read n": lambda r: list(iter(lambda: r.read(3), b"")),
    "read all n": lambda r: r.read(100),
    "readinto": lambda r: list(iter(lambda: r.readinto(bytearray(3)), 0)),
    "readline": lambda r: list(iter(r.readline, b"")),
    "iteration": list,
    "read1": lambda r: list(iter(r.read1, b"")),
    "read1 n": lambda r: list(iter(lambda: r.read1(2), b"")),
    "peek": lambda r: [(r.peek(), r.read1()) for _ in range(10)],
}
CUT = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\none\ntwo\nthr",
    "length, nothing": b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n",
    "in a chunk": CHUNKED + b"4\r\none\n\r\n9\r\ntwo\nthr",
    "between chunks": CHUNKED + b"4\r\none\n\r\n",
    "in a size": CHUNKED + b"4\r\none\n\r\n1",
    "in the last size": CHUNKED + b"4\r\none\n\r\n0",
    "before the end": CHUNKED + b"4\r\none\n\r\n0\r\n",
    "in the trailers": CHUNKED + b"4\r\none\n\r\n0\r\nX-Sum: 4\r\n",
    "longer than said": CHUNKED + b"4\r\none\ntwo\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("notify", [True, False], ids=["close_notify", "ragged"])
@pytest.mark.parametrize("how", READS)
@pytest.mark.parametrize("cut", CUT)
def test_a_body_that_is_cut_off(talk: Talk, cut: str, how: str, notify: bool) -> None:
    conn = talk(says(CUT[cut], notify=notify), says(response(b"next")))
    answer = conn.getresponse(conn.request("GET", "/"))
    with pytest.raises(hyperlite.IncompleteBody) as caught:
        READS[how](answer)
    assert isinstance(caught.value, http.client.IncompleteRead)
    assert caught.value.stream_id == 1
    assert conn.getresponse(conn.request("GET", "/")).read() == b"next"


def test_a_tunnel_that_is_refused_has_a_body_like_any_other(talk: Talk) -> None:
    """Only where it is granted all that follows is the tunnel's (RFC 9112 section 6.3)."""
    refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
    granted = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nall of it"
    conn = talk(says(refusal), says(granted))
    answer = conn.getresponse(conn.request("CONNECT", "example.org:443"))
    assert (answer.status, answer.length, answer.read()) == (403, 2, b"no")
    answer = conn.getresponse(conn.request("CONNECT", "example.org:443"))
    assert (answer.status, answer.length, answer.read()) == (200, None, b"all of it")


def test_what_had_come_is_in_the_error(talk: Talk) -> None:
    conn = talk(says(CUT["length"]))
    answer = conn.getresponse(conn.request("GET", "/"))
    assert answer.read(4) == b"one\n"
    with pytest.raises(hyperlite.IncompleteBody, match="after 11 of 20 bytes") as caught:
        answer.read(10)
    assert caught.value.partial == b"two\nthr"
    assert caught.value.expected == 9
    with pytest.raises(hyperlite.IncompleteBody) as caught:  # and it is not forgotten
        answer.read(5)
    assert caught.value.partial == b""


class TestCloseNotify:
    UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\nall there was"

    @pytest.mark.parametrize("how", ["read", "read n", "readline", "read1", "peek", "readinto"])
    def test_without_it_the_body_is_incomplete(self, talk: Talk, how: str) -> None:
        conn = talk(says(self.UNTIL_CLOSE, notify=False))
        with pytest.raises(hyperlite.IncompleteBody, match="require_close_notify=False"):
            READS[how](conn.getresponse(conn.request("GET", "/")))

    def test_unless_it_is_not_required(self, talk: Talk) -> None:
        conn = talk(says(self.UNTIL_CLOSE, notify=False), require_close_notify=False)
        assert conn.getresponse(conn.request("GET", "/")).read() == b"all there was"

    def test_with_it(self, talk: Talk) -> None:
        conn = talk(says(self.UNTIL_CLOSE))
        assert conn.getresponse(conn.request("GET", "/")).read() == b"all there was"

    def test_a_body_of_known_length_does_not_need_it(self, talk: Talk) -> None:
        conn = talk(says(response(b"whole", b"Connection: close"), notify=False))
        assert conn.getresponse(conn.request("GET", "/")).read() == b"whole"


@pytest.mark.parametrize("first", ["length", "chunked", "empty", "head", "no content"])
@pytest.mark.parametrize("together", [True, False])
def test_what_is_behind_a_response_is_no_response(talk: Talk, first: str, together: bool) -> None:
    poison = response(b"POISON")
    answers = {
        "length": (response(b"good"), b"good"),
        "chunked": (CHUNKED + b"4\r\ngood\r\n0\r\n\r\n", b"good"),
        "empty": (response(b""), b""),
        "head": (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", b""),
        "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    }
    wire, body = answers[first]
    pieces = [wire + poison] if together else [wire, poison]
    conn = talk(says(*pieces, close=False), says(response(b"next")))
    answer = conn.getresponse(conn.request("HEAD" if first == "head" else "GET", "/"))
    assert answer.read() == body
    if together:
        assert conn.getresponse(conn.request("GET", "/")).read() == b"next"


class TestFraming:
    def get(self, talk: Talk, head: bytes, body: bytes = b"", **options: Any) -> Any:
        conn = talk(
            says(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body, close=False), says(response(b"next"))
        )
        answer = conn.getresponse(conn.request("GET", "/", **options))
        return conn, answer

    def test_chunks_win_over_a_length_and_the_connection_is_not_used_again(self, talk: Talk) -> None:
        conn, answer = self.get(
            talk, b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"
        )
        assert answer.will_close
        assert answer.read() == b"hello"
        assert conn.getresponse(conn.request("GET", "/")).read() == b"next"

    def test_one_length_said_twice(self, talk: Talk) -> None:
        _, answer = self.get(talk, b"Content-Length: 5, 5\r\nContent-Length: 5\r\n", b"hello")
        assert answer.length == 5
        assert answer.getheader("content-length") == "5, 5, 5"
        assert answer.read() == b"hello"

    @pytest.mark.parametrize("value", [b"-1", b"+5", b"5, 6", b"five", b"", b"5_0", b"0x5", b"9" * 30])
    def test_a_length_that_is_none(self, talk: Talk, value: bytes) -> None:
        with pytest.raises(hyperlite.MalformedResponse, match="content-length"):
            self.get(talk, b"Content-Length: " + value + b"\r\n", b"hello")

    @pytest.mark.parametrize("line", [b"X: a\rb", b"X: a\0b", b"X : y", b": y", b"nonsense", b" folded"])
    def test_lines_that_are_no_fields(self, talk: Talk, line: bytes) -> None:
        with pytest.raises(hyperlite.MalformedResponse, match="header line"):
            self.get(talk, line + b"\r\nContent-Length: 5\r\n", b"hello")

    def test_folded_lines_are_unfolded(self, talk: Talk) -> None:
        _, answer = self.get(talk, b"X-Long: one\r\n\t two  \r\n three\r\nContent-Length: 5\r\n", b"hello")
        assert answer.getheader("x-long") == "one two three"

    def test_chunks_do_not_follow_a_304(self, talk: Talk) -> None:
        wire = b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"

        def script(wire_: Wire) -> None:
            for answer in (wire, response(b"next")):
                wire_.head()
                wire_.send(answer)

        conn = talk(script)
        assert conn.getresponse(conn.request("GET", "/")).read() == b""
        assert conn.getresponse(conn.request("GET", "/")).read() == b"next"
        assert conn.server.connections == 1

    def test_chunk_extensions_are_bounded(self, talk: Talk) -> None:
        conn = talk(
            says(CHUNKED + b"1;" + b"x" * 5000 + b"\r\ny\r\n", *[b"1;" + b"x" * 5000 + b"\r\ny\r\n"] * 4)
        )
        with pytest.raises(hyperlite.IncompleteBody, match="chunk extensions"):
            conn.getresponse(conn.request("GET", "/")).read()

    def test_many_small_chunks_are_not(self, talk: Talk) -> None:
        conn = talk(says(CHUNKED + b"1;x=y\r\nz\r\n" * 20000 + b"0\r\n\r\n"))
        assert len(conn.getresponse(conn.request("GET", "/")).read()) == 20000

    def test_the_limit_of_http_client_can_be_raised(
        self, talk: Talk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        head = b"".join(b"X-%d: y\r\n" % number for number in range(150)) + b"Content-Length: 2\r\n"
        with pytest.raises(hyperlite.MalformedResponse, match="_MAXHEADERS"):
            self.get(talk, head, b"ok")
        monkeypatch.setattr(http.client, "_MAXHEADERS", 200)
        assert self.get(talk, head, b"ok")[1].read() == b"ok"


@pytest.mark.parametrize(
    "sent", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 200 OK\r\nX: y\r\n"]
)
def test_a_head_that_is_cut_off(talk: Talk, sent: bytes) -> None:
    conn = talk(says(sent))
    with pytest.raises(hyperlite.ConnectionLost, match="within the header block"):
        conn.getresponse(conn.request("GET", "/"))


class TestTrailers:
    WIRE = CHUNKED + b"4\r\nbody\r\n0\r\nX-Sum: 4\r\nX-Other: a\r\n b\r\n\r\n"

    @pytest.mark.parametrize("how", ["read", "read n", "read all n", "readline", "readinto", "read1"])
    def test_behind_the_chunks(self, talk: Talk, how: str) -> None:
        conn = talk(says(self.WIRE))
        answer = conn.getresponse(conn.request("GET", "/"))
        assert not answer.trailers
        READS[how](answer)
        assert answer.trailers.items() == [("X-Sum", "4"), ("X-Other", "a b")]

    def test_of_a_response_that_was_read_into_memory(self, talk: Talk) -> None:
        def script(wire: Wire) -> None:
            wire.head()
            wire.send(self.WIRE)
            wire.head()
            wire.send(response(b"next"))

        conn = talk(script)
        first, second = conn.request("GET", "/"), conn.request("GET", "/")
        answer = conn.getresponse(first)
        assert conn.getresponse(second).read() == b"next"
        assert answer.read() == b"body"
        assert answer.trailers["x-sum"] == "4"
        assert conn.server.connections == 1

    @pytest.mark.parametrize("lines", [b"X: y\r\n" * 101, (b"X: " + b"y" * 50_000 + b"\r\n") * 6])
    def test_they_are_bounded(self, talk: Talk, lines: bytes) -> None:
        conn = talk(says(CHUNKED + b"4\r\nbody\r\n0\r\n" + lines + b"\r\n"))
        with pytest.raises(hyperlite.IncompleteBody, match="trailer fields") as caught:
            conn.getresponse(conn.request("GET", "/")).read()
        assert caught.value.partial == b"body"


class TestInformational:
    def test_they_are_collected(self, talk: Talk) -> None:
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        conn = talk(says(b"HTTP/1.1 100 Continue\r\n\r\n", hints, hints + response(b"page")))
        answer = conn.getresponse(conn.request("GET", "/"))
        assert (answer.status, answer.read()) == (200, b"page")
        assert [(status, fields["link"]) for status, fields in answer.informational] == [
            (100, None),
            (103, "</a>"),
            (103, "</a>"),
        ]

    @pytest.mark.parametrize(
        "one", [b"HTTP/1.1 103 H\r\n\r\n", b"HTTP/1.1 103 H\r\nX: " + b"y" * 9000 + b"\r\n\r\n"]
    )
    def test_they_are_bounded(self, talk: Talk, one: bytes) -> None:
        conn = talk(says(*[one] * 101, response(b"page")))
        with pytest.raises(hyperlite.MalformedResponse, match="100 1xx responses"):
            conn.getresponse(conn.request("GET", "/"))

    def test_101_is_final(self, talk: Talk) -> None:
        conn = talk(says(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", close=False), says(response(b"next")))
        answer = conn.getresponse(conn.request("GET", "/"))
        assert (answer.status, answer.will_close, answer.read()) == (101, True, b"")
        assert conn.getresponse(conn.request("GET", "/")).read() == b"next"
