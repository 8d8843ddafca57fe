"""What is tried again, and what is not."""

import contextlib
import http.client
import socket
import ssl
import threading
import time

import pytest

from hyperlite import ConnectionPool, Retries
from hyperlite.fetching.retries import HopTries
from hyperlite.fetching.task import retry_after
from hyperlite.messages.replay import Tried
from hyperlite.testing.server import Request, Response, Server
from tests.conftest import MakePool, Serve


class Flaky:
    """Fails as it is told, and then answers."""

    def __init__(self, *answers: Response) -> None:
        self.answers = list(answers)
        self.times: list[float] = []

    def __call__(self, _: Request) -> Response:
        self.times.append(time.monotonic())
        return self.answers.pop(0) if self.answers else Response(body=b"at last")


class Abrupt:
    """Over http: closes the first connections after it has read a request, and answers on the others."""

    def __init__(
        self, failures: int, *, answer: bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    ) -> None:
        self.accepted = 0
        self._failures = failures
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock = self._listener.accept()[0]
                self.accepted += 1
                with sock:
                    sock.recv(65536)
                    if self.accepted > self._failures:
                        sock.sendall(self._answer)

    def __enter__(self) -> "Abrupt":
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def test_after_a_broken_connection(make_pool: MakePool):
    pool = make_pool(retries=Retries(total=2, backoff=0.01))
    with Abrupt(2) as server:
        assert pool.fetch(server.url).body == b"ok"
        assert server.accepted == 3
    with Abrupt(3) as server, pytest.raises(ConnectionError):
        pool.fetch(server.url)
    with Abrupt(1) as server, pytest.raises(ConnectionError):
        pool.fetch(server.url, "POST", body=b"x")
    with Abrupt(2) as server:
        assert [outcome.result().body for outcome in pool.fetch_many([server.url])] == [b"ok"]


def test_a_body_that_ends_too_early(make_pool: MakePool):
    pool = make_pool(retries=0)
    short = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345"
    for options in ({}, {"deadline": 5}):
        with Abrupt(0, answer=short) as server:
            with pytest.raises(http.client.IncompleteRead):
                pool.fetch(server.url, **options)
            with (
                pytest.raises(http.client.IncompleteRead),
                pool.fetch(server.url, stream=True, **options) as response,
            ):
                while response.read(3):
                    pass


def test_after_503_with_retry_after(pool: ConnectionPool, serve: Serve):
    flaky = Flaky(
        Response(503, headers=[("retry-after", "0")]), Response(429, headers=[("retry-after", "0")])
    )
    server = serve(routes={"/": flaky})
    assert pool.fetch(server.url("/")).body == b"at last"
    assert len(flaky.times) == 3
    assert pool.stats()["retries"] == 2


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_not_what_may_not_be_repeated(pool: ConnectionPool, serve: Serve, method: str):
    server = serve(routes={"/": Flaky(Response(503, headers=[("retry-after", "0")]))})
    assert pool.fetch(server.url("/"), method).status == 503


@pytest.mark.parametrize("value", [None, "soon", "31", "999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_not_where_it_is_not_said_when_or_too_late(pool: ConnectionPool, serve: Serve, value: str | None):
    headers = [] if value is None else [("retry-after", value)]
    server = serve(routes={"/": Flaky(Response(503, headers=headers))})
    assert pool.fetch(server.url("/")).status == 503


def test_a_date_that_is_past_means_now(pool: ConnectionPool, serve: Serve):
    headers = [("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT")]
    assert pool.fetch(serve(routes={"/": Flaky(Response(503, headers=headers))}).url("/")).status == 200


def test_no_more_often_than_allowed(make_pool: MakePool, serve: Serve):
    later = Response(503, headers=[("retry-after", "0")], body=b"later")
    flaky = Flaky(*[later] * 10)
    url = serve(routes={"/": flaky}).url("/")
    response = make_pool(retries=3).fetch(url)
    assert (response.status, response.body, len(flaky.times)) == (503, b"later", 4)
    assert make_pool().fetch(url, retries=0).status == 503
    assert len(flaky.times) == 5
    assert make_pool(retries=Retries(statuses=frozenset())).fetch(url).status == 503


def test_not_beyond_the_deadline(pool: ConnectionPool, serve: Serve):
    server = serve(routes={"/": Flaky(Response(503, headers=[("retry-after", "5")]))})
    assert pool.fetch(server.url("/"), deadline=2).status == 503


def test_a_refused_connection(make_pool: MakePool, serve: Serve):
    server = serve()
    server.close()
    pool = make_pool(retries=Retries(total=2, backoff=0.01))
    with pytest.raises(ConnectionRefusedError):
        pool.fetch(server.url("/"))
    assert pool.stats()["failed_dials"] == 3


def test_a_certificate_that_does_not_hold_is_not_tried_twice(make_pool: MakePool, server: Server):
    pool = make_pool(verify=True)
    with pytest.raises(ssl.SSLCertVerificationError):
        pool.fetch(server.url("/"))
    assert pool.stats()["dialled"] == 1


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_a_connection_that_was_closed_while_idle(pool: ConnectionPool, serve: Serve, alpn: str):
    server = serve(alpn=(alpn,), requests_per_connection=1)
    for number in range(5):
        assert pool.fetch(server.url("/report"), "POST", body=b"x").json()["body"] == "x"
        assert server.connections == number + 1
    assert pool.stats()["retries"] == 0


def test_more_retries_than_a_float_can_double(make_pool: MakePool) -> None:
    """The pause doubles each time; after 1,023 times it would have no room in a float."""
    with Abrupt(1030) as server:
        response = make_pool(retries=Retries(total=1030, backoff=0)).fetch(server.url)
        assert response.body == b"ok"
        assert server.accepted == 1031


def test_the_year_9999_is_no_further_away_than_a_thread_can_sleep() -> None:
    assert retry_after("Fri, 31 Dec 9999 23:59:59 GMT") == threading.TIMEOUT_MAX


# -- statuses that the program names --------------------------------------------------------------


@pytest.mark.parametrize("value", [None, "soon"])
def test_a_status_that_is_named_needs_no_retry_after(make_pool: MakePool, serve: Serve, value: str | None):
    headers = [] if value is None else [("retry-after", value)]
    for status in (503, 500):
        flaky = Flaky(Response(status, headers=headers), Response(status, headers=headers))
        url = serve(routes={"/": flaky}).url("/")
        pool = make_pool(retries=Retries(total=3, backoff=0.05, statuses=[500, 503]))
        assert pool.fetch(url).body == b"at last"
        first, second, third = flaky.times
        assert second - first >= 0.025
        assert third - second >= 0.05
        flaky.answers = [Response(status, headers=headers)] * 2
        (outcome,) = pool.fetch_many([url])
        assert outcome.result().body == b"at last"
        assert outcome.attempts == 3


def test_a_status_that_is_named_and_stays(make_pool: MakePool, serve: Serve):
    later = Response(502, body=b"later")
    flaky = Flaky(*[later] * 10)
    url = serve(routes={"/": flaky}).url("/")
    pool = make_pool(retries=Retries(total=2, backoff=0, statuses={502}))
    response = pool.fetch(url)
    assert (response.status, response.body) == (502, b"later")
    assert len(flaky.times) == 3
    assert pool.fetch(url, "POST").status == 502
    assert len(flaky.times) == 4
    assert pool.fetch(url, retries=0).status == 502
    assert len(flaky.times) == 5


def test_a_retry_after_goes_before_the_back_off():
    retries = Retries(backoff=10, statuses=[500], longest=30)
    first, second = HopTries(), HopTries(counted=1)
    assert retries.later(500, 3.0, "GET", first) == (3.0, 3.0)
    assert retries.later(500, 31.0, "GET", first) is None
    assert retries.later(500, None, "GET", first) == (5.0, 10.0)
    assert retries.later(500, None, "GET", second) == (10.0, 20.0)
    assert Retries(total=9, backoff=10, statuses=[500]).later(500, None, "GET", HopTries(counted=5)) == (
        15,
        30,
    )
    assert retries.later(503, 3.0, "GET", first) is None
    assert retries.later(500, None, "POST", first) is None
    assert Retries().later(503, None, "GET", first) is None
    assert Retries().later(503, 0.0, "GET", first) == (0, 0)


def test_pauses_differ_and_have_a_bound():
    error = ConnectionResetError()
    pauses = set()
    for _ in range(50):
        following = Retries(backoff=0.1).again(error, HopTries(counted=1), "GET", Tried())
        assert following is not None
        assert 0.1 <= following[0] <= 0.2
        pauses.add(following[0])
    assert len(pauses) > 10


@pytest.mark.parametrize("statuses", [503, "503", ["503"], [True]])
def test_statuses_that_are_none(statuses: object):
    with pytest.raises(TypeError, match="statuses"):
        Retries(statuses=statuses)  # type: ignore[arg-type]


# -- attempts -------------------------------------------------------------------------------------


def test_attempts(make_pool: MakePool, serve: Serve):
    flaky = Flaky(Response(503, headers=[("retry-after", "0")]), Response(302, headers=[("location", "/")]))
    server = serve(routes={"/": flaky, "/once": lambda _: Response()})
    pool = make_pool(retries=Retries(total=2, backoff=0.01))
    with Abrupt(5) as abrupt:
        urls = [server.url("/once"), server.url("/"), "nonsense", abrupt.url, "http://127.0.0.1:1/"]
        outcomes = list(pool.fetch_many(urls, ordered=True))
    assert [outcome.attempts for outcome in outcomes] == [1, 2, 0, 3, 3]
    assert [outcome.ok for outcome in outcomes] == [True, True, False, False, False]
