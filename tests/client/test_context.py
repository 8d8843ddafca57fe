"""hyperlite.client: each connection's TLS context is its own, as http.client's are."""

import contextlib
import copy
import http.client
import ssl
import subprocess
import sys
import threading
import unittest.mock
import urllib.request
import warnings
import xmlrpc.client
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

import hyperlite
from hyperlite import client
from hyperlite.adapters.urllib import HTTP20Handler
from hyperlite.net import trust
from hyperlite.testing.server import Server
from tests.conftest import Serve
from tests.inside import forget_default_contexts

FACTORY = "_create_https_context"


@pytest.fixture(params=["h2", "http/1.1"])
def server(request: pytest.FixtureRequest, serve: Serve) -> Server:
    return serve(alpn=(request.param,))


@pytest.fixture
def trusting(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names the server's authority."""
    monkeypatch.setenv("SSL_CERT_FILE", server.ca_file)


@pytest.fixture
def distrusting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names an authority that is not the server's."""
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "other.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", "")


@pytest.fixture
def connect(server: Server) -> Iterator[Callable[..., client.HTTPSConnection]]:
    with contextlib.ExitStack() as stack:

        def make(kind: Any = client.HTTPSConnection, **options: Any) -> Any:
            return stack.enter_context(
                contextlib.closing(kind("localhost", server.port, timeout=10, **options))
            )

        yield make


def get(conn: client.HTTPSConnection) -> bytes:
    conn.request("GET", "/")
    return conn.getresponse().read()


def disarm(context: ssl.SSLContext) -> None:
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE


class ReadsItsContext(client.HTTPSConnection):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        disarm(self._context)


class KeepsItsContextElsewhere(client.HTTPSConnection):
    @property
    def _context(self) -> ssl.SSLContext:
        return self.elsewhere

    @_context.setter
    def _context(self, context: ssl.SSLContext) -> None:
        self.elsewhere = context

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        disarm(self._context)


class SetsItsContext(client.HTTPSConnection):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._context = ssl._create_unverified_context()


class MeetsItsContextOnTheWay(http.client.HTTPSConnection):
    def __init__(self, *args: Any, context: ssl.SSLContext | None = None, **options: Any) -> None:
        if context is not None:
            disarm(context)
        super().__init__(*args, context=context, **options)


class Mixed(client.HTTPSConnection, MeetsItsContextOnTheWay):
    pass


def by_attribute(connect: Any) -> Any:
    conn = connect()
    disarm(conn._context)
    return conn


def by_vars(connect: Any) -> Any:
    conn = connect()
    _ = conn._context
    for value in vars(conn).values():
        if isinstance(value, ssl.SSLContext):
            disarm(value)
    return conn


def by_copy(connect: Any) -> Any:
    conn = connect(lambda *args, **options: copy.copy(client.HTTPSConnection(*args, **options)))
    disarm(conn._context)
    return conn


def by_handler(connect: Any) -> Any:
    disarm(HTTP20Handler()._context)
    return by_attribute(connect)


def by_patch(connect: Any) -> Any:
    """A patch of http.client's class that changes the context on its way."""
    original = http.client.HTTPSConnection.__init__

    def patched(self: Any, *args: Any, **options: Any) -> None:
        disarm(options["context"])
        original(self, *args, **options)

    with unittest.mock.patch.object(http.client.HTTPSConnection, "__init__", patched):
        return connect()


WAYS = [
    by_attribute,
    by_vars,
    by_copy,
    by_handler,
    by_patch,
    *(
        lambda connect, kind=kind: connect(kind)
        for kind in (ReadsItsContext, KeepsItsContextElsewhere, SetsItsContext, Mixed)
    ),
]


@pytest.mark.usefixtures("distrusting")
@pytest.mark.parametrize("reach", WAYS)
def test_what_one_connection_is_told_holds_for_no_other(server: Server, connect: Any, reach: Any) -> None:
    before = connect()
    assert get(reach(connect)) == b"hello"
    for conn in (before, connect()):
        with pytest.raises(ssl.SSLCertVerificationError):
            conn.request("GET", "/")
    with (
        hyperlite.HTTP20Connection("localhost", server.port, timeout=10) as conn,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        conn.request("GET", "/")
    with hyperlite.ConnectionPool(retries=0) as pool, pytest.raises(ssl.SSLCertVerificationError):
        pool.fetch(server.url("/"))


@pytest.mark.usefixtures("distrusting")
def test_an_argument_of_python_3_11(connect: Any) -> None:
    """`check_hostname` was written on the shared context."""
    if sys.version_info >= (3, 12):
        with pytest.raises(TypeError):
            connect(check_hostname=False)
        return
    with pytest.warns(DeprecationWarning, match="check_hostname"):
        conn = connect(check_hostname=False)
    assert conn._context.check_hostname is False
    assert connect()._context.check_hostname is True
    assert trust.default_context().check_hostname is True


@pytest.mark.usefixtures("trusting")
class TestOwn:
    def test_it_is_loaded_once_for_all_that_do_not_ask(
        self, connect: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        forget_default_contexts(monkeypatch)
        loads = []
        load = ssl.SSLContext.load_default_certs
        monkeypatch.setattr(
            ssl.SSLContext,
            "load_default_certs",
            lambda self, purpose=ssl.Purpose.SERVER_AUTH: (loads.append(1), load(self, purpose))[1],
        )
        for _ in range(3):
            assert get(connect()) == b"hello"
        assert loads == [1]
        assert connect()._context is not connect()._context
        assert loads == [1] * 3

    def test_it_is_the_same_each_time(self, connect: Any) -> None:
        conn = connect()
        assert conn._context is conn._context
        assert conn._context.verify_mode is ssl.CERT_REQUIRED
        assert conn._context.post_handshake_auth is True
        assert vars(conn)["_context"] is conn._context

    def test_threads_get_the_same(self, connect: Any) -> None:
        conn = connect()
        found: list[ssl.SSLContext] = []
        barrier = threading.Barrier(4)

        def ask() -> None:
            barrier.wait(10)
            found.append(conn._context)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert len(found) == 4
        assert set(found) == {conn._context}

    def test_it_is_used_once_it_was_asked_for(self, connect: Any) -> None:
        """Also where the connection is opened again."""
        conn = connect()
        assert get(conn) == b"hello"
        conn.close()
        conn._context.maximum_version = ssl.TLSVersion.TLSv1_2
        conn.connect()
        assert conn.sock.version() == "TLSv1.2"

    def test_one_that_is_given(self, connect: Any, server: Server) -> None:
        context = server.context()
        assert connect(context=context)._context is context

    def test_one_that_is_set(self, connect: Any) -> None:
        conn = connect()
        conn._context = context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        assert conn._context is context
        with pytest.raises(ssl.SSLCertVerificationError):
            conn.request("GET", "/")

    def test_a_function_that_makes_it_may_be_replaced(self, connect: Any, server: Server) -> None:
        made = []

        def make(http_version: int) -> ssl.SSLContext:
            made.append(http_version)
            return server.context()

        with unittest.mock.patch.object(client, FACTORY, make):
            assert get(connect()) == b"hello"
        assert made == [11]

    def test_a_replaced_hook_is_asked_for_each_connection(
        self, connect: Any, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As http.client asks it."""
        contexts = [server.context(), server.context()]
        left = contexts.copy()
        monkeypatch.setattr(ssl, "_create_default_https_context", lambda: left.pop(0))
        assert [connect()._context, connect()._context] == contexts
        assert not any(context.post_handshake_auth for context in contexts)


class TestUrllibRequest:
    """It speaks HTTP/2 where `hyperlite.client` is in the place of http.client, on every Python."""

    @pytest.fixture
    def server(self, serve: Serve) -> Server:
        return serve()

    @pytest.fixture(autouse=True)
    def _no_opener(self, monkeypatch: pytest.MonkeyPatch, trusting: None) -> None:
        monkeypatch.setattr(urllib.request, "_opener", None)

    @pytest.fixture(autouse=True)
    def _over_http2(self, _no_opener: None, server: Server) -> Iterator[None]:
        yield
        assert {protocol for protocol, *_ in server.log} == {"h2"}

    def test_urlopen(self, server: Server) -> None:
        with hyperlite.install(), urllib.request.urlopen(server.url("/"), timeout=10) as response:
            assert (response.version, response.read()) == (20, b"hello")

    @pytest.mark.parametrize("make", [urllib.request.HTTPSHandler, HTTP20Handler])
    def test_a_handler(self, server: Server, make: Any) -> None:
        with hyperlite.install():
            opener = urllib.request.build_opener(make())
            with opener.open(server.url("/"), timeout=10) as response:
                assert (response.version, response.read()) == (20, b"hello")

    def test_a_handler_with_an_argument(self, server: Server) -> None:
        """`check_hostname` is written on the context, or given to the connection, which writes it there."""
        with hyperlite.install(), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            opener = urllib.request.build_opener(urllib.request.HTTPSHandler(check_hostname=False))
            with opener.open(server.url("/"), timeout=10) as response:
                assert response.version == 20
        assert trust.default_context().check_hostname is True

    def test_xmlrpc(self, server: Server) -> None:
        with (
            hyperlite.install(),
            xmlrpc.client.ServerProxy(server.url("/missing")) as proxy,
            pytest.raises(xmlrpc.client.ProtocolError, match="404"),
        ):
            proxy.anything()

    def test_run(self, server: Server, tmp_path: Path) -> None:
        script = tmp_path / "script.py"
        script.write_text(
            "import sys, urllib.request\n"
            "with urllib.request.urlopen(sys.argv[1]) as response:\n"
            "    print(response.version, response.read())\n"
        )
        command = [sys.executable, "-m", "hyperlite", "run", str(script), server.url("/")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (done.stdout, done.stderr) == ("20 b'hello'\n", "")


class Pretended:
    """A class without a base that a program's test puts in the place of ssl.SSLContext."""

    def __init__(self, protocol: int | None = None) -> None:
        self.verify_mode, self.check_hostname = ssl.CERT_NONE, False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return unittest.mock.MagicMock()


def by_mock() -> Any:
    return unittest.mock.patch("ssl.SSLContext")


def by_autospec() -> Any:
    return unittest.mock.patch("ssl.SSLContext", autospec=True)


def by_class() -> Any:
    return unittest.mock.patch("ssl.SSLContext", Pretended)


@pytest.mark.parametrize("replace", [by_mock, by_autospec, by_class])
class TestAClassThatIsReplaced:
    """As long as a program's test runs, ssl.SSLContext is a mock."""

    @pytest.mark.parametrize("kind", [client.HTTPSConnection, hyperlite.HTTP20Connection])
    def test_a_context_that_was_made_before(self, serve: Serve, replace: Any, kind: Any) -> None:
        server = serve()
        context = server.context()
        with replace():
            conn = kind("localhost", server.port, context=context, timeout=10)
            conn.request("GET", "/")
            response = conn.getresponse()
            assert (response.status, response.version) == (200, 20)
            response.read()
            conn.close()

    @pytest.mark.usefixtures("trusting")
    def test_a_context_of_that_class(self, server: Server, replace: Any) -> None:
        with replace():
            for given in ({}, {"context": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}):
                conn = client.HTTPSConnection("localhost", server.port, timeout=10, **given)
                raw: list[Any] = []
                create = conn._create_connection
                conn._create_connection = lambda *args, create=create, raw=raw: (
                    raw.append(create(*args)) or raw[0]
                )
                conn.connect()  # with what the mock makes, as http.client does
                assert not isinstance(conn.sock, ssl.SSLSocket)
                raw[0].close()
        conn = client.HTTPSConnection("localhost", server.port, timeout=10)
        conn.request("GET", "/")
        with conn.getresponse() as response:
            assert response.status == 200
        conn.close()
