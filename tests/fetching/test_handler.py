"""ConnectionPool(handler=…): a function in the place of servers; all above a connection goes on."""

import gzip
import http.client
import http.cookiejar
import io
import json
import pickle
import socket
import threading
import time
from collections.abc import Iterator
from typing import NoReturn

import pytest

import hyperlite
from hyperlite import ConnectionPool, FetchRequest, Retries
from hyperlite.testing import Response

URL = "https://api.example/books"
AT_ONCE = Retries(backoff=0)


@pytest.fixture(autouse=True)
def no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that connects to anything."""

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("a socket is connected")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)


def report(request: FetchRequest) -> Response:
    seen = {
        "url": request.url,
        "method": request.method,
        "headers": dict(request.headers),
        "body": None if request.body is None else request.body.decode(),
    }
    return Response(headers=[("Content-Type", "application/json")], body=json.dumps(seen).encode())


def failing(*errors: Exception) -> tuple[list[str], object]:
    """Return a list of the methods called, and a handler that raises these errors before it answers."""
    called: list[str] = []

    def handler(request: FetchRequest) -> Response:
        called.append(request.method)
        if len(called) <= len(errors):
            raise errors[len(called) - 1]
        return Response(body=b"at last")

    return called, handler


# -- a request ------------------------------------------------------------------------------------


def test_the_handler_gets_the_request_as_it_would_be_sent() -> None:
    with ConnectionPool(handler=report, headers={"X-Own": "1"}) as pool:
        base = pool.fetch(
            "https://u:p@api.example:443/a?b=1#c", "POST", json={"n": 1}, params={"d": 2}
        ).json()
    assert base["url"] == "https://api.example/a?b=1&d=2"
    assert base["method"] == "POST"
    assert base["body"] == '{"n":1}'
    assert base["headers"]["x-own"] == "1"
    assert base["headers"]["content-type"] == "application/json"
    assert base["headers"]["content-length"] == "7"
    assert base["headers"]["authorization"] == "Basic dTpw"


@pytest.mark.parametrize("body", ["text", b"text", io.BytesIO(b"text"), [b"te", b"xt"]])
def test_the_handler_gets_the_whole_body(body: object) -> None:
    with ConnectionPool(handler=report) as pool:
        assert pool.fetch(URL, "PUT", body=body).json()["body"] == "text"


def test_a_body_that_is_not_as_long_as_it_says_is_refused() -> None:
    with ConnectionPool(handler=report) as pool, pytest.raises(http.client.CannotSendRequest):
        pool.fetch(URL, "PUT", body=iter([b"abc"]), headers={"content-length": "4"})


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    with ConnectionPool(handler=report) as pool:
        assert pool.fetch("http://api.example/").json()["url"] == "http://api.example/"
    with ConnectionPool(handler=report, proxies="http://proxy.example:3128") as pool:
        assert pool.fetch("http://api.example/").json()["url"] == "http://api.example/"


# -- a response -----------------------------------------------------------------------------------


def test_a_response_looks_like_one_over_http_2() -> None:
    hints = [(103, [("link", "</style.css>")])]
    answer = Response(201, [("X-One", "1"), ("x-one", "2")], iter([b"ab", b"cd"]), [("x-sum", "4")], hints)
    with ConnectionPool(handler=lambda _: answer) as pool:
        response = pool.fetch(URL)
    assert (response.status, response.reason, response.http_version) == (201, "Created", "HTTP/2")
    assert response.headers.items() == [("x-one", "1"), ("x-one", "2")]
    assert response.body == b"abcd"
    assert response.raw.trailers["x-sum"] == "4"
    assert [(status, fields["link"]) for status, fields in response.raw.informational] == [
        (103, "</style.css>")
    ]
    assert "HTTP/2" in repr(response.raw)
    assert pickle.loads(pickle.dumps(response)).raw.trailers["x-sum"] == "4"


def test_bytes_get_a_content_length() -> None:
    with ConnectionPool(handler=lambda _: Response(body=b"four")) as pool:
        assert pool.fetch(URL).headers["content-length"] == "4"
        head = pool.fetch(URL, "HEAD")
    assert (head.headers["content-length"], head.body) == ("4", b"")


@pytest.mark.parametrize("status", [204, 304])
def test_some_statuses_have_no_body(status: int) -> None:
    with ConnectionPool(handler=lambda _: Response(status, body=b"ignored")) as pool:
        response = pool.fetch(URL)
    assert (response.status, response.body, response.headers.items()) == (status, b"", [])


@pytest.mark.parametrize(
    "answer",
    [
        Response(99),
        Response(103),
        Response(headers=[("connection", "close")]),
        Response(headers=[("x", "a\r\nb: c")]),
        Response(headers=[("content-length", "1"), ("content-length", "2")]),
    ],
)
def test_a_head_that_breaks_http_is_an_error(answer: Response) -> None:
    with ConnectionPool(handler=lambda _: answer) as pool, pytest.raises(hyperlite.MalformedResponse):
        pool.fetch(URL)


@pytest.mark.parametrize("length", ["3", "5"])
@pytest.mark.parametrize("body", [b"four", (b"fo", b"ur")])
def test_a_body_of_another_length_is_an_error(length: str, body: bytes) -> None:
    answer = Response(headers=[("content-length", length)], body=body)
    with ConnectionPool(handler=lambda _: answer) as pool:
        with pytest.raises(hyperlite.MalformedBody) as caught:
            pool.fetch(URL)
        assert caught.value.partial in (b"four", b"fo", b"")
        with pytest.raises(hyperlite.MalformedBody), pool.fetch(URL, stream=True) as response:
            assert list(response)


@pytest.mark.parametrize("answer", [None, "text", (200, b""), {"status": 200}])
def test_anything_else_is_named(answer: object) -> None:
    with (
        ConnectionPool(handler=lambda _: answer) as pool,
        pytest.raises(TypeError, match=r"the handler has returned .*hyperlite\.testing\.Response"),
    ):
        pool.fetch(URL)


def test_a_handler_is_a_function() -> None:
    with pytest.raises(TypeError, match="handler is a function"):
        ConnectionPool(handler={"/": report})


# -- what is above it -----------------------------------------------------------------------------


def test_redirects_are_followed_and_cookies_kept() -> None:
    def handler(request: FetchRequest) -> Response:
        if request.url.endswith("/old"):
            return Response(302, [("location", "/new"), ("set-cookie", "a=1")])
        return report(request)

    with ConnectionPool(handler=handler, cookies=http.cookiejar.CookieJar()) as pool:
        response = pool.fetch("https://api.example/old")
        assert pool.stats()["redirects"] == 1
    assert [one.status for one in response.history] == [302]
    assert response.url == "https://api.example/new"
    assert response.json()["headers"]["cookie"] == "a=1"


def test_a_redirect_whose_body_never_ends_is_followed() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 1024

    def handler(request: FetchRequest) -> Response:
        if request.url.endswith("/old"):
            return Response(302, [("location", "/new")], endless())
        return Response(body=b"new")

    with ConnectionPool(handler=handler) as pool:
        assert pool.fetch("https://api.example/old").body == b"new"


def test_bodies_are_decoded_and_bounded() -> None:
    answer = Response(headers=[("content-encoding", "gzip")], body=gzip.compress(b"x" * 1000))
    with ConnectionPool(handler=lambda _: answer) as pool:
        assert pool.fetch(URL).body == b"x" * 1000
        with pytest.raises(hyperlite.BodyTooLarge):
            pool.fetch(URL, max_body=999)


def test_an_answer_that_means_later_is_asked_for_again() -> None:
    answers = [Response(503, [("retry-after", "0")]), Response(body=b"now")]
    with ConnectionPool(handler=lambda _: answers.pop(0)) as pool:
        assert pool.fetch(URL).body == b"now"
        assert pool.stats()["retries"] == 1


# -- failures -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [ConnectionResetError("gone"), hyperlite.StreamReset("reset"), OSError("x")]
)
def test_errors_of_a_connection_are_tried_again(error: Exception) -> None:
    called, handler = failing(error, error)
    with ConnectionPool(handler=handler, retries=AT_ONCE) as pool:
        assert pool.fetch(URL).body == b"at last"
    assert called == ["GET"] * 3


def test_after_the_last_try_the_error_is_raised() -> None:
    called, handler = failing(*[ConnectionResetError("gone")] * 3)
    with (
        ConnectionPool(handler=handler, retries=AT_ONCE) as pool,
        pytest.raises(ConnectionResetError, match=r"GET https://api\.example/books : gone") as caught,
    ):
        pool.fetch(URL)
    assert isinstance(caught.value, hyperlite.FetchError)
    assert called == ["GET"] * 3


def test_a_post_is_tried_again_only_if_it_was_provably_not_processed() -> None:
    called, handler = failing(hyperlite.ConnectionLost("gone", retry_safe=True))
    with ConnectionPool(handler=handler, retries=AT_ONCE) as pool:
        assert pool.fetch(URL, "POST", body=b"x").body == b"at last"
    assert called == ["POST"] * 2
    called, handler = failing(hyperlite.ConnectionLost("gone"))
    with ConnectionPool(handler=handler, retries=AT_ONCE) as pool, pytest.raises(hyperlite.ConnectionLost):
        pool.fetch(URL, "POST", body=b"x")
    assert called == ["POST"]


def test_a_timeout_is_a_timeout() -> None:
    called, handler = failing(hyperlite.RequestTimeout("nothing came within 1 s"))
    with (
        ConnectionPool(handler=handler) as pool,
        pytest.raises(TimeoutError, match="no response came within"),
    ):
        pool.fetch(URL)
    assert called == ["GET"]


@pytest.mark.parametrize("limit", [{"timeout": 0.01}, {"deadline": 0.01}])
def test_a_response_that_is_delayed_beyond_its_limit_is_a_timeout(limit: dict[str, float]) -> None:
    start = time.monotonic()
    with (
        ConnectionPool(handler=lambda _: Response(delay=60)) as pool,
        pytest.raises(hyperlite.RequestTimeout),
    ):
        pool.fetch(URL, **limit)
    assert time.monotonic() - start < 30


def test_a_short_delay_passes() -> None:
    with ConnectionPool(handler=lambda _: Response(body=b"late", delay=0.01)) as pool:
        assert pool.fetch(URL).elapsed >= 0.01


@pytest.mark.parametrize("error", [AssertionError("no such request"), ValueError("x"), LookupError("x")])
def test_an_error_of_the_handler_itself_comes_out_as_it_is(error: Exception) -> None:
    called, handler = failing(error)
    with ConnectionPool(handler=handler) as pool, pytest.raises(type(error)) as caught:
        pool.fetch(URL)
    assert caught.value is error
    assert called == ["GET"]


def broken(error: Exception) -> Iterator[bytes]:
    yield b"begun"
    raise error


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (ConnectionResetError("gone"), hyperlite.IncompleteBody),
        (hyperlite.StreamReset("reset"), hyperlite.BodyReset),
        (hyperlite.RequestTimeout("nothing came within 1 s"), hyperlite.RequestTimeout),
        (AssertionError("wrong"), AssertionError),
    ],
)
def test_a_body_that_breaks_off_is_never_cut_short_silently(
    error: Exception, raised: type[Exception]
) -> None:
    with ConnectionPool(handler=lambda _: Response(body=broken(error)), retries=0) as pool:
        with pytest.raises(raised):
            pool.fetch(URL)
        with pool.fetch(URL, stream=True) as response:
            assert response.read(5) == b"begun"
            for _ in range(2):
                with pytest.raises(raised):
                    response.read(5)


def test_an_interrupt_comes_out_and_ends_the_body() -> None:
    def interrupted() -> Iterator[bytes]:
        yield b"begun"
        raise KeyboardInterrupt

    def handler(request: FetchRequest) -> Response:
        if request.method == "POST":
            raise KeyboardInterrupt
        return Response(body=interrupted())

    with ConnectionPool(handler=handler) as pool:
        with pytest.raises(KeyboardInterrupt):
            pool.fetch(URL, "POST")
        with pool.request("GET", URL) as response:
            assert response.raw.read(5) == b"begun"
            with pytest.raises(KeyboardInterrupt):
                response.raw.read(5)
            with pytest.raises(hyperlite.IncompleteBody, match="interrupted"):
                response.raw.read(5)
        assert pool.stats()["origins"]["https://api.example:443"]["leased"] == 0


def test_the_bytes_before_a_break_are_in_the_error() -> None:
    answer = Response(body=broken(ConnectionResetError("gone")))
    with (
        ConnectionPool(handler=lambda _: answer) as pool,
        pool.request("GET", URL) as response,
        pytest.raises(http.client.IncompleteRead) as caught,
    ):
        response.raw.read()
    assert caught.value.partial == b"begun"


# -- streams, and the other methods -----------------------------------------------------------------


def test_pieces_are_taken_when_they_are_read() -> None:
    taken: list[int] = []

    def pieces() -> Iterator[bytes]:
        try:
            for number in range(1000):
                taken.append(number)
                yield b"%09d\n" % number
        finally:
            taken.append(-1)

    with ConnectionPool(handler=lambda _: Response(body=pieces())) as pool:
        with pool.fetch(URL, stream=True) as response:
            assert response.read(15) == b"000000000\n00000"
            assert taken == [0, 1]
            assert response.read(5) == b"0001\n"
        assert taken == [0, 1, -1]


def test_a_raw_response_is_read_as_http_client_reads() -> None:
    answer = Response(body=[b"one\ntw", b"o\nthree"])
    with ConnectionPool(handler=lambda _: answer) as pool, pool.request("GET", URL) as response:
        raw = response.raw
        assert raw.readline() == b"one\n"
        assert raw.peek(1)[:1] == b"t"
        assert raw.read1(2) == b"tw"
        buffer = bytearray(3)
        assert raw.readinto(buffer) == 3
        assert bytes(buffer) == b"o\nt"
        assert raw.read() == b"hree"
        assert raw.isclosed()


def test_lines_and_events_come_piece_by_piece() -> None:
    sent: list[bytes] = []

    def pieces() -> Iterator[bytes]:
        for piece in (b"data: on", b"e\n\nda", b"ta: two\n\n"):
            sent.append(piece)
            yield piece

    with ConnectionPool(handler=lambda _: Response(body=pieces())) as pool:
        with pool.fetch(URL, stream=True) as response:
            events = response.iter_events()
            assert next(events).data == "one"
            assert len(sent) == 2
            assert [event.data for event in events] == ["two"]
        with pool.fetch(URL, stream=True) as response:
            assert list(response.iter_lines()) == ["data: one", "", "data: two", ""]


@pytest.mark.parametrize("ordered", [False, True])
def test_fetch_many(ordered: bool) -> None:
    threads: set[int] = set()

    def handler(request: FetchRequest) -> Response:
        threads.add(threading.get_ident())
        number = int(request.url.rpartition("/")[2])
        if number % 10 == 3:
            return Response(302, [("location", f"/{number + 1}")])
        if number % 10 == 5:
            raise ConnectionRefusedError(f"not {number}")
        return Response(body=request.url.encode())

    urls = [f"https://{host}.example/{number}" for number in range(50) for host in ("a", "b")]
    with ConnectionPool(handler=handler, retries=0) as pool:
        outcomes = list(pool.fetch_many(urls, ordered=ordered))
        assert pool.stats()["redirects"] == 10
    assert sorted(outcome.request for outcome in outcomes) == sorted(urls)
    if ordered:
        assert [outcome.request for outcome in outcomes] == urls
    assert threading.get_ident() not in threads
    for outcome in outcomes:
        number = int(outcome.request.rpartition("/")[2])
        if number % 10 == 5:
            assert isinstance(outcome.error, ConnectionRefusedError)
        else:
            last = number + 1 if number % 10 == 3 else number
            assert outcome.response.text == f"{outcome.request.rpartition('/')[0]}/{last}"


def test_fetch_many_ends_when_its_caller_does() -> None:
    with ConnectionPool(handler=lambda _: Response(body=b"x" * 1000)) as pool:
        run = pool.fetch_many(f"https://a.example/{number}" for number in range(10_000))
        assert next(run).response.body == b"x" * 1000
        run.cancel()
        assert pool.fetch(URL).body == b"x" * 1000


def test_many_threads_share_a_pool() -> None:
    bodies: list[str] = []
    with ConnectionPool(handler=report, max_connections_per_origin=3) as pool:
        threads = [
            threading.Thread(target=lambda n=n: bodies.append(pool.fetch(f"{URL}/{n}").json()["url"]))
            for n in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(bodies) == sorted(f"{URL}/{n}" for n in range(20))


def test_the_method_of_a_pool_stands_in_for_the_function() -> None:
    before = hyperlite.fetch
    with ConnectionPool(handler=report) as pool, pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(hyperlite, "fetch", pool.fetch)
        monkeypatch.setattr(hyperlite, "fetch_many", pool.fetch_many)
        assert hyperlite.fetch(URL).json()["url"] == URL
        assert [outcome.response.json()["url"] for outcome in hyperlite.fetch_many([URL])] == [URL]
    assert hyperlite.fetch is before


def test_a_pool_that_is_closed_calls_no_handler() -> None:
    called, handler = failing()
    pool = ConnectionPool(handler=handler)
    pool.close()
    with pytest.raises(ValueError, match="closed"):
        pool.fetch(URL)
    assert called == []
