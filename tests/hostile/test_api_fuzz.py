"""Whatever a caller passes, nothing comes out but what is documented, and the connection remains usable.

HYPERLITE_FUZZ_SECONDS says for how long all of it goes on; without it, one short round, always the same.
"""

import contextlib
import http.client
import io
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hyperlite
from hyperlite import client
from hyperlite.testing.server import Response, Server
from tests.http2.engine.conftest import ENGINES

SECONDS = float(os.environ.get("HYPERLITE_FUZZ_SECONDS", "0"))
TESTS = 6 * len(ENGINES)  # which share the time
ROUND = 60

# What http.client documents, or has always raised, for wrong arguments and for failures.
DOCUMENTED = (ValueError, TypeError, http.client.HTTPException, OSError)

NASTY = [
    "",
    " ",
    "\r\n",
    "\0",
    "\t",
    "a\r\nb: c",
    "a\nb",
    "a\0b",
    "é",
    "€",
    "\ud800",
    "%00",
    "x" * 70000,
    "٣",
]

nasty = st.sampled_from(NASTY)
junk = st.one_of(
    st.none(), st.integers(), st.floats(), st.booleans(), st.binary(max_size=5), st.just([]), st.just({})
)
tokens = st.text("abcXYZ019!#$%&'*+-.^_`|~", min_size=1, max_size=12)
methods = st.one_of(
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS", "get", "CONNECT"]), tokens, nasty, junk
)
paths = st.one_of(
    st.just("/"),
    st.text(max_size=20).map(lambda text: "/" + text),
    st.text(max_size=20),
    st.sampled_from(
        ["*", "http://other/", "https://[::1/", "http://", "//", "/?#", "host:80", "http://a@b:c/"]
    ),
    nasty,
    junk,
)
SPECIAL = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "te",
    "expect",
    "upgrade",
    "keep-alive",
    ":path",
    ":method",
    "cookie",
    "trailer",
    "Host",
    "Content-Length",
    "accept-encoding",
    "content-type",
    "proxy-connection",
    "priority",
]
names = st.one_of(tokens, st.sampled_from(SPECIAL), nasty, st.binary(max_size=8), st.text(max_size=8), junk)
values = st.one_of(
    st.text(max_size=12),
    st.binary(max_size=12),
    st.integers(-3, 1 << 70),
    st.sampled_from(["0", "3", "-1", "chunked", "close", "trailers", "100-continue", "gzip", "a, b", "h2c"]),
    nasty,
    junk,
)
headers = st.dictionaries(names.filter(lambda name: not isinstance(name, (list, dict))), values, max_size=4)
pieces = st.lists(st.one_of(st.binary(max_size=50), st.binary(max_size=3).map(bytearray), junk), max_size=4)
bodies = st.one_of(
    st.none(),
    st.binary(max_size=100),
    st.text(max_size=20),
    st.integers(0, 200_000).map(bytes),
    pieces,
    pieces.map(iter),
    pieces.map(tuple),
    st.binary(max_size=100).map(io.BytesIO),
    st.text(max_size=20).map(io.StringIO),
    st.binary(max_size=8).map(memoryview),
    nasty,
    junk,
)


class Anything(dict[str, Any]):
    """Every path is answered."""

    def get(self, _path: str, default: Any = None) -> Any:
        return lambda _: Response(body=b"hello")


@pytest.fixture(scope="module", params=["h2", "http/1.1"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server(Anything(), alpn=(request.param,)) as server:
        yield server


@pytest.fixture(params=ENGINES, autouse=True)
def _engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYPERLITE_ENGINE", request.param)


def go_on(test: Callable[[], None]) -> None:
    """Run a Hypothesis test for as long as was asked for, and once at least."""
    deadline = time.monotonic() + SECONDS / TESTS
    test()
    while time.monotonic() < deadline:
        test()


quick = settings(
    max_examples=ROUND,
    deadline=None,
    database=None,
    derandomize=not SECONDS,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


def usable(conn: Any) -> None:
    """A plain request must go through, whatever was tried before, at the second attempt at the latest.

    The first may find that the server has closed the connection because of what was sent.
    """
    for last in (False, True):
        try:
            conn.request("GET", "/")
            with conn.getresponse() as response:
                assert response.status == 200
                assert response.read() == b"hello"
            return
        except (http.client.HTTPException, OSError):
            if last:
                raise
            conn.close()


def test_request(server: Server) -> None:
    with hyperlite.HTTP20Connection("localhost", server.port, context=server.context(), timeout=1) as conn:

        @quick
        @given(methods, paths, bodies, headers)
        def test(method: Any, path: Any, body: Any, fields: Any) -> None:
            with contextlib.suppress(*DOCUMENTED):
                stream_id = conn.request(method, path, body, fields)
                with conn.getresponse(stream_id) as response:
                    response.read()
            usable(conn)

        go_on(test)


def test_request_many_and_ids(server: Server) -> None:
    """Ids that are none, requests that are none, and everything that takes an id."""
    ids = st.one_of(st.integers(-3, 99), junk)
    requests = st.lists(
        st.one_of(st.tuples(methods, paths), st.tuples(methods, paths, bodies, headers), junk),
        min_size=1,
        max_size=3,
    )
    with hyperlite.HTTP20Connection("localhost", server.port, context=server.context(), timeout=1) as conn:

        @quick
        @given(requests, ids)
        def test(batch: Any, stream_id: Any) -> None:
            made: list[int] = []
            with contextlib.suppress(*DOCUMENTED):
                made = conn.request_many(batch)
            for call in (conn.cancel, conn.getresponse, lambda one: list(conn.as_ready([one], timeout=0.2))):
                with contextlib.suppress(*DOCUMENTED):
                    call(stream_id)
            for one in made:
                with contextlib.suppress(*DOCUMENTED), conn.getresponse(one) as response:
                    response.read()
            usable(conn)

        go_on(test)


calls = st.one_of(
    st.tuples(st.just("putrequest"), methods, paths),
    st.tuples(st.just("putheader"), names, values),
    st.tuples(st.just("putheader"), names, values, values),
    st.tuples(st.just("endheaders")),
    st.tuples(st.just("endheaders"), bodies),
    st.tuples(st.just("send"), bodies),
    st.tuples(st.just("request"), methods, paths, bodies, headers),
    st.tuples(st.just("getresponse")),
    st.tuples(st.just("close")),
)


def test_calls_in_any_order(server: Server) -> None:
    """The drop-in: http.client's low-level calls, in any order, with any arguments."""

    @quick
    @given(st.lists(calls, max_size=8))
    def test(script: list[tuple[Any, ...]]) -> None:
        conn = client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=1)
        for name, *arguments in script:
            with contextlib.suppress(*DOCUMENTED, *FROM_HTTP_CLIENT):
                result = getattr(conn, name)(*arguments)
                if name == "getresponse":
                    with result:
                        result.read()
        conn.close()  # what was left in its buffer would be sent with the next request, as http.client does

    go_on(test)


@pytest.mark.parametrize("headers", [0, None, b"a: b", "a: b", ["a: b"], [("a", "b", "c")], [1]])
def test_headers_that_are_none(server: Server, headers: Any) -> None:
    """http.client raises TypeError for most of these."""
    with (
        hyperlite.HTTP20Connection("localhost", server.port, context=server.context()) as conn,
        pytest.raises(TypeError),
    ):
        conn.request("GET", "/", headers=headers)


def test_request_many_of_nothing(server: Server) -> None:
    with hyperlite.HTTP20Connection("localhost", server.port, context=server.context()) as conn:
        assert conn.request_many([]) == []


# http.client's own code calls methods of what should be str: the drop-in is that code.
FROM_HTTP_CLIENT = (AttributeError,)


@quick
@given(
    st.one_of(st.text(max_size=12), nasty, junk), st.one_of(st.none(), st.integers(-5, 70000), nasty, junk)
)
def test_hosts_and_ports(host: Any, port: Any) -> None:
    """No connection is made: a host is refused, or the name it stands for can be sent."""
    with contextlib.suppress(*DOCUMENTED, *FROM_HTTP_CLIENT):
        hyperlite.HTTP20Connection(host, port)
