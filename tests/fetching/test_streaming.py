"""A streamed body as it comes: whatever the server has sent is there before the server goes on.

The server waits with each piece until the test has got the one before.  So a reader that waits for more than
one piece gets nothing at all, and fails by its timeout.
"""

import gzip
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

try:
    import brotli
except ImportError:
    brotli = None

from hyperlite import BodyTooLarge, ConnectionPool, DecodingError, FetchResponse, HTTP2Error, ServerSentEvent
from hyperlite.fetching import decoding
from hyperlite.testing.server import Exchange, Response, Server, streaming
from tests.conftest import MakePool, Serve
from tests.listener import Listener

PATIENCE = 10.0
EVENTS = [b"data: first\n\n", b"data: second\nid: 2\n\n", b": nothing\n\ndata: third\n\n"]


def flushing(compress: Callable[[bytes], bytes], flush: Callable[[], bytes]) -> Callable[[bytes], bytes]:
    return lambda data: compress(data) + flush()


def zlib_packer(bits: int) -> Callable[[bytes], bytes]:
    packer = zlib.compressobj(wbits=bits)
    return flushing(packer.compress, lambda: packer.flush(zlib.Z_SYNC_FLUSH))


def brotli_packer() -> Callable[[bytes], bytes]:
    packer = brotli.Compressor()
    return flushing(packer.process, packer.flush)


def zstd_packer() -> Callable[[bytes], bytes]:
    packer = decoding._zstd().ZstdCompressor()
    return lambda data: packer.compress(data, packer.FLUSH_BLOCK)


PACKERS: dict[str, Callable[[], Callable[[bytes], bytes]]] = {
    "identity": lambda: lambda data: data,
    "gzip": lambda: zlib_packer(31),
    "deflate": lambda: zlib_packer(15),
}
if brotli is not None:
    PACKERS["br"] = brotli_packer
if decoding._zstd():
    PACKERS["zstd"] = zstd_packer


class Conversation:
    """A handler that sends one piece, and the next when the test has got that."""

    def __init__(self, pieces: list[bytes], coding: str = "identity", *, sized: bool = False) -> None:
        self._pieces = [*map(PACKERS[coding](), pieces)]
        self._coding = coding
        self._sized = sized
        self._got = threading.Semaphore(0)
        self.over = threading.Event()

    def got(self) -> None:
        """Let the server go on."""
        self._got.release()

    def give_up(self) -> None:
        """Let the server go on to its end."""
        self._got.release(1000)

    @property
    def handler(self) -> Any:
        return streaming(self._conduct)

    def _conduct(self, exchange: Exchange) -> None:
        headers = [("content-type", "text/event-stream"), ("content-encoding", self._coding)]
        if self._sized:
            headers.append(("content-length", str(sum(map(len, self._pieces)))))
        exchange.start(200, headers)
        for piece in self._pieces:
            exchange.send(piece)
            if not self._got.acquire(timeout=PATIENCE):
                raise TimeoutError("the client has not got the piece")
        self.over.set()
        exchange.end()  # whether the coding has come to its end or not


def in_steps(items: Iterator[Any], conversation: Conversation) -> Iterator[Any]:
    """Yield the items, each before the server sends more."""
    for item in items:
        yield item
        conversation.got()


@pytest.fixture(params=[("h2", "http/1.1"), ("http/1.1",)], ids=["h2", "http1"])
def alpn(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return request.param


@pytest.mark.parametrize("coding", PACKERS)
def test_each_piece_is_there_at_once(
    pool: ConnectionPool, serve: Serve, alpn: tuple[str, ...], coding: str
) -> None:
    conversation = Conversation(EVENTS, coding)
    server = serve(routes={"/": conversation.handler}, alpn=alpn)
    with pool.fetch(server.url("/"), stream=True) as response:
        pieces = in_steps(iter(response), conversation)
        assert [next(pieces) for _ in EVENTS] == EVENTS
        if coding == "identity":
            assert list(pieces) == []
        else:  # it was never ended: what came is there, and the end is an error
            with pytest.raises(DecodingError, match="ends before its coding"):
                list(pieces)
    assert conversation.over.wait(PATIENCE)


@pytest.mark.parametrize("sized", [False, True], ids=["unsized", "sized"])
@pytest.mark.parametrize("secure", [False, True], ids=["cleartext", "tls"])
@pytest.mark.parametrize(
    "read",
    [
        FetchResponse.read1,
        lambda response: response.read1(1000),
        lambda response: response.read(10),
        FetchResponse.readline,
    ],
    ids=["read1", "read1(1000)", "read", "readline"],
)
def test_each_way_to_read_is_live(
    pool: ConnectionPool,
    serve: Serve,
    alpn: tuple[str, ...],
    sized: bool,
    secure: bool,
    read: Callable[[FetchResponse], bytes],
) -> None:
    """On HTTP/1.1 with chunks and with a length."""
    lines = [b"line %04d\n" % number for number in range(5)]
    conversation = Conversation(lines, sized=sized)
    server = serve(routes={"/": conversation.handler}, alpn=alpn, secure=secure)
    protocols = ("h2",) if not secure and "h2" in alpn else None
    with pool.fetch(server.url("/"), stream=True, protocols=protocols) as response:
        got = []
        for _ in lines[:-1]:
            got.append(read(response))
            conversation.got()
        conversation.got()  # on HTTP/2 the last byte of a known length comes with the end, which confirms it
        assert got == lines[:-1]
        assert read(response)
        assert response.read() in (b"", b"\n")
        assert read(response) == read(response) == b""


class UntilClose(Listener):
    """Answers on HTTP/1.1 with a body that ends with the connection."""

    def __init__(self) -> None:
        super().__init__()
        self.got = threading.Semaphore(0)

    def serve(self, sock: socket.socket) -> None:
        while b"\r\n\r\n" not in sock.recv(65536):
            pass
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for event in EVENTS:
            sock.sendall(event)
            if not self.got.acquire(timeout=PATIENCE):
                return
        sock.shutdown(socket.SHUT_WR)


def test_a_body_that_ends_with_the_connection_is_live(pool: ConnectionPool) -> None:
    with UntilClose() as server, pool.fetch(f"http://127.0.0.1:{server.port}/", stream=True) as response:
        got = []
        for piece in response:
            got.append(piece)
            server.got.release()
        assert got == EVENTS


def test_an_endless_stream_of_events(pool: ConnectionPool, serve: Serve, alpn: tuple[str, ...]) -> None:
    conversation = Conversation([b"id: %d\ndata: %d\n\n" % (n, n) for n in range(100)], "gzip")
    server = serve(routes={"/": conversation.handler}, alpn=alpn)
    with pool.fetch(server.url("/"), stream=True) as response:
        events = in_steps(response.iter_events(), conversation)
        assert [next(events) for _ in range(50)] == [
            ServerSentEvent(data=str(n), id=str(n)) for n in range(50)
        ]
        conversation.got()
        assert next(response.iter_events()).data == "50", "another iteration goes on"
    conversation.give_up()


def test_lines_are_there_at_once(pool: ConnectionPool, serve: Serve, alpn: tuple[str, ...]) -> None:
    """Also one that ends in a carriage return, whose newline may follow."""
    conversation = Conversation([b"one\r", b"\ntwo\n", b"three\r\nfour", b"\r", b"five"])
    server = serve(routes={"/": conversation.handler}, alpn=alpn)
    with pool.fetch(server.url("/"), stream=True) as response:
        lines = response.iter_lines()
        got = []
        for _ in range(3):
            got.append(next(lines))
            conversation.got()
        conversation.got()
        conversation.got()
        got += lines
        assert got == ["one", "two", "three", "four", "five"]
        with pytest.raises(ValueError, match="to its end already"):
            list(response.iter_lines())


# -- bulk -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("secure", [False, True], ids=["cleartext", "tls"])
def test_what_has_come_is_one_piece(
    pool: ConnectionPool, serve: Serve, alpn: tuple[str, ...], secure: bool
) -> None:
    """Although it came in a thousand chunks, frames and records."""
    sent = threading.Event()
    asked = threading.Event()

    @streaming
    def handler(exchange: Exchange) -> None:
        exchange.start(200)
        exchange.send(b"<")
        assert asked.wait(PATIENCE)
        for _ in range(1000):
            exchange.send(b"x" * 60)
        exchange.send(b">")
        sent.set()
        exchange.end()

    server = serve(routes={"/": handler}, alpn=alpn, secure=secure)
    protocols = ("h2",) if not secure and "h2" in alpn else None
    with pool.fetch(server.url("/"), stream=True, protocols=protocols) as response:
        pieces = iter(response)
        assert next(pieces) == b"<"
        asked.set()
        assert sent.wait(PATIENCE)
        rest = list(pieces)
        assert b"".join(rest) == b"x" * 60_000 + b">"
        assert len(rest) <= (64 if secure and "h2" in alpn else 8)  # HTTP/2 takes 16 records of TLS at a time


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_pieces_have_at_most_64_kib(
    pool: ConnectionPool, serve: Serve, alpn: tuple[str, ...], coding: str
) -> None:
    body = bytes(1_000_000)
    packed = gzip.compress(body) if coding == "gzip" else body
    answer = Response(headers=[("content-encoding", coding)], body=packed)
    server = serve(routes={"/": lambda _: answer}, alpn=alpn)
    with pool.fetch(server.url("/"), stream=True) as response:
        pieces = list(response)
        assert b"".join(pieces) == body
        assert max(map(len, pieces)) == 65536
        assert response.read1() == b""


# -- mixing the ways ------------------------------------------------------------------------------

TEXT = b"one\ntwo\r\nthr\xc3\xa9e\n" + b"x" * 100_000 + b"\nlast"


@pytest.fixture
def site(serve: Serve, alpn: tuple[str, ...]) -> Server:
    packed = Response(headers=[("content-encoding", "gzip")], body=gzip.compress(TEXT))
    broken = Response(headers=[("content-encoding", "gzip")], body=gzip.compress(TEXT)[:-20])
    latin = Response(headers=[("content-type", "text/plain; charset=latin-1")], body=b"h\xe9\x85llo\n\x0bz")
    return serve(
        routes={
            "/plain": lambda _: Response(body=TEXT),
            "/packed": lambda _: packed,
            "/broken": lambda _: broken,
            "/latin": lambda _: latin,
            "/utf-16": lambda _: Response(
                headers=[("content-type", "text/plain; charset=utf-16")], body="a\r\nżółw\n".encode("utf-16")
            ),
            "/events": lambda _: Response(body=b"data: 1\n\ndata: 2\n\ndata: 3"),
            "/long-event": lambda _: Response(body=b"data: 1\n\n" + b"data: 22\n" * 40),
            "/empty": lambda _: Response(204),
        },
        alpn=alpn,
    )


@pytest.mark.parametrize("target", ["/plain", "/packed"])
@pytest.mark.parametrize("stream", [True, False])
def test_bytes_after_bytes(pool: ConnectionPool, site: Server, target: str, stream: bool) -> None:
    with pool.fetch(site.url(target), stream=stream) as response:
        if not stream:
            with pytest.raises(ValueError, match="it is in `body`"):
                response.readline()
            return
        assert response.readline() == b"one\n"
        assert response.readline(2) == b"tw"
        assert response.read(1) == b"o"
        assert response.read1(2) == b"\r\n"
        assert response.read1(0) == response.read(0) == response.readline(0) == b""
        assert response.readline() == "thrée\n".encode()
        assert response.read(50_000) == b"x" * 50_000
        assert response.readline(50_000) == b"x" * 50_000
        assert response.readline() == b"\n"
        assert next(iter(response)) == b"last"
        assert response.readline() == response.read1() == response.read() == b""


@pytest.mark.parametrize("target", ["/plain", "/packed"])
def test_the_rest_after_a_line(pool: ConnectionPool, site: Server, target: str) -> None:
    with pool.fetch(site.url(target), stream=True) as response:
        assert response.readline() == b"one\n"
        assert response.read() == TEXT[4:]
    with pool.fetch(site.url(target), stream=True) as response:
        assert response.readline() == b"one\n"
        assert b"".join(response) == TEXT[4:]
    with pool.fetch(site.url(target), stream=True) as response:
        assert response.readline() == b"one\n"
        assert list(response.iter_lines()) == TEXT[4:].decode().splitlines()


@pytest.mark.parametrize("stream", [True, False])
def test_lines(pool: ConnectionPool, site: Server, stream: bool) -> None:
    for target in ("/plain", "/packed"):
        with pool.fetch(site.url(target), stream=stream) as response:
            assert list(response.iter_lines()) == TEXT.decode().splitlines()
    with pool.fetch(site.url("/latin"), stream=stream) as response:
        assert list(response.iter_lines()) == ["hé\x85llo", "\x0bz"], "no other character ends a line"
    with pool.fetch(site.url("/utf-16"), stream=stream) as response:
        assert list(response.iter_lines()) == ["a", "żółw"]
    for ask in (FetchResponse.iter_lines, FetchResponse.iter_events):
        with pool.fetch(site.url("/empty"), stream=stream) as response:
            assert list(ask(response)) == []  # type: ignore[arg-type]


def test_lines_of_a_body_in_memory_can_be_had_again(pool: ConnectionPool, site: Server) -> None:
    response = pool.fetch(site.url("/events"))
    assert next(response.iter_lines()) == next(response.iter_lines()) == "data: 1"
    assert [event.data for event in response.iter_events()] == ["1", "2"]
    assert response.body == b"data: 1\n\ndata: 2\n\ndata: 3"


def test_lines_and_bytes_do_not_mix(pool: ConnectionPool, site: Server) -> None:
    with pool.fetch(site.url("/plain"), stream=True) as response:
        assert next(response.iter_lines()) == "one"
        for read in (response.read, response.read1, response.readline, lambda: list(response)):
            with pytest.raises(ValueError, match=r"is being read by iter_lines\(\) or iter_events\(\)"):
                read()
        with pytest.raises(ValueError, match="is being read by iter_lines"):
            next(response.iter_events())
        with pytest.raises(ValueError, match="was read already"):
            _ = response.body
        assert next(response.iter_lines()) == "two"
        assert next(response.iter_lines()) == "thrée"


def test_an_error_comes_behind_the_lines_that_came(pool: ConnectionPool, site: Server) -> None:
    with pool.fetch(site.url("/broken"), stream=True) as response:
        lines = response.iter_lines()
        assert [next(lines) for _ in range(3)] == ["one", "two", "thrée"]
        for _ in range(2):
            with pytest.raises(DecodingError, match=r"GET https://.*the body ends before its coding gzip"):
                list(response.iter_lines())


@pytest.mark.parametrize("stream", [True, False])
def test_a_line_has_a_limit(pool: ConnectionPool, site: Server, stream: bool) -> None:
    with pool.fetch(site.url("/plain"), stream=stream) as response:
        lines = response.iter_lines(max_line=99_999)
        assert [next(lines) for _ in range(3)] == ["one", "two", "thrée"]
        with pytest.raises(
            BodyTooLarge, match=r"a line of the body is longer than 99999 characters \(max_line=\)"
        ):
            next(lines)
        if stream:
            with pytest.raises(BodyTooLarge, match="a line of the body"):
                response.read()
        else:
            assert response.body == TEXT
    with pool.fetch(site.url("/plain"), stream=stream) as response:
        assert len(list(response.iter_lines(max_line=100_000))) == 5
    with pool.fetch(site.url("/plain"), stream=True, max_body=50_000) as response:
        assert response.readline() == b"one\n"
        assert response.readline(50_000) == b"two\r\n"
        assert response.readline() == "thrée\n".encode()
        for _ in range(2):
            with pytest.raises(BodyTooLarge, match="a line of the body is longer than 50000 bytes"):
                response.readline()


@pytest.mark.parametrize("stream", [True, False])
def test_an_event_has_a_limit(pool: ConnectionPool, site: Server, stream: bool) -> None:
    with pool.fetch(site.url("/long-event"), stream=stream) as response:
        events = response.iter_events(max_event=100)
        assert next(events).data == "1"
        with pytest.raises(BodyTooLarge, match=r"an event is longer than 100 characters \(max_event=\)"):
            next(events)


def test_wrong_limits(pool: ConnectionPool, site: Server) -> None:
    response = pool.fetch(site.url("/plain"))
    with pytest.raises(TypeError, match="max_line"):
        response.iter_lines(max_line="80")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_event"):
        response.iter_events(max_event=0)


def test_silence_ends_with_the_timeout(make_pool: MakePool, serve: Serve, alpn: tuple[str, ...]) -> None:
    conversation = Conversation(EVENTS)
    server = serve(routes={"/": conversation.handler}, alpn=alpn)
    with make_pool(timeout=0.3).fetch(server.url("/"), stream=True) as response:
        events = response.iter_events()
        assert next(events).data == "first"
        with pytest.raises(TimeoutError, match="no more of the body came"):
            next(events)
        with pytest.raises(HTTP2Error):
            next(response.iter_events())
    conversation.got()


def test_the_end_of_a_head_request_is_not_waited_for(make_pool: MakePool, serve: Serve) -> None:
    """Although the stream is open until then, closing the pool closes the connection."""
    gone = threading.Event()

    @streaming
    def half(exchange: Exchange) -> None:
        exchange.start(200, [("content-length", "10")])
        try:
            exchange.pause(None)
        except ConnectionError:
            gone.set()

    with make_pool() as pool, pool.fetch(serve(routes=half).url("/"), "HEAD", stream=True) as response:
        assert list(response) == []
    assert gone.wait(PATIENCE)
    assert response.status == 200
    assert response.body == b""
