"""Reading in any order makes progress, in bounded memory."""

import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from h2.settings import SettingCodes

import hyperlite
from hyperlite.testing.server import Response
from tests.conftest import Connect, Serve
from tests.inside import transport_of

MIB = 1 << 20
SCRIPT = Path(__file__).with_name("read_backwards.py")


@pytest.mark.parametrize("limit", [100, 10])
def test_a_hundred_mebibytes_in_reverse(serve: Serve, connect: Connect, limit: int) -> None:
    server = serve(settings={SettingCodes.MAX_CONCURRENT_STREAMS: limit}, secure=False)
    conn = connect(server, secure=False, max_buffered=200 * MIB)
    ids = [conn.request("GET", f"/sized?n={MIB}") for _ in range(100)]
    for stream_id in reversed(ids):
        assert len(conn.getresponse(stream_id).read()) == MIB
    assert server.connections == 1


def backwards(port: int, max_buffered: int) -> tuple[str, int]:
    """Read 100 responses of 8 MiB, the last first, in a new process: the outcome, and the growth in MiB."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(port), str(max_buffered)],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    outcome, growth = done.stdout.rsplit(maxsplit=1)
    return outcome, int(growth)


def test_past_max_buffered_the_error_names_it(serve: Serve) -> None:
    """Ten streams of 1 MiB windows and 16 MiB beyond them are all that may lie unread."""
    body = b"x" * (8 * MIB)
    server = serve(
        routes=lambda _: Response(body=body),
        settings={SettingCodes.MAX_CONCURRENT_STREAMS: 10},
        secure=False,
    )
    outcome, growth = backwards(server.port, 16 * MIB)
    assert "BufferLimitExceeded" in outcome
    assert "max_buffered" in outcome
    assert growth < 10 + 16 + 20


def test_with_room_enough_it_goes_on(serve: Serve) -> None:
    body = b"x" * (8 * MIB)
    server = serve(
        routes=lambda _: Response(body=body),
        settings={SettingCodes.MAX_CONCURRENT_STREAMS: 10},
        secure=False,
    )
    outcome, growth = backwards(server.port, 1024 * MIB)
    assert outcome == "all read"
    assert growth < 800 + 60


def test_unread_answers_do_not_hold_up_another_thread_s(serve: Serve, connect: Connect) -> None:
    """What one thread leaves unread takes all slots; another thread's request still gets its turn."""
    server = serve(settings={SettingCodes.MAX_CONCURRENT_STREAMS: 2})
    conn = connect(server)
    unread = [conn.getresponse(conn.request("GET", f"/sized?n={3 * MIB}")) for _ in range(2)]
    assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"
    assert [len(response.read()) for response in unread] == [3 * MIB, 3 * MIB]


def test_a_queued_request_is_not_started_while_too_much_lies_unread(serve: Serve, connect: Connect) -> None:
    server = serve(settings={SettingCodes.MAX_CONCURRENT_STREAMS: 3})
    conn = connect(server, max_buffered=100_000)
    conn.getresponse(conn.request("GET", "/")).read()  # now the server's limits are known
    ids = [conn.request("GET", "/sized?n=500000") for _ in range(6)]
    assert sorted(conn.as_ready(ids[:3])) == ids[:3]
    conn.ping()  # whatever was sent before it has come
    assert len(server.log) == 1 + 3
    assert len(conn.getresponse(ids[5]).read()) == 500_000  # its own response is waited for
    assert [len(conn.getresponse(stream_id).read()) for stream_id in ids[:5]] == [500_000] * 5


class TestOnHTTP11:
    def test_past_max_buffered_a_further_connection_opens(self, serve: Serve, connect: Connect) -> None:
        server = serve(alpn=("http/1.1",))
        conn = connect(server, max_buffered=250_000)
        ids = [conn.request("GET", "/sized?n=100000") for _ in range(5)]
        ids.append(conn.request("GET", "/chunks?n=30000"))
        ids.append(conn.request("GET", "/"))
        responses = {stream_id: conn.getresponse(stream_id) for stream_id in ids}
        assert [len(responses[stream_id].read()) for stream_id in reversed(ids)] == [
            5,
            300_000,
            *[100_000] * 5,
        ]
        assert 2 <= server.connections <= 5

    def test_the_server_closes_between_responses(self, serve: Serve, connect: Connect) -> None:
        server = serve(alpn=("http/1.1",), requests_per_connection=3)
        conn = connect(server)
        ids = [conn.request("POST", f"/sized?n={n}", b"body") for n in range(20)]
        assert [len(conn.getresponse(stream_id).read()) for stream_id in ids] == list(range(20))
        assert server.connections == 7
        assert len(server.log) == 20

    def test_requests_follow_when_a_response_is_read(self, serve: Serve, connect: Connect) -> None:
        server = serve(alpn=("http/1.1",))
        conn = connect(server)
        first, second = conn.request("GET", "/sized?n=100000"), conn.request("POST", "/count", b"sent")
        assert len(server.log) <= 1
        conn.getresponse(first).read()
        assert conn.getresponse(second).read() == b"4"
        assert [target for *_, target in server.log] == ["/sized?n=100000", "/count"]


def test_ids_outlive_the_numbers_of_the_wire(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Near 2**31 a connection runs out of numbers: it finishes what it has, and a new one takes over."""
    server = serve()
    make = hyperlite.transports.make_engine
    with monkeypatch.context() as patch:
        patch.setattr(hyperlite.transports, "make_engine", lambda **_: make(first_wire_id=2**31 - 9))
        conn = connect(server)
        ids = [conn.request("GET", "/late")]
    assert ids == [1]
    old = transport_of(conn)
    ids += [conn.request("GET", f"/sized?n={n}") for n in range(20)]
    assert transport_of(conn) is not old
    assert ids == list(range(1, 42, 2))
    assert conn.getresponse(1).read() == b"late"
    assert [len(conn.getresponse(stream_id).read()) for stream_id in ids[1:]] == list(range(20))
    assert old.closed
    assert server.connections == 2


def test_a_request_cancelled_while_its_connection_opens(serve: Serve, connect: Connect) -> None:
    """Its answer, if it comes all the same, must not be taken for that of the next."""
    server = serve(alpn=("http/1.1",), requests_per_connection=1)
    conn = connect(server)
    assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"
    dialling, go_on = threading.Event(), threading.Event()
    create_connection = conn._create_connection

    def slowly(*args: Any) -> socket.socket:
        dialling.set()
        go_on.wait(10)
        return create_connection(*args)

    def call() -> None:
        with pytest.raises(hyperlite.StreamReset, match="cancelled"):
            conn.request("GET", "/sized?n=3")

    conn._create_connection = slowly
    caller = threading.Thread(target=call)
    caller.start()
    assert dialling.wait(10)
    conn.cancel(3)
    go_on.set()
    caller.join(10)
    assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"


def test_reading_a_response_does_not_wait_for_the_next_connection(serve: Serve, connect: Connect) -> None:
    """HTTP/1.1: the server closed after the first of two, and cannot be reached again."""
    server = serve(alpn=("http/1.1",), requests_per_connection=1)
    conn = connect(server, timeout=5)
    first, second = conn.request("GET", "/chunks?n=5000"), conn.request("GET", "/")
    response = conn.getresponse(first)

    def unreachable(*_: Any) -> socket.socket:
        raise ConnectionRefusedError("no server there")

    conn._create_connection = unreachable
    assert len(response.read()) == 50_000
    with pytest.raises(ConnectionRefusedError):
        conn.getresponse(second)


def test_connect_leaves_what_is_queued_to_the_connection_that_has_it(serve: Serve, connect: Connect) -> None:
    server = serve(settings={SettingCodes.MAX_CONCURRENT_STREAMS: 3})
    conn = connect(server)
    conn.getresponse(conn.request("GET", "/")).read()  # the limit is known
    ids = [conn.request("GET", "/") for _ in range(10)]
    conn.connect()
    ids.append(conn.request("GET", "/"))
    for stream_id in ids:
        assert conn.getresponse(stream_id).read()
    assert server.connections == 2


def test_connect_leaves_the_queue_of_http_1_1_to_the_former_connection(
    serve: Serve, connect: Connect
) -> None:
    server = serve(alpn=("http/1.1",))
    conn = connect(server)
    ids = [conn.request("GET", f"/sized?n={n}") for n in (1, 2)]
    conn.connect()
    ids.append(conn.request("GET", "/sized?n=3"))
    assert [conn.getresponse(stream_id).read() for stream_id in ids] == [b"x", b"xx", b"xxx"]
    assert server.connections == 2
