"""HTTP20Response: http.client's own, wherever its bytes come from; on HTTP/2 and on HTTP/1.1 alike."""

import http.client
import io
from typing import Any

import pytest

import hyperlite
from hyperlite.testing.server import Exchange, Response, streaming
from tests.conftest import Connect, Serve

BODY = b"".join(b"line %05d\n" % number for number in range(5000))


def pieces() -> Any:
    return (BODY[start : start + 1000] for start in range(0, len(BODY), 1000))


ROUTES = {
    "/length": lambda _: Response(body=BODY),
    "/chunked": lambda _: Response(body=pieces()),
    "/empty": lambda _: Response(),
}


@pytest.fixture(params=["h2", "http/1.1"])
def conn(request: pytest.FixtureRequest, serve: Serve, connect: Connect) -> hyperlite.HTTP20Connection:
    return connect(serve(routes=ROUTES, alpn=(request.param,)))


@pytest.fixture(params=["/length", "/chunked"])
def response(request: pytest.FixtureRequest, conn: hyperlite.HTTP20Connection) -> hyperlite.HTTP20Response:
    return conn.getresponse(conn.request("GET", request.param))


def ended(response: hyperlite.HTTP20Response) -> bool:
    return response.isclosed() and response.fp is None


def test_read_all(response: hyperlite.HTTP20Response) -> None:
    assert response.read() == BODY
    assert ended(response)
    assert response.read() == b""
    assert response.read(10) == b""


def test_a_patched_read_is_called(
    response: hyperlite.HTTP20Response, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A complete body needs nothing of http.client; a program that replaced a method has it called."""
    read = http.client.HTTPResponse.read
    monkeypatch.setattr(http.client.HTTPResponse, "read", lambda *args: b"<" + read(*args) + b">")
    assert response.read() == b"<" + BODY + b">"


def test_fp_can_be_taken_away(response: hyperlite.HTTP20Response) -> None:
    """As urllib.request's, and others that go on with the file alone, do."""
    file, response.fp = response.fp, None
    assert response.isclosed()
    assert response.read() == b""
    assert file.read(5) == BODY[:5]


def test_read_in_pieces(response: hyperlite.HTTP20Response) -> None:
    read = b""
    while piece := response.read(777):
        read += piece
        assert len(piece) == 777 or len(read) == len(BODY)
    assert read == BODY
    assert ended(response)


def test_read_nothing(response: hyperlite.HTTP20Response) -> None:
    assert response.read(0) == b""
    assert not response.isclosed()
    assert response.read() == BODY


def test_readinto(response: hyperlite.HTTP20Response) -> None:
    buffer, read = bytearray(1234), b""
    while count := response.readinto(buffer):
        read += buffer[:count]
    assert read == BODY
    assert ended(response)


def test_read1(response: hyperlite.HTTP20Response) -> None:
    read = b""
    while piece := response.read1(500):
        assert len(piece) <= 500
        read += piece
    assert read == BODY


def test_read1_without_a_limit(response: hyperlite.HTTP20Response) -> None:
    read = b""
    while piece := response.read1():
        read += piece
    assert read == BODY


def test_peek(response: hyperlite.HTTP20Response) -> None:
    ahead = response.peek(20)
    assert ahead
    assert response.peek(20) == ahead
    assert response.read(5) == ahead[:5]
    assert response.peek(20) == ahead[5:] or response.peek(20).startswith(b"00000")
    assert response.read() == BODY[5:]


def test_readline(response: hyperlite.HTTP20Response) -> None:
    assert response.readline() == b"line 00000\n"
    assert response.readline(4) == b"line"
    assert response.readline() == b" 00001\n"
    assert response.read() == BODY[22:]


def test_iteration(response: hyperlite.HTTP20Response) -> None:
    assert list(response) == BODY.splitlines(keepends=True)


def test_text_wrapper(response: hyperlite.HTTP20Response) -> None:
    with io.TextIOWrapper(response, "ascii") as text:
        assert text.readline() == "line 00000\n"
        assert text.read() == BODY[11:].decode()


def test_what_callers_ask_for(response: hyperlite.HTTP20Response) -> None:
    assert (response.status, response.code, response.getcode()) == (200, 200, 200)
    assert response.reason == "OK"
    assert response.msg is response.headers
    assert response.info() is response.headers
    assert isinstance(response.headers, http.client.HTTPMessage)
    assert response.getheader("no-such", "default") == "default"
    assert response._method == "GET"
    assert not response.will_close
    assert response.readable()
    assert isinstance(response.fileno(), int)
    assert f"200 OK, HTTP/{'2' if response.version == 20 else '1.1'}" in repr(response)


def test_length(conn: hyperlite.HTTP20Connection) -> None:
    response = conn.getresponse(conn.request("GET", "/length"))
    assert response.length == len(BODY)
    response.read(100)
    assert response.length == len(BODY) - 100
    response.read()
    assert response.length == 0


def test_empty_body(conn: hyperlite.HTTP20Connection) -> None:
    response = conn.getresponse(conn.request("GET", "/empty"))
    assert response.read() == b""
    assert ended(response)


def test_attributes_can_be_assigned(response: hyperlite.HTTP20Response) -> None:
    response.url = "https://example.org/"
    assert response.geturl() == "https://example.org/"
    response.msg = response.reason  # as urllib.request does
    assert response.msg == "OK"
    assert isinstance(response.headers, http.client.HTTPMessage)
    response.headers = response.headers
    response.anything = 1


def test_context_manager(response: hyperlite.HTTP20Response) -> None:
    with response as same:
        assert same.read(4) == b"line"
    assert response.closed
    assert response.read() == response.readline() == b""  # as http.client: no error


def test_url_is_there_only_when_set(response: hyperlite.HTTP20Response) -> None:
    with pytest.raises(AttributeError):
        response.geturl()


def test_trailers_after_a_body_of_known_length(serve: Serve, connect: Connect) -> None:
    @streaming
    def handler(exchange: Exchange) -> None:
        exchange.start(200, [("content-length", "4")])
        exchange.send(b"body")
        exchange.end(trailers=[("x-checksum", "ok")])

    conn = connect(serve(routes={"/": handler}))
    response = conn.getresponse(conn.request("GET", "/"))
    assert response.read(4) == b"body"
    assert response.trailers["x-checksum"] == "ok"


class TestBufferedOnHTTP11:
    """A response that lies before another one's turn is read into memory."""

    @pytest.fixture
    def conn(self, serve: Serve, connect: Connect) -> hyperlite.HTTP20Connection:
        @streaming
        def truncated(exchange: Exchange) -> None:
            exchange.start(200, [("content-length", "100")])
            exchange.send(b"only this")
            exchange.reset(2)

        @streaming
        def broken(exchange: Exchange) -> None:
            exchange.start(200, [])
            exchange.send(b"one chunk")
            exchange.reset(2)

        return connect(serve(routes={**ROUTES, "/truncated": truncated, "/broken": broken}, alpn=()))

    def first_of_two(self, conn: hyperlite.HTTP20Connection, target: str) -> hyperlite.HTTP20Response:
        """Return the response to `target` after the one behind it was read."""
        first, second = conn.request("GET", target), conn.request("GET", "/length")
        response = conn.getresponse(first)
        assert conn.getresponse(second).read() == BODY
        return response

    @pytest.mark.parametrize("target", ["/length", "/chunked"])
    def test_it_reads_as_before(self, conn: hyperlite.HTTP20Connection, target: str) -> None:
        response = self.first_of_two(conn, target)
        assert response.peek(4)[:4] == b"line"
        assert response.readline() == b"line 00000\n"
        buffer = bytearray(11)
        assert response.readinto(buffer) == 11
        assert buffer == b"line 00001\n"
        assert response.read1(11) == b"line 00002\n"
        assert response.read(11) == b"line 00003\n"
        assert response.read() == BODY[44:]
        assert ended(response)

    @pytest.mark.parametrize(("target", "partial"), [("/truncated", b"only this"), ("/broken", b"one chunk")])
    def test_its_error_is_kept(self, conn: hyperlite.HTTP20Connection, target: str, partial: bytes) -> None:
        response = self.first_of_two(conn, target)
        assert response.read(len(partial)) == partial
        with pytest.raises(http.client.IncompleteRead):
            response.read()

    @pytest.mark.parametrize("method", ["read1", "readline", "read"])
    def test_its_error_ends_each_way_of_reading(self, conn: hyperlite.HTTP20Connection, method: str) -> None:
        response = self.first_of_two(conn, "/broken")
        assert getattr(response, method)(4) == b"one "
        with pytest.raises(http.client.IncompleteRead) as caught:
            while getattr(response, method)(100):
                pass
        assert caught.value.partial == (b"" if method == "read1" else b"chunk")
        with pytest.raises(http.client.IncompleteRead):
            getattr(response, method)(100)
        with pytest.raises(http.client.IncompleteRead):
            response.readinto(bytearray(10))
