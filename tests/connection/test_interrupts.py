"""A KeyboardInterrupt anywhere in a call: the connection goes on or opens anew, and nothing stays behind."""

import contextlib
import functools
import gc
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

import hyperlite
from hyperlite import client
from hyperlite.http1.body import HTTP1Body
from hyperlite.http1.connection import HTTP1Connection
from hyperlite.http1.exchange import HTTP1Exchange
from hyperlite.http1.response import QueuedResponse
from hyperlite.http1.wire import _Reader
from hyperlite.http2.connection import HTTP2Connection
from hyperlite.testing.certificates import certificates
from tests.conftest import Connect, Serve
from tests.interrupts import Scenario, moments
from tests.peer import Task

# Of a socket, or a file on it, that the interrupted call alone knew.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
CONN = hyperlite.HTTP20Connection
# Of hundreds of moments in each call; see `interrupts.EVERY`.
SAMPLES = 5


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Have what a test leaves finalized within it, and not in another."""
    yield
    gc.collect()


def pieces() -> Iterator[bytes]:
    yield b"one"
    yield b"two"


def send_in_pieces(conn: CONN, ids: list[int]) -> None:
    ids.append(conn.request("POST", "/echo", end_stream=False))
    conn.send(b"one", ids[-1])
    conn.send(b"two", ids[-1])
    conn.end(ids[-1])


def put(conn: CONN, ids: list[int]) -> None:
    try:
        conn.putrequest("POST", "/echo")
        conn.putheader("Content-Length", 6)
        ids.append(conn.endheaders(b"one"))
    except BaseException:
        conn.cancel()
        raise
    conn.send(b"two", ids[-1])


def take(conn: CONN, ids: list[int]) -> None:
    ids.append(conn.request("GET", "/chunks?n=6"))
    conn.getresponse(ids[-1])


def read_whole(conn: CONN, ids: list[int]) -> None:
    ids.append(conn.request("GET", "/sized?n=30000"))
    assert len(conn.getresponse(ids[-1]).read()) == 30_000


def read_in_pieces(conn: CONN, ids: list[int]) -> None:
    ids.append(conn.request("GET", "/chunks?n=6"))
    response = conn.getresponse(ids[-1])
    while response.read(25):
        pass


def close_early(conn: CONN, ids: list[int]) -> None:
    ids.append(conn.request("GET", "/chunks?n=6"))
    conn.getresponse(ids[-1]).close()


def one_behind_another(conn: CONN, ids: list[int]) -> None:
    ids.append(conn.request("GET", "/chunks?n=6"))
    ids.append(conn.request("GET", "/chunks?n=5"))
    last = conn.getresponse(ids[1])
    assert len(last.read()) == 50
    assert len(conn.getresponse(ids[0]).read()) == 60


def many(conn: CONN, ids: list[int]) -> None:
    ids += conn.request_many([("GET", f"/sized?n={n}") for n in range(3)])


def ready(conn: CONN, ids: list[int]) -> None:
    for _ in range(3):
        ids.append(conn.request("GET", "/"))  # noqa: PERF401  a comprehension would lose them all
    for stream_id in conn.as_ready(ids):
        conn.getresponse(stream_id).read()


def cancel(conn: CONN, ids: list[int]) -> None:
    ids.append(conn.request("GET", "/slow"))
    ids.append(conn.request("GET", "/slow"))
    conn.cancel(ids[1])
    conn.cancel(ids[0])


def close(conn: CONN, ids: list[int]) -> None:
    ids.append(conn.request("GET", "/slow"))
    ids.append(conn.request("GET", "/"))
    conn.close()


SCENARIOS: dict[str, Scenario] = {
    "request": lambda conn, ids: ids.append(conn.request("GET", "/")),
    "a body": lambda conn, ids: ids.append(conn.request("POST", "/echo", b"x" * 20_000)),
    "a body in pieces": lambda conn, ids: ids.append(conn.request("POST", "/echo", pieces())),
    "send": send_in_pieces,
    "putrequest": put,
    "request_many": many,
    "getresponse": take,
    "read": read_whole,
    "read in pieces": read_in_pieces,
    "response.close": close_early,
    "one behind another": one_behind_another,
    "as_ready": ready,
    "cancel": cancel,
    "close": close,
}


def check(conn: CONN, ids: list[int], number: int) -> None:
    """Ask for something else, and look at what is left."""
    assert set(conn._pending.requests) <= set(ids), "a request that its caller cannot name"
    for stream_id in list(conn._pending.requests):
        conn.cancel(stream_id)
    response = conn.getresponse(conn.request("GET", f"/sized?n={1000 + number}"))
    assert len(response.read()) == 1000 + number
    assert not conn._pending.requests
    current = conn._transports.current
    assert current is not None
    assert current.counts == (0, 0)
    leader = current._io.leadership if isinstance(current, HTTP2Connection) else current._leadership
    assert not leader.held
    assert not leader._sleepers
    assert not conn._transports.dialling._is_owned()  # type: ignore[attr-defined]
    if not isinstance(current, HTTP2Connection):
        assert not current._socket.working
        assert not current._socket._doomed
    assert all(mux.closed or mux.counts == (0, 0) for mux in conn._transports.draining)


# To connect is the same for all of them.
KINDS = [(True, name) for name in SCENARIOS] + [(False, "request"), (False, "a body in pieces")]


@pytest.mark.parametrize(("acquainted", "name"), KINDS)
@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_at_each_moment(serve: Serve, connect: Connect, alpn: str, name: str, acquainted: bool) -> None:
    server = serve(alpn=(alpn,))
    problems = []
    for interrupt in moments(SAMPLES):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # of a socket that was lost in the very call
            conn = connect(server, timeout=3)
            if acquainted:
                assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"
            ids: list[int] = []
            try:
                with interrupt, contextlib.suppress(hyperlite.HTTP2Error):
                    SCENARIOS[name](conn, ids)
                check(conn, ids, interrupt.at)
            except Exception as error:
                problems.append(f"{interrupt.at}: {interrupt.where}: {type(error).__name__}: {error}"[:300])
            with contextlib.suppress(Exception):
                conn.close()
        assert len(problems) < 10, "\n".join(problems)
    assert not problems, "\n".join(problems)


def test_http_client_on_http_2(serve: Serve) -> None:
    """close() gives up whatever an interrupt has left, and the next request opens a new connection."""
    server = serve(alpn=("h2",))
    context = certificates().client_context()
    for interrupt in moments(SAMPLES * 4):
        conn = client.HTTPSConnection("localhost", server.port, context=context, timeout=5)
        conn.request("GET", "/")
        assert conn.getresponse().read() == b"hello"
        mux = conn.sock.connection
        with interrupt, contextlib.suppress(hyperlite.HTTP2Error):
            conn.request("POST", "/echo", pieces())
            assert conn.getresponse().read() == b"onetwo"
        conn.close()
        assert (mux.counts, mux.closed) == ((0, 0), True), interrupt.where
        conn.request("GET", f"/sized?n={interrupt.at}")
        assert len(conn.getresponse().read()) == interrupt.at, interrupt.where
        conn.close()


@pytest.mark.parametrize(("where", "step"), [(HTTP2Connection, "submit"), (client.HTTPResponse, "begin")])
def test_http_client_at_the_worst_moments(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, where: type, step: str
) -> None:
    """The stream is submitted, and the call that would have told of it does not return."""
    server = serve(alpn=("h2",))
    conn = client.HTTPSConnection(
        "localhost", server.port, context=certificates().client_context(), timeout=5
    )
    conn.connect()
    mux = conn.sock.connection
    call = getattr(where, step)

    def interrupted(*args: Any, **options: Any) -> None:
        monkeypatch.undo()
        if where is HTTP2Connection:
            call(*args, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(where, step, interrupted)
    with pytest.raises(KeyboardInterrupt):
        conn.request("GET", "/slow")
        conn.getresponse()
    conn.close()
    assert (mux.counts, mux.closed) == ((0, 0), True)


class TestHttp1:
    """On HTTP/1.1, where a lost byte is one of the next response."""

    @pytest.fixture
    def conn(self, serve: Serve, connect: Connect) -> CONN:
        return connect(serve(alpn=("http/1.1",)), timeout=5)

    @pytest.mark.parametrize(
        ("end", "where", "step"),
        [
            ("close", HTTP1Connection, "_on_closed"),
            ("close", HTTP1Connection, "_hang_up_locked"),
            ("close", _Reader, "close"),
            ("read", HTTP1Connection, "_on_closed"),
            ("read", _Reader, "close"),
        ],
    )
    def test_a_response_whose_end_was_interrupted(
        self, conn: CONN, monkeypatch: pytest.MonkeyPatch, end: str, where: type, step: str
    ) -> None:
        """The connection may have heard nothing of it; it sees for itself that nothing more can be read."""

        def interrupted(*_: object) -> None:
            monkeypatch.undo()
            raise KeyboardInterrupt

        response = conn.getresponse(conn.request("GET", "/chunks?n=1000"))
        assert isinstance(response, QueuedResponse)
        monkeypatch.setattr(where, step, interrupted)
        if step == "_on_closed":  # it was bound before
            response.when_closed = interrupted
        with pytest.raises(KeyboardInterrupt):
            getattr(response, end)()
        for size in (3, 4):
            assert len(conn.getresponse(conn.request("GET", f"/sized?n={size}")).read()) == size

    def test_a_read_that_was_interrupted(self, conn: CONN, monkeypatch: pytest.MonkeyPatch) -> None:
        """What it had read is nowhere: what comes behind it is not given out as if nothing were missing."""
        response = conn.getresponse(conn.request("GET", "/sized?n=3000"))
        receive = HTTP1Body._receive

        def interrupted(*args: Any) -> None:
            monkeypatch.undo()
            receive(*args)
            raise KeyboardInterrupt

        monkeypatch.setattr(HTTP1Body, "_receive", interrupted)
        with pytest.raises(KeyboardInterrupt):
            response.read(1000)
        with pytest.raises(hyperlite.IncompleteBody, match="interrupted"):
            response.read(1000)
        assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"

    def test_an_interrupt_is_that_of_its_own_thread(self, serve: Serve, connect: Connect) -> None:
        """The main thread works for another when it is interrupted: the other gets an error, no interrupt."""
        conn = connect(serve(alpn=("http/1.1",)), timeout=5)
        theirs = Task(conn.request, "GET", "/late").result()
        lane = conn._transports.current
        assert isinstance(lane, HTTP1Connection)
        receive = HTTP1Connection._receive

        def interrupted(self: HTTP1Connection, exchange: HTTP1Exchange, until: float | None) -> None:
            if exchange.stream_id == theirs:
                raise KeyboardInterrupt
            receive(self, exchange, until)

        lane._receive = functools.partial(interrupted, lane)  # type: ignore[method-assign]
        with pytest.raises(KeyboardInterrupt):
            conn.getresponse(conn.request("GET", "/"))
        with pytest.raises(hyperlite.ConnectionLost, match="interrupted"):
            Task(conn.getresponse, theirs).result()
        assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"
