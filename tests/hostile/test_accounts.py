"""Slots, credit and memory are accounted for, however many streams end before their time."""

import gc
import http.client
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import h2
import pytest
from hyperframe.frame import RstStreamFrame

import hyperlite
from hyperlite.errors import ErrorCode
from hyperlite.testing.hostile.case import Case, pattern
from hyperlite.testing.hostile.line import Line, Stage
from tests.http2.engine.conftest import ENGINES
from tests.inside import http2_of

ROUNDS = 1000
SLOTS = 10
PIECE = 16384
WHOLE = 8 << 20
WINDOW = 1 << 20

Ending = Callable[[hyperlite.HTTP20Connection, int], None]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every engine, with a connection window that is soon used up if its credit is not returned."""
    monkeypatch.setenv("HYPERLITE_ENGINE", request.param)
    hyperlite.http2.engine.make_engine()  # imports the module
    for name, module in list(sys.modules.items()):
        if name.startswith("hyperlite.http2.engine") and hasattr(module, "CONNECTION_WINDOW"):
            monkeypatch.setattr(module, "CONNECTION_WINDOW", WINDOW)
    return str(request.param)


class Server:
    """Answers `ROUNDS` requests as `answer` says, and one more with a long body."""

    def __init__(self, answer: Callable[[Line, int], None]) -> None:
        self.answer = answer
        self.stage = Stage(Case("accounts", "accounts", "ok", "RFC 9113 5.2", self.script), tls=False)

    def script(self, line: Line) -> None:
        line.greet(max_concurrent_streams=SLOTS)
        for _ in range(ROUNDS):
            self.answer(line, line.request())
        stream_id = line.request()
        line.send_headers(stream_id, [(":status", "200"), ("content-length", str(WHOLE))])
        line.send_polite(stream_id, WHOLE)

    @property
    def line(self) -> Line:
        (line,) = self.stage.lines
        return line


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[Line, int], None]], Server]]:
    servers: list[Server] = []

    def make(answer: Callable[[Line, int], None]) -> Server:
        servers.append(Server(answer))
        return servers[-1]

    yield make
    for server in servers:
        server.stage.close()
        assert not server.stage.failures


def some_data(line: Line, stream_id: int) -> None:
    """Send a piece of a body as soon as the connection's window allows."""
    line.until(lambda: line.window[0] >= PIECE)
    line.window[0] -= PIECE
    line.send_data(stream_id, pattern(PIECE))


def begin(line: Line, stream_id: int) -> None:
    line.send_headers(stream_id)
    some_data(line, stream_id)


def begin_and_reset(line: Line, stream_id: int) -> None:
    begin(line, stream_id)
    line.rst(stream_id, ErrorCode.INTERNAL_ERROR)


def malformed(line: Line, stream_id: int) -> None:
    line.send_headers(stream_id, [(":status", "200"), ("content-length", "5")])
    some_data(line, stream_id)


def too_late(line: Line, stream_id: int) -> None:
    """Go on sending when the client has reset the stream: it was all on its way already."""
    line.send_headers(stream_id)
    line.until(lambda: bool(line.of(RstStreamFrame, stream_id)))
    some_data(line, stream_id)


def head_too_late(line: Line, stream_id: int) -> None:
    line.until(lambda: bool(line.of(RstStreamFrame, stream_id)))
    line.send_headers(stream_id, [(":status", "200"), ("x-stream", str(stream_id))])
    some_data(line, stream_id)


def close(conn: hyperlite.HTTP20Connection, stream_id: int) -> None:
    conn.getresponse(stream_id).close()


def close_half_read(conn: hyperlite.HTTP20Connection, stream_id: int) -> None:
    response = conn.getresponse(stream_id)
    assert len(response.read(1000)) == 1000
    response.close()


def drop(conn: hyperlite.HTTP20Connection, stream_id: int) -> None:
    conn.getresponse(stream_id)


def cancel(conn: hyperlite.HTTP20Connection, stream_id: int) -> None:
    conn.cancel(stream_id)


def fail(conn: hyperlite.HTTP20Connection, stream_id: int) -> None:
    with pytest.raises(hyperlite.StreamReset):
        conn.getresponse(stream_id).read()


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        pytest.param(begin, close, id="closed"),
        pytest.param(begin, close_half_read, id="closed half read"),
        pytest.param(begin, drop, id="dropped"),
        pytest.param(begin_and_reset, fail, id="reset by the server"),
        pytest.param(malformed, fail, id="malformed"),
        pytest.param(too_late, close, id="data after the reset"),
        pytest.param(head_too_late, cancel, id="head after the reset"),
    ],
)
def test_a_thousand_streams_that_ended_badly(
    engine: str, serve: Callable[..., Server], answer: Callable[[Line, int], None], end: Ending
) -> None:
    """Afterwards the connection is as good as new: its slots are free, its windows whole."""
    server = serve(answer)
    with hyperlite.HTTP20Connection("127.0.0.1", server.stage.port, secure=False, timeout=10) as conn:
        for _ in range(ROUNDS):
            end(conn, conn.request("GET", "/"))
        response = conn.getresponse(conn.request("GET", "/whole"))
        come = 0
        while piece := response.read(65536):
            assert piece == pattern(len(piece), come)
            come += len(piece)
        assert come == WHOLE
        mux = http2_of(conn)
        gc.collect()  # of the exceptions, some are garbage together with their responses
        mux.pump()
        assert mux.counts == (0, 0)
        assert mux.table.unread.total == mux.table.unread.advanced == 0
    server.stage.join()
    assert server.line.window[0] >= WINDOW // 2


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        pytest.param(malformed, fail, id="malformed"),
        pytest.param(too_late, close, id="data after the reset"),
        pytest.param(head_too_late, cancel, id="head after the reset"),
    ],
)
def test_a_stream_is_reset_once(
    engine: str, serve: Callable[..., Server], answer: Callable[[Line, int], None], end: Ending
) -> None:
    """What was on its way when a stream was reset is ignored (RFC 9113 section 5.1), not answered."""
    server = serve(answer)
    with hyperlite.HTTP20Connection("127.0.0.1", server.stage.port, secure=False, timeout=10) as conn:
        for _ in range(ROUNDS):
            end(conn, conn.request("GET", "/"))
        assert len(conn.getresponse(conn.request("GET", "/whole")).read()) == WHOLE
    server.stage.join()
    resets = [frame.stream_id for frame in server.line.of(RstStreamFrame)]
    assert len(resets) == len(set(resets))


@pytest.mark.parametrize("together", [1, 50])
def test_uploads_that_ended_badly(engine: str, serve: Callable[..., Server], together: int) -> None:
    """The connection's sending window is the peer's to give back; ours is to go on with the others."""

    def refuse(line: Line, stream_id: int) -> None:
        line.until(lambda: line.uploaded.get(stream_id, 0) > 0)
        line.rst(stream_id, ErrorCode.CANCEL)
        uploaded = sum(line.uploaded.values())
        if uploaded > refuse.credited:  # type: ignore[attr-defined]
            line.window_update(0, uploaded - refuse.credited)  # type: ignore[attr-defined]
            refuse.credited = uploaded  # type: ignore[attr-defined]

    refuse.credited = 0  # type: ignore[attr-defined]
    server = serve(refuse)
    with hyperlite.HTTP20Connection("127.0.0.1", server.stage.port, secure=False, timeout=10) as conn:
        for _ in range(ROUNDS // together):
            ids = []
            for _ in range(together):
                try:
                    ids.append(conn.request("POST", "/", body=bytes(100_000)))
                except hyperlite.StreamReset:
                    continue
            for stream_id in ids:
                fail(conn, stream_id)
        assert len(conn.getresponse(conn.request("GET", "/whole")).read()) == WHOLE


def test_memory_does_not_grow_with_streams_that_ended_badly(
    engine: str, serve: Callable[..., Server]
) -> None:
    server = serve(begin_and_reset)
    with hyperlite.HTTP20Connection("127.0.0.1", server.stage.port, secure=False, timeout=10) as conn:
        for _ in range(100):
            fail(conn, conn.request("GET", "/"))
        gc.collect()
        tracemalloc.start()
        try:
            for _ in range(ROUNDS - 100):
                fail(conn, conn.request("GET", "/"))
            gc.collect()
            snapshot = tracemalloc.take_snapshot().filter_traces(
                [
                    *(
                        tracemalloc.Filter(True, f"{Path(package.__file__).parent}/*")
                        for package in (hyperlite, h2)
                    ),
                    # The server, which keeps what it has seen.
                    tracemalloc.Filter(False, f"{Path(hyperlite.__file__).parent}/testing/*"),
                ]
            )
        finally:
            tracemalloc.stop()
        assert len(conn.getresponse(conn.request("GET", "/whole")).read()) == WHOLE
    kept = sum(trace.size for trace in snapshot.traces)
    assert kept < 500 * ROUNDS, f"{kept} bytes are kept of {ROUNDS} streams"


def test_siblings_of_every_malformed_message_are_unharmed(engine: str) -> None:
    """One connection, a good response between any two bad ones."""
    bad = [
        [(":status", "20")],
        [("x", "y")],
        [(":status", "200"), ("X", "y")],
        [(":status", "200"), ("content-length", "x")],
        [(":status", "200"), ("connection", "close")],
        [(":status", "200"), (":path", "/")],
        [(":status", "101")],
        [(":status", "200"), ("x", "a\nb")],
    ]

    def script(line: Line) -> None:
        line.greet()
        for fields in bad:
            wrong, right = line.request(), line.request()
            line.send_headers(right)
            line.send_headers(wrong, fields)
            line.send_data(right, b"half")
            line.send_data(wrong, b"late")
            line.send_data(right, b"whole", end_stream=True)

    stage = Stage(Case("siblings", "accounts", "ok", "RFC 9113 5.4.2", script), tls=False)
    try:
        with hyperlite.HTTP20Connection("127.0.0.1", stage.port, secure=False, timeout=5) as conn:
            for _ in bad:
                wrong, right = conn.request("GET", "/wrong"), conn.request("GET", "/right")
                with pytest.raises(hyperlite.MalformedResponse) as caught:
                    conn.getresponse(wrong).read()
                assert caught.value.stream_id == wrong
                assert isinstance(caught.value, http.client.HTTPException)
                assert conn.getresponse(right).read() == b"halfwhole"
        stage.join()
        assert len(stage.lines) == 1
    finally:
        stage.close()
    assert not stage.failures
