"""gRPC by the client in docs/examples, against a server made by grpcio: all kinds of calls, and errors."""

import importlib.util
import socket
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import hyperlite
from tests.docs.test_documents import run
from tests.inside import http2_of

from .runtimes import grpc_server
from .servers import PATIENCE, Site, free_port

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "grpc_client.py"
SERVICE = "/test.Calculator/"


def load_example() -> Any:
    spec = importlib.util.spec_from_file_location("grpc_client", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


grpc_client = load_example()


def encode(value: int) -> bytes:
    """Return a google.protobuf.Int64Value: field 1, a varint; left out where it is 0."""
    value &= (1 << 64) - 1
    if not value:
        return b""
    digits = bytearray(b"\x08")
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(digits) + bytes([value])


def decode(message: bytes) -> int:
    """Return the number in a google.protobuf.Int64Value."""
    value = sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(message[1:]))
    return struct.unpack("<q", struct.pack("<Q", value))[0]


@pytest.fixture(scope="module", params=[True, False], ids=["TLS", "cleartext"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with grpc_server(tmp_path_factory.mktemp("grpc"), secure=request.param) as site:
        yield site


@pytest.fixture
def conn(site: Site) -> Iterator[hyperlite.HTTP20Connection]:
    with site.connect() as conn:
        yield conn


@pytest.fixture
def channel(conn: hyperlite.HTTP20Connection) -> Any:
    return grpc_client.Channel(conn)


class TestTheFourKinds:
    @pytest.mark.parametrize("number", [0, 1, -1, 300, 3_000_000_000])
    def test_unary(self, channel: Any, number: int) -> None:
        assert decode(channel.unary(SERVICE + "Square", encode(number))) == number**2

    def test_server_streaming(self, channel: Any) -> None:
        answers = channel.server_streaming(SERVICE + "CountTo", encode(1000))
        assert [decode(answer) for answer in answers] == list(range(1, 1001))

    def test_client_streaming(self, channel: Any) -> None:
        assert decode(channel.client_streaming(SERVICE + "AddUp", map(encode, range(1001)))) == 500_500

    def test_client_streaming_of_nothing(self, channel: Any) -> None:
        assert decode(channel.client_streaming(SERVICE + "AddUp", [])) == 0

    def test_both_directions(self, channel: Any) -> None:
        call = channel.call(SERVICE + "AddUpAsWeGo")
        answers = iter(call)
        for number in range(1, 101):
            call.send(encode(number))
            assert decode(next(answers)) == number * (number + 1) // 2
        call.end()
        assert list(answers) == []

    def test_many_calls_on_one_connection(self, channel: Any) -> None:
        calls = [channel.call(SERVICE + "AddUpAsWeGo") for _ in range(50)]
        answers = [iter(call) for call in calls]
        for step in (1, 2, 3):
            for number, call in enumerate(calls):
                call.send(encode(number))
            assert [decode(next(one)) for one in answers] == [step * number for number in range(50)]
        for call in calls:
            call.end()
        assert [list(one) for one in answers] == [[]] * 50


class TestMetadata:
    def test_before_and_behind(self, conn: hyperlite.HTTP20Connection) -> None:
        headers = {"content-type": "application/grpc", "te": "trailers", "question": "what is 6 squared?"}
        body = struct.pack(">BI", 0, 2) + encode(6)
        with conn.getresponse(conn.request("POST", SERVICE + "Square", body, headers)) as response:
            assert response.getheader("content-type") == "application/grpc"
            assert response.getheader("seen") == "what is 6 squared?"
            assert decode(response.read()[5:]) == 36
            assert response.trailers["grpc-status"] == "0"
            assert response.trailers["asked"] == "6"


class TestErrors:
    def test_trailers_only(self, channel: Any) -> None:
        with pytest.raises(grpc_client.RpcError) as caught:
            channel.unary(SERVICE + "Root", encode(-1))
        assert caught.value.code == 3
        assert caught.value.message == "no root of a negative number: 100 %, or \u221a-1"

    def test_no_such_method(self, channel: Any) -> None:
        with pytest.raises(grpc_client.RpcError) as caught:
            channel.unary(SERVICE + "Nothing", b"")
        assert caught.value.code == grpc_client.UNIMPLEMENTED

    def test_a_message_that_is_none(self, channel: Any) -> None:
        with pytest.raises(grpc_client.RpcError) as caught:
            channel.unary(SERVICE + "Square", b"\xff")
        assert caught.value.code == grpc_client.INTERNAL

    def test_behind_messages(self, channel: Any) -> None:
        answers = channel.server_streaming(SERVICE + "FailAfter", encode(2))
        assert [decode(next(answers)), decode(next(answers))] == [1, 2]
        with pytest.raises(grpc_client.RpcError) as caught:
            next(answers)
        assert (caught.value.code, caught.value.message) == (15, "that was all")

    def test_while_messages_are_sent(self, channel: Any) -> None:
        """The server does not wait for the rest: nor does the client, though it sends for ever."""
        call = channel.call(SERVICE + "Root")
        call.send(encode(-1))
        with pytest.raises(grpc_client.RpcError) as caught:
            list(call)
        assert caught.value.code == 3
        call.send(encode(4))  # the server does not want it, and does not mind
        call.end()

    def test_the_connection_serves_on(self, channel: Any) -> None:
        for _ in range(3):
            with pytest.raises(grpc_client.RpcError):
                channel.unary(SERVICE + "Root", encode(-1))
            assert decode(channel.unary(SERVICE + "Root", encode(16))) == 4

    def test_no_server(self) -> None:
        with (
            hyperlite.HTTP20Connection("localhost", free_port(), secure=False) as conn,
            pytest.raises(grpc_client.RpcError) as caught,
        ):
            grpc_client.Channel(conn).unary(SERVICE + "Square", b"")
        assert caught.value.code == grpc_client.UNAVAILABLE

    def test_a_connection_that_breaks(self, channel: Any, conn: hyperlite.HTTP20Connection) -> None:
        answers = channel.server_streaming(SERVICE + "Wait", encode(1))
        next(answers)
        http2_of(conn).sock.shutdown(2)
        with pytest.raises(grpc_client.RpcError) as caught:
            next(answers)
        assert caught.value.code == grpc_client.UNAVAILABLE


class TestDeadline:
    def test_the_server_is_told(self, channel: Any) -> None:
        assert decode(channel.unary(SERVICE + "Remaining", b"")) == -1
        assert 0 < decode(channel.unary(SERVICE + "Remaining", b"", timeout=PATIENCE)) <= PATIENCE * 1000

    def test_it_is_kept(self, channel: Any) -> None:
        """Whether the server or the client notices first: the status is the same."""
        start = time.monotonic()
        answers = channel.server_streaming(SERVICE + "Wait", encode(7), timeout=1)
        assert decode(next(answers)) == 7
        with pytest.raises(grpc_client.RpcError) as caught:
            next(answers)
        assert caught.value.code == grpc_client.DEADLINE_EXCEEDED
        assert 0.9 < time.monotonic() - start < PATIENCE

    def test_the_client_s_own(self, conn: hyperlite.HTTP20Connection) -> None:
        """Where the server was told nothing, the stream is reset: that is how it learns of it."""
        headers = {"content-type": "application/grpc", "te": "trailers"}
        body = struct.pack(">BI", 0, 2) + encode(7)
        stream_id = conn.request("POST", SERVICE + "Wait", body, headers, deadline=0.5)
        response = conn.getresponse(stream_id)
        with pytest.raises(hyperlite.RequestTimeout, match="deadline"):
            response.read()
        channel = grpc_client.Channel(conn)
        assert decode(channel.unary(SERVICE + "WasCancelled", b"", timeout=PATIENCE)) == 1


class TestCancel:
    def test_while_messages_come(self, channel: Any) -> None:
        call = channel.call(SERVICE + "Wait")
        call.send(encode(1))
        call.end()
        assert decode(next(iter(call))) == 1
        call.cancel()
        assert decode(channel.unary(SERVICE + "WasCancelled", b"", timeout=PATIENCE)) == 1

    def test_before_anything_came(self, channel: Any) -> None:
        call = channel.call(SERVICE + "AddUp")
        call.send(encode(1))
        call.cancel()
        call.cancel()
        assert decode(channel.unary(SERVICE + "Square", encode(2))) == 4


def test_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The examples in docs/howto/grpc.md."""
    connect = socket.create_connection
    with grpc_server(tmp_path, secure=False) as site:
        monkeypatch.setattr(
            socket, "create_connection", lambda _, *args: connect(("127.0.0.1", site.port), *args)
        )
        monkeypatch.setitem(sys.modules, "grpc_client", grpc_client)
        run("howto/grpc", lambda: capsys.readouterr().out)
