"""HTTP20Connection's putrequest(), putheader(), endheaders() and send(): requests in http.client's steps."""

import http.client
import io
import json
import operator
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import hyperlite
from hyperlite.testing.server import Server
from tests.conftest import ROUTES, Connect, Serve, report
from tests.inside import pending_of, transport_of
from tests.peer import Task

CONN = hyperlite.HTTP20Connection
CHUNKED = ("Transfer-Encoding", "chunked")

# What belongs to one HTTP/1.1 connection and is not shown on HTTP/2.
OF_THE_CONNECTION = {"host", "transfer-encoding", "connection"}


def put(
    conn: Any, *fields: tuple[Any, ...], method: str = "POST", url: str = "/report", **skips: bool
) -> Any:
    conn.putrequest(method, url, **skips)
    for field in fields:
        conn.putheader(*field)
    return conn.endheaders()


def end(conn: Any, body: Any, *fields: tuple[Any, ...], encode_chunked: bool = False) -> Any:
    conn.putrequest("POST", "/report")
    for field in fields:
        conn.putheader(*field)
    return conn.endheaders(body, encode_chunked=encode_chunked)


def put_and_send(conn: Any, *pieces: Any, **options: Any) -> Any:
    length = sum(len(piece) for piece in pieces)
    stream_id = put(conn, ("Content-Length", length), **options)
    for piece in pieces:
        conn.send(piece)
    return stream_id


def chunks_by_hand(conn: Any) -> Any:
    stream_id = put(conn, CHUNKED)
    for piece in (b"2\r\nhe\r\n3", b"\r\nllo\r", b"\n0\r\n", b"\r\n"):
        conn.send(piece)
    return stream_id


STEPS: dict[str, Callable[[Any], Any]] = {
    "a GET": lambda conn: put(conn, method="GET"),
    "no URL": lambda conn: put(conn, method="GET", url=""),
    "no Accept-Encoding": lambda conn: put(conn, method="GET", skip_accept_encoding=True),
    "another Accept-Encoding": lambda conn: put(
        conn, ("Accept-Encoding", "gzip"), method="GET", skip_accept_encoding=True
    ),
    "two Accept-Encodings": lambda conn: put(conn, ("Accept-Encoding", "gzip"), method="GET"),
    "another Host": lambda conn: put(conn, ("Host", "other.test"), method="GET", skip_host=True),
    "skips by position": lambda conn: (
        conn.putrequest("GET", "/report", True, True),
        conn.putheader("Host", "other.test"),
        conn.endheaders(),
    )[-1],
    "an absolute URL": lambda conn: put(conn, method="GET", url="http://other.test/report?a"),
    "values": lambda conn: put(
        conn,
        ("X-Int", 17),
        ("X-Buffer", bytearray(b"c")),
        ("x-bytes", b"a\xff"),
        (b"X-Name", "b"),
        ("X-Nothing",),
        ("X-Twice", "a"),
        ("X-Twice", "b"),
    ),
    "no body": put,
    "an empty body": lambda conn: put(conn, ("Content-Length", "0")),
    "endheaders(body)": lambda conn: end(conn, b"hello", ("Content-Length", "5")),
    "endheaders(file)": lambda conn: end(conn, io.BytesIO(b"hello"), ("Content-Length", "5")),
    "endheaders(iterable)": lambda conn: end(conn, [b"he", b"llo"], ("Content-Length", "5")),
    "send": lambda conn: put_and_send(conn, b"hello"),
    "send twice": lambda conn: put_and_send(conn, b"he", b"llo"),
    "send much": lambda conn: put_and_send(conn, b"x" * 100_000, b"y" * 100_000),
    "send(file)": lambda conn: (put(conn, ("Content-Length", "5")), conn.send(io.BytesIO(b"hello")))[0],
    "endheaders(beginning), send(rest)": lambda conn: (
        end(conn, b"he", ("Content-Length", "5")),
        conn.send(b"llo"),
    )[0],
    "chunks by hand": chunks_by_hand,
    "chunks by hand, all in endheaders": lambda conn: end(conn, b"5\r\nhello\r\n0\r\n\r\n", CHUNKED),
    "chunks by hand, the first in endheaders": lambda conn: (
        end(conn, b"2\r\nhe\r\n", CHUNKED),
        conn.send(b"3\r\nllo\r\n0\r\n\r\n"),
    )[0],
    "chunks by hand, an iterable": lambda conn: end(conn, iter([b"5\r\nhello\r\n", b"0\r\n\r\n"]), CHUNKED),
    "encode_chunked": lambda conn: end(conn, b"hello", CHUNKED, encode_chunked=True),
    "encode_chunked, an iterable": lambda conn: end(conn, [b"he", b"", b"llo"], CHUNKED, encode_chunked=True),
    "encode_chunked, no body yet": lambda conn: (
        end(conn, None, CHUNKED, encode_chunked=True),
        conn.send(b"5\r\nhello\r\n0\r\n\r\n"),
    )[0],
    "trailers by hand": lambda conn: end(conn, b"5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n", CHUNKED),
}


def seen(response: http.client.HTTPResponse) -> dict[str, Any]:
    """Return what the server says that it has seen."""
    found: dict[str, Any] = json.loads(response.read())
    fields = [(name.lower(), value) for name, value in found["headers"]]
    # The order of those with the same name is kept.
    found["headers"] = sorted(
        [field for field in fields if field[0] not in OF_THE_CONNECTION], key=operator.itemgetter(0)
    )
    return found


# The target of an absolute URL is not taken apart on HTTP/1.1.
SITE = {**ROUTES, "/": report, "http://other.test/report": report}


@pytest.fixture(scope="module", params=["h2", "http/1.1"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server for all tests here, by either protocol."""
    with Server(SITE, alpn=(request.param,)) as server:
        yield server


@pytest.fixture(scope="module")
def reference() -> Iterator[http.client.HTTPSConnection]:
    """http.client's own, to a server that speaks HTTP/1.1."""
    with Server(SITE, alpn=("http/1.1",)) as server:
        conn = http.client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=10)
        yield conn
        conn.close()


@pytest.mark.parametrize("name", STEPS)
def test_the_server_sees_what_http_client_sends(
    conn: CONN, reference: http.client.HTTPSConnection, name: str
) -> None:
    STEPS[name](reference)
    expected = seen(reference.getresponse())
    stream_id = STEPS[name](conn)
    found = seen(conn.getresponse(stream_id))
    if expected["authority"] == f"localhost:{reference.port}":
        expected["authority"] = f"localhost:{conn.port}"
    expected["target"] = expected["target"].removeprefix(
        "http://other.test" if transport_of(conn).protocol == "h2" else ""
    )
    assert found == expected


class TestIds:
    def test_the_response_is_that_of_the_id(self, conn: CONN) -> None:
        ids = [put(conn, method="GET", url=f"/sized?n={n}") for n in range(3)]
        assert ids == [1, 3, 5]
        for n in (2, 0, 1):
            assert len(conn.getresponse(ids[n]).read()) == n

    def test_without_an_id_it_is_the_oldest(self, conn: CONN) -> None:
        put(conn, method="GET", url="/sized?n=1")
        conn.request("GET", "/sized?n=2")
        put(conn, method="GET", url="/sized?n=3")
        assert [len(conn.getresponse().read()) for _ in range(3)] == [1, 2, 3]

    def test_send_takes_the_id(self, h2: CONN) -> None:
        first = put(h2, ("Content-Length", "3"))
        second = put(h2, ("Content-Length", "3"))
        h2.send(b"a", first)
        h2.send(b"bc")  # the latest
        h2.send(b"ab", first)
        h2.send(b"d", second)
        assert [seen(h2.getresponse(one))["body"] for one in (first, second)] == ["aab", "bcd"]

    def test_both_directions_at_once(self, h2: CONN) -> None:
        stream_id = put(h2, ("Content-Length", "6"), url="/echo")
        response = h2.getresponse(stream_id)
        for piece in (b"one", b"two"):
            h2.send(piece, stream_id)
            assert response.read1() == piece
        assert response.read() == b""

    def test_a_complete_body_takes_no_more(self, conn: CONN) -> None:
        stream_id = put_and_send(conn, b"hello")
        for call in (conn.send, conn.end):
            with pytest.raises(http.client.CannotSendRequest, match=f"id {stream_id} takes more"):
                call(*((b"x", stream_id) if call == conn.send else (stream_id,)))
        assert seen(conn.getresponse(stream_id))["body"] == "hello"

    def test_an_announced_body_is_ended_early_in_no_way(self, conn: CONN) -> None:
        stream_id = put(conn, ("Content-Length", "2"))
        with pytest.raises(http.client.CannotSendRequest, match="2 bytes of its content-length missing"):
            conn.end(stream_id)
        with pytest.raises(http.client.CannotSendRequest, match="content-length"):
            conn.send(b"abc", stream_id)
        conn.send(b"ab", stream_id)
        assert seen(conn.getresponse(stream_id))["body"] == "ab"

    def test_chunks_are_ended_by_the_last_one_alone(self, conn: CONN) -> None:
        stream_id = put(conn, CHUNKED)
        conn.send(b"1\r\na\r\n")
        with pytest.raises(http.client.CannotSendRequest, match="the last chunk is missing"):
            conn.end(stream_id)
        for nonsense in (b"1\r\nb\r\nxyz\r\n", b"1\r\nbcd\r\n", b"1\r\nb\r\n0\r\n\r\nmore"):
            with pytest.raises(ValueError, match="chunk"):
                conn.send(nonsense, stream_id)  # of which nothing is taken
        conn.send(b"1\r\nc\r\n0\r\n\r\n", stream_id)
        assert seen(conn.getresponse(stream_id))["body"] == "ac"

    def test_expect_continue(self, conn: CONN) -> None:
        stream_id = put(conn, ("Expect", "100-continue"), ("Content-Length", "5"))
        conn.send(b"hello")
        assert seen(conn.getresponse(stream_id))["body"] == "hello"


class TestOrder:
    @pytest.mark.parametrize("call", ["putheader", "endheaders"])
    def test_nothing_was_begun(self, conn: CONN, call: str) -> None:
        def attempt() -> None:
            with pytest.raises(http.client.CannotSendHeader):
                conn.putheader("X", "y") if call == "putheader" else conn.endheaders()

        attempt()
        stream_id = put(conn, method="GET")
        attempt()
        assert conn.getresponse(stream_id).status == 200

    @pytest.mark.parametrize(
        "call",
        [
            lambda conn: conn.putrequest("GET", "/other"),
            lambda conn: conn.request("GET", "/other"),
            lambda conn: conn.request_many([("GET", "/other")]),
            lambda conn: conn.send(b"x"),
            lambda conn: conn.end(),
        ],
        ids=["putrequest", "request", "request_many", "send", "end"],
    )
    def test_a_request_was_begun(self, conn: CONN, call: Callable[[CONN], Any]) -> None:
        conn.putrequest("GET", "/report")
        conn.putheader("X-A", "1")
        with pytest.raises(http.client.CannotSendRequest, match="putrequest"):
            call(conn)
        with pytest.raises(http.client.ResponseNotReady):
            conn.getresponse()
        request = seen(conn.getresponse(conn.endheaders()))
        assert (request["target"], ("x-a", "1") in request["headers"]) == ("/report", True)

    def test_send_is_not_for_an_older_request(self, conn: CONN) -> None:
        """The latest request of the thread is the one whose head is not complete."""
        older = conn.request("POST", "/report", end_stream=False)
        conn.putrequest("POST", "/report")
        with pytest.raises(http.client.CannotSendRequest, match="endheaders"):
            conn.send(b"x")
        conn.send(b"y", older)
        conn.end(older)
        conn.cancel()
        assert seen(conn.getresponse(older))["body"] == "y"

    @pytest.mark.parametrize("way_out", ["cancel", "close"])
    def test_what_was_begun_is_dropped(self, conn: CONN, way_out: str) -> None:
        conn.putrequest("GET", "/report")
        conn.putheader("X-A", "1")
        getattr(conn, way_out)()
        with pytest.raises(http.client.CannotSendHeader):
            conn.endheaders()
        conn.cancel()  # there is nothing to be dropped
        request = seen(conn.getresponse(put(conn, method="GET")))
        assert "x-a" not in dict(request["headers"])

    def test_nothing_is_sent_before_endheaders(self, serve: Serve, connect: Connect) -> None:
        server = serve()
        conn = connect(server)
        conn.putrequest("GET", "/report")
        conn.putheader("X-A", "1")
        assert conn.sock is None
        conn.endheaders()
        assert conn.getresponse().status == 200
        assert len(server.log) == 1

    def test_a_thread_that_has_ended_leaves_nothing_behind(self, conn: CONN) -> None:
        """The identifiers of threads are used again."""
        Task(conn.putrequest, "GET", "/report").result()
        for _ in range(3):
            assert Task(conn.request, "GET", "/").result()
        conn.close()


class TestValidation:
    @pytest.mark.parametrize(
        ("method", "url", "error"),
        [
            ("A B", "/", ValueError),
            ("", "/", ValueError),
            ("GET", "/a b", http.client.InvalidURL),
            ("GET", "/\n", http.client.InvalidURL),
            ("GET", "/\u20ac", UnicodeEncodeError),
            ("GET", "http://a@b@c/", http.client.InvalidURL),
        ],
    )
    def test_nothing_is_begun(self, conn: CONN, method: str, url: str, error: type[Exception]) -> None:
        with pytest.raises(error):
            conn.putrequest(method, url)
        assert conn.getresponse(put(conn, method="GET")).status == 200

    @pytest.mark.parametrize(
        ("field", "error"),
        [
            (("X Y", "a"), "X Y"),
            (("", "a"), "Invalid header name"),
            (("X-A", "a\nb"), "a.*b"),
            (("X-A", "a", b"b\0"), "b"),
            (("X-A", None), "NoneType"),
            (("X-A", 1.5), "float"),
            (("Host", "other.test"), "skip_host"),
            (("Content-Length", "five"), "five"),
            (("Content-Length", "-1"), "-1"),
            (("Content-Length", 6), "contradict"),
            (CHUNKED, "content-length and chunks"),
            (("Transfer-Encoding", "gzip"), "gzip"),
        ],
    )
    def test_a_field_that_may_not_be_sent_leaves_the_request_as_it_was(
        self, conn: CONN, field: tuple[Any, ...], error: str
    ) -> None:
        conn.putrequest("POST", "/report")
        conn.putheader("X-Before", "1")
        conn.putheader("Content-Length", "5")
        with pytest.raises((ValueError, TypeError), match=error):
            conn.putheader(*field)
        conn.putheader("Content-Length", 5)  # as it was put before
        conn.putheader("X-Behind", "2")
        request = seen(conn.getresponse(conn.endheaders(b"hello")))
        names = [name for name, _ in request["headers"]]
        assert sorted(names) == ["accept-encoding", "content-length", "x-before", "x-behind"]

    def test_two_hosts(self, conn: CONN) -> None:
        conn.putrequest("GET", "/report", skip_host=True)
        conn.putheader("Host", "one.test")
        with pytest.raises(ValueError, match="second Host"):
            conn.putheader("Host", "two.test")
        assert seen(conn.getresponse(conn.endheaders()))["authority"] == "one.test"

    def test_no_host(self, conn: CONN) -> None:
        """A request names one on either protocol."""
        stream_id = put(conn, method="GET", skip_host=True)
        assert seen(conn.getresponse(stream_id))["authority"] == f"localhost:{conn.port}"

    @pytest.mark.parametrize(
        ("fields", "body", "error"),
        [
            ([("Content-Length", "4")], b"hello", http.client.CannotSendRequest),
            ([CHUNKED], b"hello\r\n", ValueError),
            ([CHUNKED], b"5\r\nhello\r\n0\r\n\r\nmore", ValueError),
            ([], 5, TypeError),
            ([], "\u20ac", UnicodeEncodeError),
        ],
    )
    def test_a_body_in_memory_that_may_not_be_sent(
        self, conn: CONN, fields: list[tuple[str, str]], body: Any, error: type[Exception]
    ) -> None:
        conn.putrequest("POST", "/report")
        for field in fields:
            conn.putheader(*field)
        with pytest.raises(error):
            conn.endheaders(body)
        stream_id = conn.endheaders(
            b"3\r\nabc\r\n0\r\n\r\n" if CHUNKED in fields else b"abcd"[: 4 if fields else 3]
        )
        assert seen(conn.getresponse(stream_id))["body"] in ("abc", "abcd")

    @pytest.mark.parametrize("length", [None, "9"])
    def test_a_body_that_fails_while_it_is_sent(self, conn: CONN, length: str | None) -> None:
        """The request is over: its caller has no id for it."""

        def failing() -> Iterator[bytes]:
            yield b"some"
            raise LookupError("no more")

        conn.getresponse(put(conn, method="GET")).read()
        conn.putrequest("POST", "/report")
        if length:
            conn.putheader("Content-Length", length)
        with pytest.raises(LookupError):
            conn.endheaders(failing())
        assert not pending_of(conn).requests
        assert seen(conn.getresponse(put(conn, method="GET")))["method"] == "GET"

    @pytest.mark.parametrize("body", [b"hello", [b"he", b"llo"], None])
    def test_a_body_that_was_not_announced_is_whole(self, conn: CONN, body: Any) -> None:
        stream_id = end(conn, body)
        with pytest.raises(http.client.CannotSendRequest, match="takes more"):
            conn.send(b"x", stream_id)
        request = seen(conn.getresponse(stream_id))
        assert request["body"] == ("" if body is None else "hello")
        assert dict(request["headers"]).get("content-length") == ("5" if body == b"hello" else None)

    def test_a_connection_that_cannot_be_opened_ends_the_request(self) -> None:
        conn = hyperlite.HTTP20Connection("localhost", 1, timeout=5)
        for _ in range(2):
            conn.putrequest("GET", "/")
            with pytest.raises(ConnectionError):
                conn.endheaders()
            with pytest.raises(http.client.CannotSendHeader):
                conn.endheaders()
        conn.close()


def test_threads_take_turns_at_each_step(conn: CONN) -> None:
    """Requests that several threads put together at the same time do not mix."""
    number = 4
    barrier = threading.Barrier(number, timeout=10)

    def work(mine: int) -> dict[str, Any]:
        for _ in range(3):
            barrier.wait()
            conn.putrequest("POST", f"/report?{mine}")
            barrier.wait()
            conn.putheader("X-Mine", mine)
            conn.putheader("Content-Length", 2)
            barrier.wait()
            stream_id = conn.endheaders()
            conn.send(b"%d" % mine)
            conn.send(b"%d" % mine, stream_id)
            request = seen(conn.getresponse())
        return request

    for mine, task in enumerate([Task(work, mine) for mine in range(number)]):
        request = task.result()
        assert (request["target"], request["body"]) == (f"/report?{mine}", f"{mine}" * 2)
        assert dict(request["headers"])["x-mine"] == f"{mine}"


def test_threads_have_bodies_open_at_once(h2: CONN) -> None:
    """On HTTP/2 none waits for another's body."""
    barrier = threading.Barrier(3, timeout=10)

    def work(mine: int) -> str:
        stream_id = put(h2, ("Content-Length", 6))
        for _ in range(3):
            barrier.wait()
            h2.send(b"%d%d" % (mine, mine))
        return str(seen(h2.getresponse(stream_id))["body"])

    tasks = [Task(work, mine) for mine in range(3)]
    assert [task.result() for task in tasks] == [f"{mine}" * 6 for mine in range(3)]
