"""Handlers that stream, on HTTP/2 and HTTP/1.1."""

import queue
import threading

import pytest
from h2 import events
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from hyperlite.testing.server import streaming

from .rawclient import TIMEOUT


@streaming
def echo(exchange):
    exchange.start(200, [("X-Echo", "yes")])
    while data := exchange.read():
        exchange.send(data)
    exchange.end([("x-trailers", str(exchange.request.trailers))])


def test_streaming_both_ways(serve):
    _, client = serve(echo)
    number = client.request("/echo", "POST", end=False)
    reply = client.replies[number]
    client.until(lambda: reply.headers)
    for piece in (b"one", b"two", bytes(100_000)):
        reply.body = b""
        client.send(number, piece)
        client.until(lambda piece=piece: reply.body == piece)
    client.end(number, [("check", "1")])
    assert client.reply(number).trailers == {"x-trailers": "[('check', '1')]"}
    assert reply.headers == {":status": "200", "x-echo": "yes"}


def test_streaming_of_much_more_than_the_windows(serve):
    @streaming
    def handler(exchange):
        exchange.start()
        for _ in range(100):
            exchange.send(bytes(100_000))

    _, client = serve(handler)
    assert len(client.get("/").body) == 10_000_000


def test_unread_upload_blocks_the_client(serve):
    go_on = threading.Event()

    @streaming
    def handler(exchange):
        go_on.wait(TIMEOUT)
        received = sum(len(data) for data in iter(exchange.read, b""))
        exchange.start(headers=[("x-size", str(received))])

    _, client = serve(handler, settings={SettingCodes.INITIAL_WINDOW_SIZE: 10_000})
    client.round_trip()
    number = client.request("/", "POST", body=bytes(10_000), end=False)
    client.round_trip()
    assert client.h2.local_flow_control_window(number) == 0
    go_on.set()
    client.send(number, bytes(50_000), end=True)
    assert client.reply(number).headers["x-size"] == "60000"


def test_padding_is_credited(serve):
    sizes = queue.Queue()

    @streaming
    def handler(exchange):
        while data := exchange.read():
            sizes.put(len(data))
        exchange.start()

    _, client = serve(handler, settings={SettingCodes.INITIAL_WINDOW_SIZE: 1000})
    client.round_trip()
    number = client.request("/", "POST", end=False)
    for _ in range(20):
        client.until(lambda: client.h2.local_flow_control_window(number) >= 250)
        client.h2.send_data(number, b"x" * 10, pad_length=200)
        client.flush()
    client.end(number)
    assert client.reply(number).ended
    assert sum(sizes.queue) == 200


def test_exchange_informs_and_resets(serve):
    @streaming
    def handler(exchange):
        exchange.inform(103, [("link", "</x>")])
        exchange.start()
        exchange.send(b"abc")
        exchange.reset(ErrorCodes.ENHANCE_YOUR_CALM)

    _, client = serve(handler)
    reply = client.get("/")
    assert reply.informational == [("103", {"link": "</x>"})]
    assert (reply.body, reply.reset) == (b"abc", ErrorCodes.ENHANCE_YOUR_CALM)


def test_response_without_reading_the_request(serve):
    @streaming
    def handler(exchange):
        exchange.start(403)

    _, client = serve(handler)
    number = client.request("/", "POST", body=b"abc", end=False)
    reply = client.reply(number)
    assert (reply.status, reply.ended) == ("403", True)
    client.until(lambda: reply.reset is not None)
    assert reply.reset == ErrorCodes.NO_ERROR


def test_request_is_read_after_the_response(serve):
    bodies = queue.Queue()

    @streaming
    def handler(exchange):
        exchange.start()
        exchange.end()
        bodies.put(b"".join(iter(exchange.read, b"")))

    _, client = serve(handler)
    number = client.request("/", "POST", end=False)
    assert client.reply(number).ended
    client.send(number, b"abc", end=True)
    assert bodies.get(timeout=TIMEOUT) == b"abc"
    assert client.get("/").reset is None


def test_failing_streaming_handlers(serve, capsys):
    @streaming
    def handler(exchange):
        if exchange.request.path == "/late":
            exchange.start()
        if exchange.request.path != "/nothing":
            raise ValueError("out of time")

    _, client = serve(handler)
    assert client.get("/early").status == "500"
    assert client.get("/late").reset == ErrorCodes.INTERNAL_ERROR
    assert client.get("/nothing").status == "500"
    assert capsys.readouterr().err.count("ValueError: out of time") == 2


def test_exchange_out_of_turn(serve):
    errors = queue.Queue()

    @streaming
    def handler(exchange):
        early = (lambda: exchange.send(b"x"), exchange.end)
        late = (exchange.start, lambda: exchange.inform(103), lambda: exchange.send(b"x"), exchange.end)
        for call in early:
            with pytest.raises(RuntimeError):
                call()
        exchange.start()
        exchange.end()
        for call in late:
            with pytest.raises(RuntimeError):
                call()
        errors.put(None)

    _, client = serve(handler)
    assert client.get("/").status == "200"
    assert errors.get(timeout=TIMEOUT) is None


@pytest.mark.parametrize("method", ["read", "send", "start"])
def test_exchange_raises_when_the_stream_is_reset(serve, capsys, method):
    outcome = queue.Queue()

    @streaming
    def handler(exchange):
        calls = {
            "read": exchange.read,
            "send": lambda: exchange.send(bytes(100_000)),
            "start": exchange.start,
        }
        if method == "send":
            exchange.start()
        outcome.put("ready")
        try:
            calls[method]()
        except ConnectionError as error:
            outcome.put(error)
            raise

    _, client = serve(handler, credit=False, delay=60.0 if method == "start" else 0.0)
    number = client.request("/", "POST", end=False)
    assert outcome.get(timeout=TIMEOUT) == "ready"
    if method == "send":
        client.until(lambda: len(client.replies[number].body) == 65535)
    client.reset(number)
    assert isinstance(outcome.get(timeout=TIMEOUT), ConnectionError)
    assert capsys.readouterr().err == ""


def test_exchange_raises_when_the_client_goes(serve):
    outcome = queue.Queue()

    @streaming
    def handler(exchange):
        try:
            exchange.read()
        except ConnectionError as error:
            outcome.put(error)

    _, client = serve(handler)
    client.request("/", "POST", end=False)
    client.round_trip()
    client.socket.close()
    assert isinstance(outcome.get(timeout=TIMEOUT), ConnectionError)


def test_expect_continue_of_a_streaming_handler(serve):
    _, client = serve(measure)
    number = client.request("/", "POST", [("expect", "100-continue")], end=False)
    client.saw(events.InformationalResponseReceived)
    client.send(number, b"abc", end=True)
    reply = client.reply(number)
    assert reply.informational == [("100", {})]
    assert reply.headers["x-size"] == "3"


@streaming
def measure(exchange):
    """Answer with the size of the body."""
    body = b"".join(iter(exchange.read, b""))
    exchange.start(headers=[("x-size", str(len(body)))])
