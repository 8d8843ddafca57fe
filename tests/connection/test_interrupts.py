"""A KeyboardInterrupt anywhere in a call: the connection goes on or opens anew, and nothing stays behind."""

import contextlib
import gc
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

import hyperlite
from hyperlite import client
from hyperlite.http1.connection import HTTP1Connection
from hyperlite.http2.connection import HTTP2Connection
from hyperlite.testing.certificates import certificates
from tests.conftest import Connect, Serve
from tests.inside import leadership_of, pending_of, sleepers_on, transport_of, transports_of, work_left_of
from tests.interrupts import Scenario, moments

# Of a socket, or a file on it, that the interrupted call alone knew.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
CONN = hyperlite.HTTP20Connection
# Of hundreds of moments in each call; see `interrupts.EVERY`.
SAMPLES = 5
# Seconds after which a call hangs; on a busy machine a handshake alone may take several.
PATIENCE = 30


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
    assert set(pending_of(conn).requests) <= set(ids), "a request that its caller cannot name"
    for stream_id in list(pending_of(conn).requests):
        conn.cancel(stream_id)
    response = conn.getresponse(conn.request("GET", f"/sized?n={1000 + number}"))
    assert len(response.read()) == 1000 + number
    assert not pending_of(conn).requests
    current = transport_of(conn)
    assert current.counts == (0, 0)
    assert not leadership_of(current).held
    assert not sleepers_on(current)
    assert not transports_of(conn).dialling._is_owned()  # type: ignore[attr-defined]
    if isinstance(current, HTTP1Connection):
        assert work_left_of(current) == (False, [])
    assert all(mux.closed or mux.counts == (0, 0) for mux in transports_of(conn).draining)


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
            conn = connect(server, timeout=PATIENCE)
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
        conn = client.HTTPSConnection("localhost", server.port, context=context, timeout=PATIENCE)
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
        "localhost", server.port, context=certificates().client_context(), timeout=PATIENCE
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
