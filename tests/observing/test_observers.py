"""What observers of a pool and of a connection are told, in which order, and with which times."""

import copy
import logging
import pickle
import socket
import threading
from typing import Any

import pytest

import hyperlite
from hyperlite import ConnectionPool, FetchResponse, HTTP20Connection, Observer, telling
from hyperlite.observing import RequestInfo, Timings
from hyperlite.testing import Request, Response, Server
from tests.conftest import Connect, MakePool, Serve

from .recorder import Recorder

BODY = b"x" * 700
by_protocol = pytest.mark.parametrize("alpn", ["h2", "http/1.1"])


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def served(serve: Serve, alpn: str) -> Server:
    asked: list[str] = []

    def route(request: Request) -> Response:
        path = request.target.partition("?")[0]
        asked.append(path)
        if path == "/away":
            return Response(302, headers=[("location", "/here")])
        if path == "/later" and asked.count(path) == 1:
            return Response(503, headers=[("retry-after", "0")])
        return Response(body=BODY)

    return serve(routes=route, alpn=(alpn,))


def by_fetch(pool: ConnectionPool, url: str) -> FetchResponse:
    return pool.fetch(url)


def by_fetch_many(pool: ConnectionPool, url: str) -> FetchResponse:
    [outcome] = pool.fetch_many([url])
    return outcome.result()


by_each = pytest.mark.parametrize("way", [by_fetch, by_fetch_many])


@by_protocol
@by_each
def test_a_request(make_pool: MakePool, serve: Serve, recorder: Recorder, alpn: str, way: Any) -> None:
    server = served(serve, alpn)
    response = way(make_pool(observers=[recorder]), server.url("/?a=1").replace("//", "//me:pw@"))
    url = server.url("/?a=1")
    expected = [("dialled", server.port), ("sent", url), ("head", 200), ("body", 700), ("done", 700)]
    assert recorder.events == expected
    [request], [connection] = recorder.requests, recorder.connections
    assert (request.method, request.attempt, request.reused, request.status) == ("GET", 1, False, 200)
    assert dict(request.headers)["user-agent"].startswith("hyperlite/")
    assert request.connection == connection
    assert (connection.host, connection.protocol, connection.proxy) == ("localhost", alpn, None)
    assert connection.address[1] == server.port
    assert connection.tls is not None
    assert connection.tls.startswith("TLSv1.")
    assert connection.cipher
    assert request.stream_id == (1 if alpn == "h2" else 0)
    assert request.timings == response.timings
    times = response.timings
    assert None not in times
    assert times.dns + times.connect + times.tls <= times.sent <= times.first_byte <= times.last_byte
    assert times.last_byte <= response.elapsed


@by_protocol
@by_each
def test_redirects_and_further_tries(
    make_pool: MakePool, serve: Serve, recorder: Recorder, alpn: str, way: Any
) -> None:
    server = served(serve, alpn)
    pool = make_pool(observers=[recorder])
    response = way(pool, server.url("/away"))
    assert [name for name in recorder.names if name != "body"] == [
        *("dialled", "sent", "head", "done", "redirected"),
        *("sent", "head", "done"),
    ]
    assert ("redirected", server.url("/here")) in recorder.events
    first, second = (response.history[0].timings, response.timings)
    assert first.connect is not None
    assert second.connect is None
    assert [request.reused for request in recorder.requests] == [False, True]
    recorder.events.clear()
    way(pool, server.url("/later"))
    assert [name for name in recorder.names if name != "body"] == [
        *("sent", "head", "done", "retried"),
        *("sent", "head", "done"),
    ]
    assert ("retried", 503) in recorder.events
    assert [request.attempt for request in recorder.requests] == [1, 1, 1, 2]


@by_each
def test_failures(make_pool: MakePool, recorder: Recorder, way: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"https://localhost:{closed.getsockname()[1]}/"
    with pytest.raises(ConnectionRefusedError) as caught:
        way(make_pool(observers=[recorder], retries=1), url)
    assert recorder.names == ["retried", "failed"]
    error = recorder.events[-1][1]
    assert str(error) == str(caught.value)
    assert "connection refused" in str(error)


@by_protocol
def test_a_streamed_body(make_pool: MakePool, serve: Serve, recorder: Recorder, alpn: str) -> None:
    server = served(serve, alpn)
    pool = make_pool(observers=[recorder])
    with pool.fetch(server.url("/"), stream=True) as response:
        assert recorder.names == ["dialled", "sent", "head"]
        assert response.read(300) + response.read() == BODY
    assert recorder.events[3:] == [("body", 300), ("body", 400), ("done", 700)]
    with pool.fetch(server.url("/"), stream=True) as response:
        response.read(1)
    assert recorder.events[-1] == ("done", 1)
    assert recorder.requests[-1].timings.last_byte is None or alpn == "h2"  # all may have come


def test_a_streamed_body_that_fails(make_pool: MakePool, serve: Serve, recorder: Recorder) -> None:
    server = serve(routes=lambda _: Response(headers=[("content-encoding", "gzip")], body=b"no gzip"))
    response = make_pool(observers=[recorder]).fetch(server.url("/"), stream=True)
    with pytest.raises(hyperlite.DecodingError):
        response.read()
    assert recorder.names[-1] == "failed"
    assert "done" not in recorder.names


def test_a_pool_with_a_handler(recorder: Recorder) -> None:
    with ConnectionPool(handler=lambda _: Response(body=BODY), observers=[recorder]) as pool:
        assert pool.fetch("https://example.org/").body == BODY
    assert recorder.names == ["sent", "head", "body", "done"]
    assert recorder.requests[0].connection is None


def test_copies_keep_the_times(make_pool: MakePool, serve: Serve) -> None:
    response = make_pool().fetch(served(serve, "h2").url("/"))
    for one in (copy.copy(response), pickle.loads(pickle.dumps(response))):
        assert one.timings == response.timings
        assert isinstance(one.timings, Timings)


# -- a connection ---------------------------------------------------------------------------------


@by_protocol
def test_a_connection(serve: Serve, connect: Connect, recorder: Recorder, alpn: str) -> None:
    server = served(serve, alpn)
    conn = connect(server, observers=[recorder])
    ids = [conn.request("GET", "/?n=1"), conn.request("POST", "/?n=2", b"body")]
    assert recorder.names == ["dialled", "sent", "sent"]
    assert [len(conn.getresponse(one).read()) for one in ids] == [700, 700]
    assert recorder.names[3:] == ["head", "body", "done"] * 2
    assert [request.url for request in recorder.requests] == [server.url("/?n=1"), server.url("/?n=2")]
    assert [request.reused for request in recorder.requests] == [False, True]
    for request in recorder.requests:
        times = request.timings
        assert times.sent is not None
        assert times.first_byte is not None
        assert times.last_byte is not None
        assert times.sent <= times.first_byte <= times.last_byte
        assert request.received == 700
    if alpn == "h2":
        assert [request.stream_id for request in recorder.requests] == [1, 3]


@by_protocol
def test_a_response_that_is_closed_or_dropped(
    serve: Serve, connect: Connect, recorder: Recorder, alpn: str
) -> None:
    server = served(serve, alpn)
    conn = connect(server, observers=[recorder])
    conn.request("GET", "/")
    response = conn.getresponse()
    response.read(10)
    response.close()
    assert recorder.events[-1] == ("done", 10)
    conn.request("GET", "/")
    conn.cancel(conn.request("GET", "/"))
    assert recorder.names[-1] == "failed"
    conn.close()
    assert [recorder.names.count(name) for name in ("sent", "done", "failed")] == [3, 1, 2]
    conn.close()
    assert recorder.names.count("failed") == 2


def test_a_request_that_cannot_be_sent(connect: Connect, recorder: Recorder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    conn = HTTP20Connection("127.0.0.1", port, observers=[recorder])
    with pytest.raises(ConnectionRefusedError) as caught:
        conn.request("GET", "/x")
    assert recorder.events == [("failed", caught.value)]


def test_a_response_read_twice_is_told_once(serve: Serve, connect: Connect, recorder: Recorder) -> None:
    conn = connect(served(serve, "h2"), observers=[recorder])
    conn.request("GET", "/")
    response = conn.getresponse()
    assert (response.read(), response.read(), response.isclosed()) == (BODY, b"", True)
    response.close()
    assert recorder.names.count("done") == 1


# -- frames ---------------------------------------------------------------------------------------


def test_frames(make_pool: MakePool, serve: Serve, recorder: Recorder) -> None:
    server = served(serve, "h2")
    make_pool(observers=[recorder], headers={"x-mine": "1"}).fetch(server.url("/q"))
    frames = [frame for frame in recorder.frames if frame.stream_id]
    out, first, *rest = frames
    assert (out.outgoing, out.kind, out.flags) == (True, "HEADERS", ("END_STREAM", "END_HEADERS"))
    assert {(":path", "/q"), ("x-mine", "1")} <= set(out.fields)
    assert (first.outgoing, first.kind, first.fields[0]) == (False, "HEADERS", (":status", "200"))
    assert sum(frame.length for frame in rest if frame.kind == "DATA") == 700
    assert recorder.frames[0].kind == "preface"
    settings = next(frame for frame in recorder.frames if frame.kind == "SETTINGS")
    assert "ENABLE_PUSH=0" in settings.detail


def test_debuglevel_shows_fields_as_http_client_does(
    serve: Serve, connect: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    conn = connect(served(serve, "h2"))
    conn.set_debuglevel(1)
    conn.request("GET", "/path", headers={"X-Mine": "value"})
    conn.getresponse().read()
    shown = capsys.readouterr().out.splitlines()
    assert "send: :path: /path" in shown
    assert "send: x-mine: value" in shown
    assert "header: :status: 200" in shown
    assert "header: content-length: 700" in shown


# -- faults of observers --------------------------------------------------------------------------


class Faulty(Observer):
    def sent(self, request: RequestInfo) -> None:
        raise RuntimeError("mine")

    def frame(self, connection: Any, frame: Any) -> None:
        raise RuntimeError("mine")


@by_each
def test_an_observer_that_fails(
    make_pool: MakePool, serve: Serve, recorder: Recorder, caplog: pytest.LogCaptureFixture, way: Any
) -> None:
    server = served(serve, "h2")
    assert way(make_pool(observers=[Faulty(), recorder]), server.url("/")).body == BODY
    assert recorder.names == ["dialled", "sent", "head", "body", "done"]
    assert "the observer Faulty has failed in sent()" in caplog.text
    assert "RuntimeError: mine" in caplog.text


@pytest.mark.parametrize(
    ("observers", "text"),
    [
        ([object()], "has no method dialled"),
        ([Recorder], "is a class"),
        (5, "not iterable"),
        (Recorder(), "observers= takes Observers in a list"),
    ],
)
def test_what_is_no_observer(observers: Any, text: str) -> None:
    for make in (
        lambda: ConnectionPool(observers=observers),
        lambda: HTTP20Connection("a", observers=observers),
    ):
        with pytest.raises(TypeError, match=text):
            make()


def test_many_threads(make_pool: MakePool, serve: Serve, recorder: Recorder) -> None:
    server = served(serve, "h2")
    pool = make_pool(observers=[recorder])
    threads = [threading.Thread(target=lambda: pool.fetch(server.url("/"))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [recorder.names.count(name) for name in ("sent", "head", "done")] == [20, 20, 20]
    assert len({request.number for request in recorder.requests}) == 20


# -- the log --------------------------------------------------------------------------------------

SECRET = "s3cret"


def test_the_log_tells_the_story_and_no_secret(
    serve: Serve, make_pool: MakePool, caplog: pytest.LogCaptureFixture
) -> None:
    """Ten kinds: userinfo, Basic, Bearer, proxy, cookies both ways, keys in fields, in queries by name."""
    asked: list[str] = []

    def route(request: Request) -> Response:
        asked.append(request.target)
        if "away" in request.target:
            place = f"/later?access_token={SECRET}&page=2&signature={SECRET}"
            return Response(302, headers=[("location", place), ("set-cookie", f"session={SECRET}")])
        if sum("later" in one for one in asked) == 1:
            return Response(503, headers=[("retry-after", "0")])
        return Response(body=BODY, headers=[("set-cookie", f"session={SECRET}; Path=/")])

    server = serve(routes=route)
    caplog.set_level(logging.DEBUG, logger="hyperlite")
    headers = {
        "cookie": f"mine={SECRET}",
        "x-api-key": SECRET,
        "x-auth-token": SECRET,
        "proxy-authorization": f"Basic {SECRET}",
    }
    url = server.url(f"/away?token={SECRET}&api_key={SECRET}").replace("//", f"//me:{SECRET}@")
    response = make_pool().fetch(url, headers=headers)
    assert response.status == 200
    make_pool().fetch(server.url("/later"), headers={"authorization": f"Bearer {SECRET}"})
    story = [(record.name.rpartition(".")[2], record.getMessage()) for record in caplog.records]
    assert SECRET not in "".join(text for _, text in story)
    told = [(name, text) for name, text in story if name != "frames"][:6]
    assert [name for name, _ in told] == [
        *("connections", "requests", "retries"),
        *("requests", "retries", "requests"),
    ]
    connection, first, redirect, second, retry, last = (text for _, text in told)
    assert f"to localhost:{server.port}: h2, TLSv1." in connection
    assert first.startswith(f"GET {server.url('/away')}?token=…&api_key=…: 302, 0 bytes in ")
    assert redirect.endswith("302 leads to " + server.url("/later?access_token=…&page=2&signature=…"))
    assert ": 503, " in second
    assert retry.endswith("tried again in 0 s, after attempt 1: status 503")
    assert ": 200, 700 bytes in " in last
    assert last.endswith(" again, stream 5")
    frames = [text for name, text in story if name == "frames"]
    assert any("authorization: …" in text and ":path: /away?token=…" in text for text in frames)


def test_a_program_adds_secret_names(
    serve: Serve, make_pool: MakePool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "SECRET_PARAMETERS", telling.SECRET_PARAMETERS | {"ticket"})
    caplog.set_level(logging.DEBUG, logger="hyperlite.requests")
    make_pool().fetch(served(serve, "h2").url(f"/?ticket={SECRET}&Ticket={SECRET}&x=1"))
    assert "?ticket=…&Ticket=…&x=1: 200" in caplog.text


def test_failures_are_logged(make_pool: MakePool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="hyperlite.requests")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/?token={SECRET}"
    with pytest.raises(OSError):
        make_pool(retries=0).fetch(url)
    assert "failed: ConnectionRefusedError: cannot connect to 127.0.0.1" in caplog.text
    assert SECRET not in caplog.text


@by_protocol
def test_connections_are_logged_too(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture, alpn: str
) -> None:
    caplog.set_level(logging.DEBUG, logger="hyperlite.requests")
    conn = connect(served(serve, alpn))
    conn.request("GET", "/")
    conn.getresponse().read()
    assert ": 200, 700 bytes in " in caplog.text


def test_nothing_is_made_while_all_is_off(
    serve: Serve, make_pool: MakePool, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(*_: Any, **__: Any) -> None:
        raise AssertionError("made although nothing is told")

    monkeypatch.setattr(RequestInfo, "__init__", made)
    server = served(serve, "h2")
    pool = make_pool()
    assert by_fetch(pool, server.url("/away")).body == by_fetch_many(pool, server.url("/")).body
    conn = connect(server)
    conn.request("GET", "/")
    assert conn.getresponse().read() == BODY
