"""The log of `hyperlite.client`: what a program reads that has changed one import, and turned the log on."""

import contextlib
import copy
import gc
import http.client
import logging
import pickle
import re
import socket
import ssl
import subprocess
import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from hyperlite import client
from hyperlite.testing import Request, Response
from tests.conftest import Connect, MakePool, Serve
from tests.listener import Listener


def answer(request: Request) -> Response:
    if request.path == "/chunks":
        return Response(body=iter([b"a" * 10, b"b" * 20]))
    return Response(body=bytes(1 << 20 if request.path == "/large" else 600))


by_protocol = pytest.mark.parametrize("alpn", ["h2", "http/1.1"])


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the log without times, ports and numbers that count connections."""
    said = (f"{record.name.rpartition('.')[2]}: {record.getMessage()}" for record in caplog.records)
    said = (re.sub(r"TLSv\S+ \w+", "TLS", line) for line in said)
    said = (re.sub(r"[\d.]+ ms", "# ms", re.sub(r"localhost:\d+", "localhost", line)) for line in said)
    return [re.sub(r"connection \d+", "connection", line) for line in said]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    for topic in ("connections", "requests", "retries"):
        caplog.set_level(logging.DEBUG, f"hyperlite.{topic}")
    return caplog


@by_protocol
def test_its_story(serve: Serve, log: pytest.LogCaptureFixture, alpn: str) -> None:
    server = serve(routes=answer, alpn=(alpn,))
    conn = client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=10)
    for method, target in (("GET", "/?token=s3cret"), ("HEAD", "/"), ("GET", "/chunks")):
        conn.request(method, target, headers={"Authorization": "Basic s3cret"})
        conn.getresponse().read()
    conn.request("GET", "/large")
    response = conn.getresponse()
    response.read(10)
    response.close()
    conn.close()
    where = [f", stream {number}" if alpn == "h2" else "" for number in (1, 3, 5, 7)]
    partly = lines(log).pop()
    assert lines(log)[:-1] == [
        f"connections: connection to localhost: {alpn}, TLS (connect # ms, TLS # ms)",
        f"requests: GET https://localhost/?token=…: 200, 600 bytes in # ms, connection{where[0]}",
        f"requests: HEAD https://localhost/: 200, 0 bytes in # ms, connection again{where[1]}",
        f"requests: GET https://localhost/chunks: 200, 30 bytes in # ms, connection again{where[2]}",
    ]
    ending = f", closed before the end, connection again{where[3]}"
    assert re.fullmatch(rf"requests: GET https://localhost/large: 200, \d+ bytes{ending}", partly)


def test_cleartext(serve: Serve, log: pytest.LogCaptureFixture) -> None:
    server = serve(routes=answer, secure=False)
    conn = client.HTTPConnection("localhost", server.port, timeout=10)
    conn.request("GET", "/")
    conn.getresponse().read()
    conn.close()
    assert lines(log) == [
        "connections: connection to localhost: http/1.1 (connect # ms)",
        "requests: GET http://localhost/: 200, 600 bytes in # ms, connection",
    ]


class Closing(Listener):
    """Answers without a length, and ends the connection behind the body."""

    def serve(self, sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\nbody")
        sock.close()


def test_a_body_of_unknown_length(log: pytest.LogCaptureFixture) -> None:
    with Closing() as server:
        conn = client.HTTPConnection("localhost", server.port, timeout=10)
        conn.request("GET", "/")
        assert conn.getresponse().read() == b"body"
    assert lines(log)[1:] == ["requests: GET http://localhost/: 200 in # ms, connection"]


def test_failures(serve: Serve, log: pytest.LogCaptureFixture) -> None:
    server = serve(routes=answer)
    with pytest.raises(ssl.SSLCertVerificationError):
        client.HTTPSConnection("localhost", server.port, timeout=10).request("GET", "/?key=s3cret")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            client.HTTPConnection("localhost", taken.getsockname()[1], timeout=10).request("GET", "/")
    untrusted, refused = lines(log)
    assert untrusted.startswith("requests: GET https://localhost/?key=…: failed: SSLCertVerificationError: ")
    assert (
        refused
        == "requests: GET http://localhost/: failed: ConnectionRefusedError: [Errno 111] Connection refused"
    )


@by_protocol
def test_a_response_that_does_not_come(serve: Serve, log: pytest.LogCaptureFixture, alpn: str) -> None:
    server = serve(routes=answer, alpn=(alpn,))
    server.faults.stall()
    conn = client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=0.2)
    conn.request("GET", "/")
    with pytest.raises(TimeoutError):
        conn.getresponse()
    conn.close()
    assert re.match(r"requests: GET https://localhost/: failed: \w*Timeout\w*: ", lines(log)[-1])


@by_protocol
def test_frames(serve: Serve, caplog: pytest.LogCaptureFixture, alpn: str) -> None:
    caplog.set_level(logging.DEBUG, "hyperlite.frames")
    server = serve(routes=answer, alpn=(alpn,))
    conn = client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=10)
    conn.request("GET", "/", headers={"Cookie": "s3cret"})
    conn.getresponse().read()
    conn.close()
    said = [line for line in lines(caplog) if "HEADERS" in line]
    assert len(said) == (2 if alpn == "h2" else 0)
    assert "s3cret" not in caplog.text


@by_protocol
def test_the_log_keeps_no_response(serve: Serve, log: pytest.LogCaptureFixture, alpn: str) -> None:
    server = serve(routes=answer, alpn=(alpn,))
    conn = client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=10)
    conn.request("GET", "/")
    response = conn.getresponse()
    gone = weakref.ref(response)
    response.read()
    conn.close()  # http.client's own keeps it until then
    gc.disable()  # no cycle may keep it
    try:
        del response
        assert gone() is None
    finally:
        gc.enable()


@by_protocol
def test_programs_may_have_the_same_names(serve: Serve, log: pytest.LogCaptureFixture, alpn: str) -> None:
    class Own(client.HTTPSConnection):
        _log = logging.getLogger("own")

        def _logged(self) -> None:
            raise AssertionError

    server = serve(routes=answer, alpn=(alpn,))
    conn = Own("localhost", server.port, context=server.context(), timeout=10)
    conn.request("GET", "/")
    assert conn.getresponse().read() == bytes(600)
    conn.close()
    assert len(lines(log)) == 2


def test_connections_that_are_unlike_http_clients(serve: Serve, log: pytest.LogCaptureFixture) -> None:
    server = serve(routes=answer, secure=False)

    class Reading(client.HTTPResponse):
        def begin(self, **limits: Any) -> None:
            super().begin(**limits)
            self.content = self.read()

    class Elsewhere(client.HTTPConnection):
        response_class = Reading

        def connect(self) -> None:
            self.sock = socket.create_connection(("127.0.0.1", server.port), 10)

    conn = Elsewhere("/var/run/docker.sock", timeout=10)
    conn.putrequest("GET", None, skip_host=True)  # type: ignore[arg-type]
    conn.putheader("Host", "docker")
    conn.endheaders()
    assert conn.getresponse().content == bytes(600)  # type: ignore[attr-defined]
    copied = copy.copy(conn)
    conn.close()
    assert pickle.loads(pickle.dumps(vars(conn)["_hyperlite_log"])).watch is None
    del conn
    copied.sock = None
    copied.request("GET", "/", headers={"Host": "docker"})
    response = copied.getresponse()
    response.length = None
    response.close()
    copied.close()
    named = client.HTTPConnection("127.0.0.1", str(server.port), timeout=10)  # type: ignore[arg-type]
    named.request("OPTIONS", "*")
    named.getresponse().read()
    named.close()
    assert [line.split(":")[0] for line in lines(log)].count("requests") == 3


class Sending(logging.Handler):
    """Sends each record by a function."""

    sent = 0
    send: Callable[[str], None]

    def emit(self, record: logging.LogRecord) -> None:
        self.sent += 1
        assert self.sent < 100
        self.send(record.getMessage())


@pytest.mark.parametrize("kind", ["client", "connection", "pool"])
def test_a_handler_that_makes_requests(
    serve: Serve, make_pool: MakePool, connect: Connect, kind: str
) -> None:
    """It would send a record of each of its requests, without end."""
    server = serve(routes=answer)
    logger, handler = logging.getLogger("hyperlite.requests"), Sending()
    logger.setLevel(logging.DEBUG)
    kept, pool = connect(server), make_pool()

    def send(text: str) -> None:
        if kind == "pool":
            pool.fetch(server.url("/log"), method="POST", body=text)
        elif kind == "connection":
            kept.getresponse(kept.request("POST", "/log", text)).read()
        else:
            with contextlib.closing(
                client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=10)
            ) as conn:
                conn.request("POST", "/log", text)
                conn.getresponse().read()

    handler.send = send
    logger.addHandler(handler)
    try:
        send("dials")
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    assert handler.sent == 1


class Cutting(Listener):
    """Ends a connection within a chunk."""

    def serve(self, sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\nhello")
        sock.close()


def test_a_body_that_is_cut_off_is_not_whole(log: pytest.LogCaptureFixture) -> None:
    with Cutting() as server:
        conn = client.HTTPConnection("localhost", server.port, timeout=10)
        conn.request("GET", "/r?to=http://elsewhere/")
        response = conn.getresponse()
        with pytest.raises(http.client.IncompleteRead):
            response.read()
        response.close()
        conn.close()
    assert lines(log)[1:] == [
        "requests: GET http://localhost/r?to=http://elsewhere/: 200, closed before the end, connection"
    ]


def test_the_log_goes_off_between_two_requests(serve: Serve, log: pytest.LogCaptureFixture) -> None:
    server = serve(routes=answer, secure=False)
    conn = client.HTTPConnection("localhost", server.port, timeout=10)
    conn.request("GET", "/first")
    conn.close()
    log.set_level(logging.INFO, "hyperlite.requests")
    conn.request("GET", "/second")
    log.set_level(logging.DEBUG, "hyperlite.requests")
    conn.getresponse().read()
    conn.close()
    assert [line for line in lines(log) if line.startswith("requests")] == []


def test_while_the_log_is_off_nothing_of_it_is_imported(serve: Serve) -> None:
    server = serve(routes=answer, secure=False)
    script = f"""
import logging, sys
from hyperlite import client
conn = client.HTTPConnection("localhost", {server.port}, timeout=10)
conn.request("GET", "/")
conn.getresponse().read()
print([name for name in sys.modules if name in ("hyperlite.client_log", "hyperlite.telling")])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
