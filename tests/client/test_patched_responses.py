"""Responses that a program reads in a way of its own: of which HTTP/2 can be made, and of which not."""

import functools
import http.client
import unittest.mock
from typing import Any

import pytest

import hyperlite
from hyperlite import client
from hyperlite.testing.server import Server
from tests.conftest import Serve

from .test_patches import Wrapper


@pytest.fixture
def server(serve: Serve) -> Server:
    return serve()


def get(server: Server, response_class: Any = None) -> tuple[int, int, bytes]:
    """Make a request on a connection of its own; returns version, status and body."""
    conn = client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=10)
    if response_class is not None:
        conn.response_class = response_class
    conn.request("GET", "/")
    response = conn.getresponse()
    answer = response.version, response.status, response.read()
    conn.close()
    return answer


def reads_the_wire(self: Any) -> None:
    """As s3cmd has it: `begin()` written anew."""
    if self.headers is None:
        version, status, reason = self._read_status()
        self.version = 11 if version == "HTTP/1.1" else 10
        self.code = self.status = status
        self.reason = reason.strip()
        self.headers = self.msg = http.client.parse_headers(self.fp)
        self.chunked = self.will_close = False
        self.length = int(self.headers["content-length"])


class Marked(client.HTTPResponse):
    """Does something besides, and leaves the reading to the inherited methods."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.marks = ["made"]

    def begin(self) -> None:
        super().begin()
        self.marks.append(str(self.status))


class Tee:
    """Hands on what it reads."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class Recording(client.HTTPResponse):
    """As warcio has it: the bytes of HTTP/1.1 are what it is about."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fp = Tee(self.fp)


class Tolerant(client.HTTPResponse):
    """As botocore has it, and programs that read the answers of odd servers."""

    def _read_status(self) -> tuple[str, int, str]:
        return super()._read_status()  # type: ignore[misc]


class Inherited(Tolerant):
    """Of which nothing in the class itself tells."""


@pytest.mark.parametrize(
    "response_class",
    [
        http.client.HTTPResponse,
        Recording,
        Tolerant,
        Inherited,
        functools.partial(Tolerant),
        lambda *args, **options: Recording(*args, **options | {"debuglevel": 0}),
        type("Own", (client.HTTPResponse,), {"begin": reads_the_wire}),
    ],
)
def test_made_of_http1_alone(server: Server, response_class: Any) -> None:
    assert get(server, response_class) == (11, 200, b"hello")
    assert get(server)[0] == 20


@pytest.mark.parametrize(
    "response_class", [Marked, functools.partial(functools.partial(Marked), debuglevel=0)]
)
def test_made_of_a_stream(server: Server, response_class: Any) -> None:
    assert get(server, response_class) == (20, 200, b"hello")


@pytest.mark.parametrize("owner", [client.HTTPResponse, http.client.HTTPResponse])
def test_begin_written_anew(server: Server, owner: type) -> None:
    with unittest.mock.patch.object(owner, "begin", reads_the_wire):
        assert get(server) == (11, 200, b"hello")
    assert get(server) == (20, 200, b"hello")


@pytest.mark.parametrize("owner", [client.HTTPResponse, http.client.HTTPResponse])
def test_status_lines_read_by_the_program(server: Server, owner: type) -> None:
    read = http.client.HTTPResponse._read_status  # type: ignore[attr-defined]
    with unittest.mock.patch.object(owner, "_read_status", lambda self: read(self)):  # noqa: PLW0108 (a function of its own)
        assert get(server) == (11, 200, b"hello")


@pytest.mark.parametrize("wrap", [lambda _before, call: call, Wrapper])
def test_begin_that_goes_on(server: Server, wrap: Any) -> None:
    """A tracer's, say: HTTP/2 is spoken, and it is called."""
    seen, before = [], client.HTTPResponse.begin

    def begin(self: Any) -> None:
        before(self)
        seen.append(self.status)

    with unittest.mock.patch.object(client.HTTPResponse, "begin", wrap(before, begin)):
        assert get(server) == (20, 200, b"hello")
    assert seen == [200]


def test_http1_responses_where_the_environment_wants_http2(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYPERLITE_PROTOCOLS", "h2")
    assert get(server) == (20, 200, b"hello")
    with pytest.raises(
        hyperlite.NotHTTP2, match=r"made of HTTP/1\.1 alone, which HYPERLITE_PROTOCOLS excludes"
    ):
        get(server, Tolerant)


@pytest.mark.parametrize("owner", [client.HTTPResponse, http.client.HTTPResponse])
@pytest.mark.parametrize("name", ["read", "close", "getheader", "isclosed", "_close_conn"])
def test_other_methods(server: Server, owner: type, name: str) -> None:
    """Bodies are read from `fp`, which is a file on either protocol."""
    seen, before = [], getattr(owner, name)

    def call(self: Any, *args: Any) -> Any:
        seen.append(name)
        return before(self, *args)

    with unittest.mock.patch.object(owner, name, call):
        conn = client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=10)
        conn.request("GET", "/")
        response = conn.getresponse()
        assert (response.version, response.getheader("Content-Length")) == (20, "5")
        assert response.read() == b"hello"
        response.close()
        assert response.isclosed()
        conn.close()
    assert name in seen


@pytest.mark.parametrize("module", [client, http.client], ids=lambda module: module.__name__)
@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
def test_debug_lines_in_a_log(
    serve: Serve, module: Any, protocol: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The idiom that has `http.client.print` write to a log: all lines go there."""
    server, lines = serve(alpn=(protocol,)), []
    with unittest.mock.patch.object(module, "print", lambda *words: lines.append(words), create=True):
        conn = client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=10)
        conn.set_debuglevel(1)
        conn.request("GET", "/")
        conn.getresponse().read()
        conn.close()
    labels = {words[0] for words in lines}
    assert {"send:", "reply:", "header:"} <= labels
    assert ("frame in:" in labels) == (protocol == "h2")
    assert capsys.readouterr().out == ""
