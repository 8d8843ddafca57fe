"""Faults on demand, as hyperlite's own client meets them; what the server saw; its routes."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from h2.errors import ErrorCodes

import hyperlite
from hyperlite import ConnectionPool, Retries
from hyperlite.testing import Exchange, Response, Server, streaming
from tests.conftest import MakePool

BOTH = pytest.mark.parametrize("alpn", [("h2", "http/1.1"), ("http/1.1",)], ids=["h2", "http/1.1"])
ONCE = Retries(backoff=0)


@streaming
def stream(exchange: Exchange) -> None:
    exchange.start()
    exchange.send(b"streamed")


ROUTES = {
    "/": lambda request: Response(headers=[("x-one", "1")], body=b"0123456789", trailers=[("x-sum", "10")]),
    "/echo": lambda request: Response(body=request.body),
    "/pieces": lambda request: Response(body=iter([b"012", b"345", b"6789"])),
    "/stream": stream,
}


@pytest.fixture
def server(alpn: tuple[str, ...]) -> Iterator[Server]:
    with Server(dict(ROUTES), alpn=alpn, record=True) as server:
        yield server


@pytest.fixture
def alpn() -> tuple[str, ...]:
    return ("h2", "http/1.1")


@pytest.fixture
def pool(make_pool: MakePool) -> ConnectionPool:
    return make_pool(retries=ONCE, timeout=10)


def is_http2(server: Server) -> bool:
    return server.requests[0].protocol == "h2"


def faults_of(server: Server) -> list[str]:
    return [request.fault for request in server.requests]


def reset_codes(server: Server) -> list[int | None]:
    return [frame.error_code for frame in server.frames if frame.type == "RST_STREAM" and frame.sent]


# -- each fault -----------------------------------------------------------------------------------


@BOTH
def test_reset(server: Server, pool: ConnectionPool) -> None:
    server.faults.reset("/", error_code=ErrorCodes.ENHANCE_YOUR_CALM)
    assert pool.fetch(server.url("/")).body == b"0123456789"
    assert faults_of(server) == ["reset", ""]
    assert reset_codes(server) == ([ErrorCodes.ENHANCE_YOUR_CALM] if is_http2(server) else [])
    assert server.connections == (1 if is_http2(server) else 2)


def test_a_reset_is_an_error_where_nothing_is_tried_again(server: Server, pool: ConnectionPool) -> None:
    server.faults.reset("/echo")
    with pytest.raises(hyperlite.StreamReset) as caught:
        pool.fetch(server.url("/echo"), "POST", body=b"x")
    assert caught.value.error_code == hyperlite.ErrorCode.INTERNAL_ERROR


@BOTH
@pytest.mark.parametrize("path", ["/", "/pieces"])
@pytest.mark.parametrize("after", [0, 4, 9])
def test_reset_within_the_body(server: Server, pool: ConnectionPool, path: str, after: int) -> None:
    server.faults.reset(path, after=after)
    with pool.request("GET", server.url(path)) as response:
        assert response.status == 200
        with pytest.raises(hyperlite.IncompleteBody) as caught:
            response.raw.read()
    assert caught.value.partial == b"0123456789"[:after]


@BOTH
def test_refuse(server: Server, pool: ConnectionPool, alpn: tuple[str, ...]) -> None:
    """Even a POST is sent again on HTTP/2; on HTTP/1.1 it is not known whether it was processed."""
    server.faults.refuse("/echo")
    if "h2" in alpn:
        assert pool.fetch(server.url("/echo"), "POST", body=b"x").body == b"x"
        assert faults_of(server) == ["refuse", ""]
        assert reset_codes(server) == [ErrorCodes.REFUSED_STREAM]
        assert server.connections == 1
    else:
        with pytest.raises(ConnectionError):
            pool.fetch(server.url("/echo"), "POST", body=b"x")


def test_goaway(server: Server, pool: ConnectionPool) -> None:
    pool.fetch(server.url("/"))
    server.faults.goaway("/echo")
    assert pool.fetch(server.url("/echo"), "POST", body=b"x").body == b"x"
    assert [(request.connection, request.fault) for request in server.requests] == [
        (1, ""),
        (1, "goaway"),
        (2, ""),
    ]
    [frame] = [frame for frame in server.frames if frame.type == "GOAWAY" and frame.sent]
    assert (frame.connection, frame.stream_id, frame.last_stream_id, frame.error_code) == (1, 0, 1, 0)


def test_goaway_before_the_first_request(server: Server, pool: ConnectionPool) -> None:
    server.faults.goaway()
    assert pool.fetch(server.url("/echo"), "POST", body=b"x").body == b"x"
    assert [(request.connection, request.fault) for request in server.requests] == [(1, "goaway"), (2, "")]
    assert [frame.last_stream_id for frame in server.frames if frame.type == "GOAWAY" and frame.sent] == [0]


def test_requests_before_a_goaway_are_finished(server: Server, pool: ConnectionPool) -> None:
    taken = threading.Event()

    @server.route("/first")
    @streaming
    def first(exchange: Exchange) -> None:
        exchange.start()
        taken.wait(10)
        exchange.send(b"first")

    server.faults.goaway("/echo")
    with pool.fetch(server.url("/first"), stream=True) as response:
        assert pool.fetch(server.url("/echo"), "POST", body=b"x").body == b"x"
        taken.set()
        assert response.read() == b"first"
    assert [(request.connection, request.path) for request in server.requests] == [
        (1, "/first"),
        (1, "/echo"),
        (2, "/echo"),
    ]


def test_goaway_on_http1_is_a_close(make_pool: MakePool) -> None:
    with Server(dict(ROUTES), alpn=("http/1.1",), record=True) as server:
        server.faults.goaway()
        with pytest.raises(ConnectionError):
            make_pool(retries=0).fetch(server.url("/echo"), "POST", body=b"x")
        assert server.connections == 1


@BOTH
def test_stall(server: Server, pool: ConnectionPool) -> None:
    server.faults.stall("/")
    with pytest.raises(hyperlite.RequestTimeout):
        pool.fetch(server.url("/"), timeout=1.0)
    assert pool.fetch(server.url("/")).body == b"0123456789"
    if is_http2(server):
        server.wait_until(lambda: any(f.type == "RST_STREAM" and not f.sent for f in server.frames))


@BOTH
def test_stall_within_the_body(server: Server, pool: ConnectionPool) -> None:
    server.faults.stall("/", after=3)
    with pool.fetch(server.url("/"), stream=True, timeout=1.0) as response:
        assert response.read(3) == b"012"
        with pytest.raises(hyperlite.RequestTimeout):
            response.read(1)


@BOTH
def test_a_server_that_stalls_can_be_closed(server: Server, pool: ConnectionPool) -> None:
    server.faults.stall("/")
    errors: list[Exception] = []

    def fetch() -> None:
        try:
            pool.fetch(server.url("/"), retries=0)
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=fetch)
    thread.start()
    server.wait_until(lambda: server.requests)
    server.close()
    thread.join(10)
    assert isinstance(errors[0], ConnectionError)


@BOTH
def test_cut(server: Server, pool: ConnectionPool) -> None:
    server.faults.cut("/")
    assert pool.fetch(server.url("/")).body == b"0123456789"
    assert server.connections == 2
    assert reset_codes(server) == []


@BOTH
@pytest.mark.parametrize("after", [0, 4, 100])
def test_cut_within_the_body(server: Server, pool: ConnectionPool, after: int) -> None:
    server.faults.cut("/pieces", after=after)
    with (
        pool.request("GET", server.url("/pieces")) as response,
        pytest.raises(hyperlite.IncompleteBody) as caught,
    ):
        response.raw.read()
    assert caught.value.partial == b"0123456789"[:after]


@BOTH
@pytest.mark.parametrize("path", ["/", "/pieces"])
def test_drip(server: Server, pool: ConnectionPool, path: str) -> None:
    server.faults.drip(path, size=2, pause=0.001)
    assert pool.fetch(server.url(path)).body == b"0123456789"
    if is_http2(server):
        sizes = [frame.length for frame in server.frames if frame.type == "DATA" and frame.length]
        assert sizes == ([2] * 5 if path == "/" else [2, 1, 2, 1, 2, 2])


@BOTH
@pytest.mark.parametrize("path", ["/", "/stream"])
def test_slow(server: Server, pool: ConnectionPool, path: str) -> None:
    server.faults.slow(path, seconds=0.1)
    start = time.monotonic()
    pool.fetch(server.url(path))
    assert time.monotonic() - start >= 0.1
    server.faults.slow(path, seconds=60)
    with pytest.raises(TimeoutError):
        pool.fetch(server.url(path), timeout=0.1)


def test_require_http1(server: Server, pool: ConnectionPool) -> None:
    server.faults.require_http1("/", times=None)
    response = pool.fetch(server.url("/"))
    assert (response.http_version, response.body) == ("HTTP/1.1", b"0123456789")
    assert [(request.protocol, request.fault) for request in server.requests] == [
        ("h2", "require_http1"),
        ("http/1.1", ""),
    ]
    assert reset_codes(server) == [ErrorCodes.HTTP_1_1_REQUIRED]


def test_http1_only(server: Server, make_pool: MakePool) -> None:
    server.faults.http1_only()
    assert make_pool().fetch(server.url("/")).http_version == "HTTP/1.1"
    with pytest.raises(hyperlite.NotHTTP2):
        make_pool(protocols=("h2",)).fetch(server.url("/"))
    server.faults.clear()
    assert make_pool().fetch(server.url("/")).http_version == "HTTP/2"


def test_http1_only_in_cleartext(make_pool: MakePool) -> None:
    with Server(dict(ROUTES), secure=False) as server:
        server.faults.http1_only()
        assert make_pool().fetch(server.url("/")).http_version == "HTTP/1.1"
        with pytest.raises(hyperlite.NotHTTP2):
            make_pool(protocols=("h2",)).fetch(server.url("/"))
        server.faults.clear()
        assert make_pool(protocols=("h2",)).fetch(server.url("/")).http_version == "HTTP/2"


# -- which request meets which --------------------------------------------------------------------


@BOTH
def test_faults_are_met_in_their_order(server: Server, pool: ConnectionPool) -> None:
    server.faults.reset("/", times=2)
    server.faults.slow("/", seconds=0.001)
    server.faults.cut("/echo")
    pool.fetch(server.url("/"))
    pool.fetch(server.url("/"))
    pool.fetch(server.url("/echo"))
    assert faults_of(server) == ["reset", "reset", "slow", "", "cut", ""]


def test_a_fault_without_path_is_for_any(server: Server, pool: ConnectionPool) -> None:
    server.faults.slow(seconds=0, times=2)
    for path in ("/", "/nothing?x=1", "/"):
        pool.fetch(server.url(path))
    assert faults_of(server) == ["slow", "slow", ""]


def test_a_fault_can_be_for_every_request_until_it_is_cleared(server: Server, pool: ConnectionPool) -> None:
    server.faults.refuse(times=None)
    with pytest.raises(hyperlite.StreamReset):
        pool.fetch(server.url("/"))
    server.faults.clear()
    assert pool.fetch(server.url("/")).body == b"0123456789"


@pytest.mark.parametrize("times", [0, -1])
def test_a_fault_is_for_one_request_or_more(server: Server, times: int) -> None:
    with pytest.raises(ValueError, match="one request or more"):
        server.faults.reset(times=times)


@BOTH
def test_a_route_that_streams_cannot_be_interrupted(
    server: Server, pool: ConnectionPool, capsys: pytest.CaptureFixture[str]
) -> None:
    server.faults.cut("/stream", after=3)
    assert pool.fetch(server.url("/stream")).status == 500
    assert "need a route that returns a Response" in capsys.readouterr().err


# -- what the server saw --------------------------------------------------------------------------


@BOTH
def test_requests(server: Server, pool: ConnectionPool) -> None:
    pool.fetch(server.url("/echo?a=1"), "PUT", headers={"X-One": "1"}, body=b"text")
    pool.fetch(server.url("/"))
    first, second = server.requests
    assert (first.method, first.target, first.path, first.query) == (
        "PUT",
        "/echo?a=1",
        "/echo",
        {"a": ["1"]},
    )
    assert (first.header("x-one"), first.body, first.connection) == ("1", b"text", 1)
    assert (second.method, second.body, second.connection) == ("GET", b"", 1)
    assert server.connections == 1
    assert server.log == [(r.protocol, r.connection, r.method, r.target) for r in server.requests]


def test_frames(server: Server, pool: ConnectionPool) -> None:
    pool.fetch(server.url("/echo"), "POST", body=b"text")
    frames = [frame for frame in server.frames if frame.stream_id == 1 and frame.type != "WINDOW_UPDATE"]
    assert [(frame.sent, frame.type, "END_STREAM" in frame.flags) for frame in frames] == [
        (False, "HEADERS", False),
        (False, "DATA", True),
        (True, "HEADERS", False),
        (True, "DATA", True),
    ]
    assert [frame.length for frame in frames if frame.type == "DATA"] == [4, 4]
    assert server.frames[0].type == "SETTINGS"
    acknowledged = [frame for frame in server.frames if frame.type == "SETTINGS" and frame.flags == {"ACK"}]
    assert {frame.sent for frame in acknowledged} <= {True, False}
    assert acknowledged
    assert {frame.connection for frame in server.frames} == {1}


def test_what_comes_later_can_be_waited_for(server: Server, pool: ConnectionPool) -> None:
    server.faults.stall("/", after=1)
    with pool.fetch(server.url("/"), stream=True) as response:
        response.read(1)
    server.wait_until(
        lambda: [frame.error_code for frame in server.frames if frame.type == "RST_STREAM"] == [8]
    )
    with pytest.raises(TimeoutError, match=r"within 0\.01 s"):
        server.wait_until(lambda: False, seconds=0.01)


def test_a_server_that_records_nothing_says_so() -> None:
    with Server({}) as server:
        for look in (lambda: server.requests, lambda: server.frames, lambda: server.wait_until(bool)):
            with pytest.raises(RuntimeError, match="record=True"):
                look()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"body": "text"}, "encode a str"),
        ({"headers": {"a": "b"}}, "items"),
        ({"headers": [("retry-after", 1)]}, "pairs of two str"),
        ({"trailers": [("a", b"b")]}, "pairs of two str"),
        ({"headers": ["a: b"]}, "pairs of two str"),
        ({"informational": [(103, {"a": "b"})]}, "items"),
    ],
)
def test_common_slips_are_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        Response(**options)


# -- routes ---------------------------------------------------------------------------------------


def test_routes_are_added(pool: ConnectionPool) -> None:
    with Server() as server:

        @server.route("/one")
        def one(_: object) -> Response:
            return Response(body=b"1")

        server.routes["/two"] = lambda _: Response(body=b"2")
        assert [pool.fetch(server.url(path)).body for path in ("/one", "/two")] == [b"1", b"2"]
        assert server.routes["/one"] is one
        del server.routes["/two"]
        assert pool.fetch(server.url("/two")).status == 404


def test_one_handler_for_all_has_no_routes() -> None:
    with Server(lambda _: Response()) as server, pytest.raises(TypeError, match="one handler for all"):
        server.routes  # noqa: B018
