"""Requests on HTTP/1.1: trailers, bodies that come later, and what the server says before they end."""

import http.client
import io
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import hyperlite
from hyperlite.http1 import request_writer

from .conftest import Script, Talk, Wire, response, says


def records(heads: list[bytes], *ends: bytes) -> Script:
    """Answer each request, of which the nth ends with the nth of these, and keep what was received."""

    def script(wire: Wire) -> None:
        for end in ends:
            heads.append(wire.until(end))
            wire.send(response(b"done"))

    return script


def fields(head: bytes) -> dict[str, str]:
    """Return the header fields of a request."""
    lines = head.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


@pytest.mark.parametrize("target", ["", None, [], b""])
def test_no_target_at_all_is_the_root(talk: Talk, target: Any) -> None:
    """As in http.client, whatever the caller takes for nothing."""
    heads: list[bytes] = []
    conn = talk(records(heads, b"\r\n\r\n"))
    assert conn.getresponse(conn.request("GET", target)).read() == b"done"
    assert heads[0].startswith(b"GET / HTTP/1.1\r\n")


class TestTrailers:
    LAST = b"0\r\nx-sum: 4\r\n\r\n"

    @pytest.mark.parametrize(
        "body",
        [b"body", "body", io.BytesIO(b"body"), [b"bo", b"", b"dy"], bytearray(b"body")],
        ids=["bytes", "str", "file", "iterable", "bytearray"],
    )
    def test_behind_any_body(self, talk: Talk, body: Any) -> None:
        seen: list[bytes] = []
        conn = talk(records(seen, self.LAST))
        stream_id = conn.request("POST", "/", body, trailers={"X-Sum": "4"})
        assert conn.getresponse(stream_id).read() == b"done"
        assert fields(seen[0])["transfer-encoding"] == "chunked"
        assert fields(seen[0])["trailer"] == "x-sum"
        assert "content-length" not in fields(seen[0])
        chunks = seen[0].partition(b"\r\n\r\n")[2]
        assert chunks.endswith(b"\r\n" + self.LAST)
        assert b"".join(chunks.split(b"\r\n")[1:-4:2]) == b"body"

    def test_chunks_replace_a_length(self, talk: Talk) -> None:
        seen: list[bytes] = []
        conn = talk(records(seen, self.LAST))
        conn.request(
            "POST", "/", b"body", {"Content-Length": "4", "Trailer": "mine"}, trailers={"X-Sum": "4"}
        )
        conn.getresponse().read()
        assert "content-length" not in fields(seen[0])
        assert fields(seen[0])["trailer"] == "mine"

    def test_without_a_body(self, talk: Talk) -> None:
        seen: list[bytes] = []
        conn = talk(records(seen, self.LAST))
        conn.request("GET", "/", trailers={"X-Sum": "4"})
        conn.getresponse().read()
        assert seen[0].endswith(b"\r\n\r\n" + self.LAST)


class TestFraming:
    def test_what_is_small_goes_out_at_once(self, talk: Talk) -> None:
        received: list[bytes] = []

        def script(wire: Wire) -> None:
            received.append(wire.sock.recv(65536))
            wire.send(response(b"done"))

        conn = talk(script)
        assert conn.getresponse(conn.request("POST", "/", b"small")).read() == b"done"
        assert received[0].endswith(b"\r\n\r\nsmall")

    def test_chunks_and_a_length_do_not_go_together(self, talk: Talk) -> None:
        seen: list[bytes] = []
        conn = talk(records(seen, b"0\r\n\r\n"))
        chunks = [b"4\r\nbody\r\n0\r\n\r\n"]
        with pytest.raises(ValueError, match="a content-length and chunks"):
            conn.request("POST", "/", chunks, {"Transfer-Encoding": "chunked", "Content-Length": "4"})
        conn.request("POST", "/", chunks, {"transfer-encoding": "Chunked"})
        conn.getresponse().read()
        assert "content-length" not in fields(seen[0])
        assert seen[0].endswith(b"\r\n\r\n4\r\nbody\r\n0\r\n\r\n")

    @pytest.mark.parametrize(("body", "length"), [(b"body", "9"), (b"body", "3"), ([b"bo", b"dy"], "9")])
    def test_a_wrong_length(self, talk: Talk, body: Any, length: str) -> None:
        conn = talk(says(response(b"next")))
        with pytest.raises(http.client.CannotSendRequest):
            conn.request("POST", "/", body, {"Content-Length": length})
        assert conn.getresponse(conn.request("GET", "/")).read() == b"next"

    def test_the_priority(self, talk: Talk) -> None:
        seen: list[bytes] = []
        conn = talk(records(seen, b"\r\n\r\n"))
        conn.request("GET", "/", priority=(1, True))
        conn.getresponse().read()
        assert fields(seen[0])["priority"] == "u=1, i"


class TestOpen:
    def test_piece_by_piece(self, talk: Talk) -> None:
        seen: list[bytes] = []
        conn = talk(records(seen, b"x-sum: 4\r\n\r\n", b"\r\n\r\n"))
        stream_id = conn.request("POST", "/", end_stream=False)
        behind = conn.request("GET", "/")
        for piece in (b"bo", "dy", b"", [b"an", b"d"], io.BytesIO(b" more")):
            conn.send(piece)
        conn.end(trailers={"X-Sum": "4"})
        assert conn.getresponse(stream_id).read() == b"done"
        assert conn.getresponse(behind).read() == b"done"
        assert seen[0].endswith(
            b"\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n2\r\nan\r\n1\r\nd\r\n5\r\n more\r\n0\r\nx-sum: 4\r\n\r\n"
        )
        assert conn.server.connections == 1

    def test_of_a_length(self, talk: Talk) -> None:
        seen: list[bytes] = []
        conn = talk(records(seen, b"body"))
        conn.request("POST", "/", headers={"Content-Length": "4"}, end_stream=False)
        conn.send(b"bo")
        with pytest.raises(http.client.CannotSendRequest, match="2 bytes of its content-length missing"):
            conn.end()
        with pytest.raises(http.client.CannotSendRequest, match="the body is longer"):
            conn.send(b"dies")
        conn.send(b"dy")
        conn.end()
        assert conn.getresponse().read() == b"done"
        assert "transfer-encoding" not in fields(seen[0])
        with pytest.raises(http.client.CannotSendRequest):
            conn.send(b"more")
        with pytest.raises(http.client.CannotSendRequest):
            conn.end()

    def test_trailers_need_chunks(self, talk: Talk) -> None:
        conn = talk(records([], b"body"))
        conn.request("POST", "/", headers={"Content-Length": "4"}, end_stream=False)
        conn.send(b"body")
        for _ in range(2):
            with pytest.raises(http.client.CannotSendRequest, match="need chunks"):
                conn.end(trailers={"X-Sum": "4"})
        conn.end()
        assert conn.getresponse().read() == b"done"

    def test_both_directions_at_once(self, talk: Talk) -> None:
        """A conversation: each line of the response answers one of the request."""

        def script(wire: Wire) -> None:
            wire.head()
            wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while (size := int(wire.until(b"\r\n"), 16)) or wire.until(b"\r\n") != b"\r\n":
                said = wire.read(size + 2)[:-2]
                wire.send(b"%x\r\n%b\r\n" % (size + 4, b"You " + said))
            wire.send(b"0\r\n\r\n")
            wire.head()
            wire.send(response(b"next"))

        conn = talk(script)
        stream_id = conn.request("POST", "/", end_stream=False)
        answer = conn.getresponse(stream_id)
        for number in range(100):
            conn.send(b"say %d\n" % number, stream_id)
            assert answer.readline() == b"You say %d\n" % number
        conn.end(stream_id)
        assert answer.read() == b""
        assert conn.getresponse(conn.request("GET", "/")).read() == b"next"
        assert conn.server.connections == 1

    def test_one_thread_waits_while_another_sends(self, talk: Talk) -> None:
        seen: list[bytes] = []
        conn = talk(records(seen, b"0\r\n\r\n"))
        stream_id = conn.request("POST", "/", end_stream=False)
        bodies: list[bytes] = []
        reader = threading.Thread(target=lambda: bodies.append(conn.getresponse(stream_id).read()))
        reader.start()
        for _ in range(50):
            conn.send(b"piece", stream_id)
        conn.end(stream_id)
        reader.join(10)
        assert bodies == [b"done"]
        assert seen[0].count(b"piece") == 50

    def test_the_server_answers_before_the_end(self, talk: Talk) -> None:
        conn = talk(says(response(b"enough"), close=False), says(response(b"next")))
        stream_id = conn.request("POST", "/", end_stream=False)
        conn.send(b"some")
        answer = conn.getresponse(stream_id)
        assert answer.read() == b"enough"
        conn.send(b"more", stream_id)  # which the server does not need
        conn.end(stream_id)
        assert conn.getresponse(conn.request("GET", "/")).read() == b"next"
        assert conn.server.connections == 2

    def test_the_next_one_waits_for_the_end(self, talk: Talk) -> None:
        seen: list[bytes] = []
        conn = talk(records(seen, b"0\r\n\r\n", b"\r\n\r\n"))
        stream_id = conn.request("POST", "/", end_stream=False)
        behind = conn.request("GET", "/", timeout=0.1)
        with pytest.raises(hyperlite.RequestTimeout):
            conn.getresponse(behind)
        conn.send(b"body", stream_id)
        conn.end(stream_id)
        assert conn.getresponse(stream_id).read() == b"done"
        assert conn.getresponse(conn.request("GET", "/")).read() == b"done"
        assert conn.server.connections == 1

    def test_given_up(self, talk: Talk) -> None:
        conn = talk(says(close=False), says(response(b"next")))
        stream_id = conn.request("POST", "/", end_stream=False)
        conn.cancel(stream_id)
        assert conn.getresponse(conn.request("GET", "/")).read() == b"next"


EXPECT = {"Expect": "100-continue"}


def expecting(say: Callable[[Wire], None], seen: list[bytes]) -> Script:
    def script(wire: Wire) -> None:
        seen.append(wire.head())
        say(wire)

    return script


class TestExpect:
    @pytest.mark.parametrize("body", [b"body", [b"bo", b"dy"]], ids=["bytes", "iterable"])
    def test_the_body_follows_100_continue(self, talk: Talk, body: Any) -> None:
        def say(wire: Wire) -> None:
            wire.sock.settimeout(0.1)
            with pytest.raises(TimeoutError):
                wire.sock.recv(1)
            wire.sock.settimeout(10)
            wire.send(b"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 1", b"00 Continue\r\n\r\n")
            wire.until(b"body" if isinstance(body, bytes) else b"0\r\n\r\n")
            wire.send(response(b"done"))

        conn = talk(expecting(say, []))
        answer = conn.getresponse(conn.request("PUT", "/", body, EXPECT))
        assert answer.read() == b"done"
        assert [status for status, _ in answer.informational] == [103, 100]

    @pytest.mark.parametrize("status", [b"417 Expectation Failed", b"200 OK"])
    def test_the_final_response_comes_instead(self, talk: Talk, status: bytes) -> None:
        rest: list[bytes] = []

        def say(wire: Wire) -> None:
            wire.send(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nno")
            rest.append(wire.sock.recv(1))

        conn = talk(expecting(say, []), says(response(b"next")))
        answer = conn.getresponse(conn.request("PUT", "/", b"body", EXPECT))
        assert answer.will_close
        assert answer.read() == b"no"
        assert conn.getresponse(conn.request("GET", "/")).read() == b"next"
        conn.server.threads[0].join(10)
        assert rest == [b""]

    def test_a_body_that_comes_by_send_waits_too(self, talk: Talk) -> None:
        def say(wire: Wire) -> None:
            wire.sock.settimeout(0.1)
            with pytest.raises(TimeoutError):
                wire.sock.recv(1)
            wire.sock.settimeout(10)
            wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            wire.until(b"4\r\nbody\r\n0\r\n\r\n")
            wire.send(response(b"done"))

        conn = talk(expecting(say, []))
        stream_id = conn.request("PUT", "/", headers=EXPECT, end_stream=False)
        conn.send(b"body", stream_id)
        conn.end(stream_id)
        assert conn.getresponse(stream_id).read() == b"done"

    def test_after_a_refusal_what_is_sent_goes_nowhere(self, talk: Talk) -> None:
        rest: list[bytes] = []

        def say(wire: Wire) -> None:
            wire.send(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno")
            rest.append(wire.sock.recv(1))

        conn = talk(expecting(say, []))
        stream_id = conn.request("PUT", "/", headers=EXPECT, end_stream=False)
        conn.send(b"body", stream_id)
        conn.end(stream_id)
        assert conn.getresponse(stream_id).read() == b"no"
        conn.server.threads[0].join(10)
        assert rest == [b""]

    def test_the_server_knows_nothing_of_it(self, talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(request_writer, "EXPECT_WAIT", 0.05)
        conn = talk(records([], b"body"))
        assert conn.getresponse(conn.request("PUT", "/", b"body", EXPECT)).read() == b"done"

    def test_the_deadline_holds(self, talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(request_writer, "EXPECT_WAIT", 60.0)
        conn = talk(says(close=False))
        start = time.monotonic()
        with pytest.raises(hyperlite.RequestTimeout):
            conn.getresponse(conn.request("PUT", "/", b"body", EXPECT, deadline=0.1))
        assert time.monotonic() - start < 30


class TestRefused:
    """The server answers while the body is sent."""

    SIZE = 10_000_000

    @pytest.mark.parametrize("body", ["bytes", "iterable"])
    @pytest.mark.parametrize("close", [True, False])
    def test_the_rest_is_not_sent(self, talk: Talk, close: bool, body: str) -> None:
        refusal = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig"

        def script(wire: Wire) -> None:
            wire.head()
            wire.send(refusal)
            if not close:
                wire.over.wait(10)

        conn = talk(script, says(response(b"next")))
        data: Any = (
            b"x" * self.SIZE if body == "bytes" else (b"x" * 100_000 for _ in range(self.SIZE // 100_000))
        )
        if close:
            try:
                answer = conn.getresponse(conn.request("POST", "/", data))
            except OSError:
                return  # the reset has overtaken the answer
        else:
            answer = conn.getresponse(conn.request("POST", "/", data))
        assert (answer.status, answer.read()) == (413, b"big")
        assert conn.getresponse(conn.request("GET", "/")).read() == b"next"

    def test_what_is_no_refusal_does_not_stop_it(self, talk: Talk) -> None:
        def script(wire: Wire) -> None:
            wire.head()
            wire.send(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
            assert len(wire.read(self.SIZE)) == self.SIZE
            wire.send(b"done")

        conn = talk(script)
        answer = conn.getresponse(conn.request("POST", "/", b"x" * self.SIZE))
        assert answer.read() == b"done"
        assert [status for status, _ in answer.informational] == [102]


@pytest.mark.parametrize("scheme", ["http", "HTTPS"])
def test_host_is_that_of_an_absolute_target_without_credentials(talk: Talk, scheme: str) -> None:
    seen: list[bytes] = []
    conn = talk(records(seen, b"\r\n\r\n"))
    stream_id = conn.request("GET", f"{scheme}://user:secret@other.example:81/")
    assert conn.getresponse(stream_id).read() == b"done"
    assert seen[0].lower().count(b"\r\nhost: ") == 1
    assert fields(seen[0])["host"] == "other.example:81"
