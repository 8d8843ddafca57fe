"""The embedded server's HTTP/2, seen by a client made of nothing but h2."""

import itertools
import time

import pytest
from h2 import events
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from hyperlite.testing.server import Response


def hello(request):
    return Response(headers=[("content-type", "text/plain")], body=b"Hello")


def size(request):
    return Response(
        body=b"%d" % len(request.body), headers=[(f"x-{name}", value) for name, value in request.trailers]
    )


def test_request_and_response(serve):
    seen = []

    def handler(request):
        seen.append(request)
        return Response(201, [("X-Answer", "42")], b"abc")

    _, client = serve(handler)
    client.get("/")
    reply = client.get("/a%20b?x=1&y=&x=2", "PUT", [("x-one", "1"), ("x-two", "2")], b"body")
    assert reply.headers == {":status": "201", "x-answer": "42", "content-length": "3"}
    assert reply.body == b"abc"
    request = seen[1]
    assert (request.method, request.target, request.path) == ("PUT", "/a%20b?x=1&y=&x=2", "/a%20b")
    assert request.query == {"x": ["1", "2"], "y": [""]}
    assert request.headers == [("x-one", "1"), ("x-two", "2")]
    assert (request.header("X-Two"), request.header("x-no"), request.header("x-no", "-")) == ("2", None, "-")
    assert (request.authority, request.protocol, request.body) == ("localhost", "h2", b"body")
    assert (request.connection, request.stream_id) == (1, 3)


def test_many_streams_at_once(serve):
    _, client = serve(hello)
    numbers = [client.request("/", flush=False) for _ in range(100)]
    client.flush()
    assert all(client.reply(number).body == b"Hello" for number in numbers)


def test_not_found(serve):
    _, client = serve({})
    reply = client.get("/none?x")
    assert (reply.status, reply.body) == ("404", b"There is nothing at /none.\n")


def test_failing_handler(serve, capsys):
    def handler(request):
        raise ValueError("out of luck")

    _, client = serve(handler)
    assert client.get("/").status == "500"
    assert "ValueError: out of luck" in capsys.readouterr().err


def test_upload_of_more_than_the_windows(serve):
    _, client = serve(size)
    assert client.get("/size", "POST", body=bytes(3_000_000)).body == b"3000000"


def test_request_trailers(serve):
    _, client = serve(size)
    number = client.request("/size", "POST", body=b"abc", end=False)
    client.end(number, [("check", "1")])
    assert client.reply(number).headers["x-check"] == "1"


def test_content_length_is_not_doubled(serve):
    _, client = serve(lambda _: Response(headers=[("Content-Length", "3")], body=b"abc"))
    client.request("/")
    response = client.saw(events.ResponseReceived)
    assert [name for name, _ in response.headers].count("content-length") == 1


def test_streamed_body_and_trailers(serve):
    _, client = serve(lambda _: Response(body=iter([b"a", b"", b"b" * 100_000]), trailers=[("X-End", "1")]))
    reply = client.get("/")
    assert reply.body == b"a" + b"b" * 100_000
    assert reply.trailers == {"x-end": "1"}
    assert "content-length" not in reply.headers


@pytest.mark.parametrize("body", [b"", b"abc", iter([])])
def test_trailers_after_any_body(serve, body):
    _, client = serve(lambda _: Response(body=body, trailers=[("x-end", "1")]))
    assert client.get("/").trailers == {"x-end": "1"}


def test_failing_body(serve, capsys):
    def body():
        yield b"abc"
        raise ValueError("out of paper")

    _, client = serve(lambda _: Response(body=body()))
    reply = client.get("/")
    assert (reply.body, reply.ended, reply.reset) == (b"abc", False, ErrorCodes.INTERNAL_ERROR)
    assert "ValueError: out of paper" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("method", "status", "length"),
    [("HEAD", 200, "3"), ("GET", 204, None), ("GET", 304, None), ("HEAD", 304, None)],
)
def test_responses_without_body(serve, method, status, length):
    _, client = serve(lambda _: Response(status, body=b"abc", trailers=[("x-end", "1")]))
    reply = client.get("/", method)
    assert (reply.status, reply.body, reply.trailers) == (str(status), b"", {})
    assert reply.headers.get("content-length") == length


def test_informational_responses_come_before_the_delay(serve):
    hint = ("103", {"link": "</x>"})
    _, client = serve(lambda _: Response(informational=[(103, [("Link", "</x>")])] * 2, delay=60))
    number = client.request("/")
    client.saw(events.InformationalResponseReceived)
    assert client.replies[number].informational == [hint, hint]
    assert not client.replies[number].headers


def test_delayed_response_does_not_block_siblings(serve):
    delays = {"/now": 0.0, "/soon": 0.02, "/never": 60.0}
    _, client = serve(lambda request: Response(delay=delays[request.path]))
    numbers = {path: client.request(path, flush=False) for path in ("/never", "/soon", "/now")}
    client.reply(numbers["/soon"])
    assert client.replies[numbers["/now"]].ended
    assert not client.replies[numbers["/never"]].headers


def test_server_delay_holds_for_all_streams_together(serve):
    _, client = serve(hello, delay=0.1)
    start = time.monotonic()
    numbers = [client.request("/", flush=False) for _ in range(100)]
    client.flush()
    for number in numbers:
        client.reply(number)
    assert 0.1 <= time.monotonic() - start < 8


def test_body_is_pulled_as_the_window_allows(serve):
    pulled = itertools.count()

    def body():
        while True:
            next(pulled)
            yield bytes(1000)

    _, client = serve(lambda _: Response(body=body()), credit=False)
    number = client.request("/")
    reply = client.replies[number]
    client.until(lambda: len(reply.body) == 65535)
    client.round_trip()
    assert next(pulled) == 66  # 65.5 chunks fit in the window
    client.h2.acknowledge_received_data(65535, number)
    client.flush()
    client.until(lambda: len(reply.body) == 2 * 65535)


def test_streams_share_the_connection_window(serve):
    _, client = serve(lambda _: Response(body=bytes(100_000)), credit=False)
    numbers = [client.request("/", flush=False) for _ in range(2)]
    client.flush()
    client.until(lambda: sum(len(client.replies[number].body) for number in numbers) == 65535)
    assert min(len(client.replies[number].body) for number in numbers) >= 20_000
    client.h2.increment_flow_control_window(1 << 20)
    for number in numbers:
        client.h2.increment_flow_control_window(1 << 20, number)
    client.flush()
    assert [len(client.reply(number).body) for number in numbers] == [100_000] * 2


@pytest.mark.parametrize("secure", [True, False])
def test_more_than_the_socket_takes(serve, secure):
    body = b"".join(b"%07d\n" % number for number in range(1_000_000))
    _, client = serve(lambda _: Response(body=body), secure=secure)
    client.h2.increment_flow_control_window(1 << 30)
    number = client.request("/", flush=False)
    client.h2.increment_flow_control_window(1 << 30, number)
    client.flush()
    assert client.reply(number).body == body


def test_end_needs_no_window(serve):
    _, client = serve(lambda _: Response(body=iter([bytes(65535)])), credit=False)
    assert client.get("/").ended


@pytest.mark.parametrize("by_settings", [True, False])
def test_client_widens_a_blocked_stream(serve, by_settings):
    small = {SettingCodes.INITIAL_WINDOW_SIZE: 10}
    _, client = serve(lambda _: Response(body=bytes(1000)), client_settings=small, credit=False)
    number = client.request("/")
    client.until(lambda: len(client.replies[number].body) == 10)
    if by_settings:
        client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 2000})
    else:
        client.h2.increment_flow_control_window(2000, number)
    client.flush()
    assert len(client.reply(number).body) == 1000


def test_settings_are_announced(serve):
    settings = {SettingCodes.MAX_CONCURRENT_STREAMS: 7, SettingCodes.MAX_FRAME_SIZE: 20_000}
    _, client = serve(hello, settings=settings)
    changed = client.saw(events.RemoteSettingsChanged).changed_settings
    announced = {code: setting.new_value for code, setting in changed.items()}
    assert announced == {
        **settings,
        SettingCodes.INITIAL_WINDOW_SIZE: 1 << 20,
        SettingCodes.MAX_HEADER_LIST_SIZE: 1 << 16,
    }


def test_expect_continue(serve):
    _, client = serve(size)
    number = client.request("/size", "POST", [("expect", "100-continue")], end=False)
    client.saw(events.InformationalResponseReceived)
    client.send(number, b"abc", end=True)
    reply = client.reply(number)
    assert reply.informational == [("100", {})]
    assert reply.body == b"3"


def test_reset_in_the_same_breath(serve):
    _, client = serve(hello)
    number = client.request("/", flush=False)
    client.h2.reset_stream(number)
    assert client.get("/").status == "200"


def test_goaway_finishes_what_was_taken(serve):
    server, client = serve(size)
    number = client.request("/", "POST", end=False)
    client.round_trip()
    server.goaway()
    client.until(lambda: client.goaway)
    assert client.goaway == (number, ErrorCodes.NO_ERROR)
    ignored = client.request("/ignored", "POST", body=b"abc")
    client.send(number, b"abc", end=True)
    client.until_closed()
    assert client.replies[number].body == b"3"
    assert client.replies[ignored].headers == {}
    assert [target for *_, target in server.log] == ["/"]


def test_goaway_drops_what_is_above_the_last_stream(serve):
    server, client = serve(size)
    first, second = (client.request("/", "POST", end=False) for _ in range(2))
    client.round_trip()
    server.goaway(last_stream_id=first)
    client.until(lambda: client.goaway)
    assert client.goaway == (first, ErrorCodes.NO_ERROR)
    client.end(second)
    client.end(first)
    client.until_closed()
    assert client.replies[first].ended
    assert client.replies[second].headers == {}


def test_goaway_on_an_idle_connection(serve):
    server, client = serve(hello)
    client.get("/")
    server.goaway()
    client.until_closed()
    assert client.goaway == (1, ErrorCodes.NO_ERROR)


def test_requests_per_connection(serve):
    server, client = serve(hello, requests_per_connection=2)
    numbers = [client.request("/", flush=False) for _ in range(3)]
    client.flush()
    client.until_closed()
    assert client.goaway == (3, ErrorCodes.NO_ERROR)
    assert [client.replies[number].body for number in numbers] == [b"Hello", b"Hello", b""]
    assert len(server.log) == 2


def test_requests_per_connection_with_a_delay(serve):
    _, client = serve(hello, requests_per_connection=1, delay=0.02)
    number = client.request("/")
    client.until_closed()
    assert client.replies[number].body == b"Hello"


def test_goaway_of_the_client_closes_the_connection(serve):
    _, client = serve(hello)
    client.h2.close_connection()
    client.flush()
    while client.socket.recv(1 << 16):  # h2 reads nothing after its own GOAWAY
        pass


def test_protocol_error(serve):
    _, client = serve(hello)
    client.get("/")
    client.socket.sendall(b"\0\0\0\x09\0\0\0\0\1")  # a CONTINUATION of nothing
    client.until_closed()
    assert client.goaway == (1, ErrorCodes.PROTOCOL_ERROR)


def test_too_much_body_is_a_protocol_error(serve):
    _, client = serve(hello)
    client.request("/", "POST", [("content-length", "3")], body=b"abcd")
    client.until_closed()
    assert client.goaway[1] == ErrorCodes.PROTOCOL_ERROR


def test_too_many_streams_are_a_protocol_error(serve):
    _, client = serve(hello, settings={SettingCodes.MAX_CONCURRENT_STREAMS: 1}, delay=60)
    client.round_trip()
    client.h2.remote_settings.max_concurrent_streams = 2
    client.h2.remote_settings.acknowledge()
    client.request("/")
    client.request("/")
    client.until_closed()
    assert client.goaway[1] == ErrorCodes.PROTOCOL_ERROR
