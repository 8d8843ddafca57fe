"""What programs put in the place of http.client's names and methods: mocks, recorders, tracers."""

import contextlib
import functools
import http.client
import json
import socket
import ssl
import subprocess
import sys
import unittest.mock
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest

import hyperlite
from hyperlite import client
from hyperlite.adapters.urllib import HTTP20Handler
from hyperlite.testing.server import Server
from tests.conftest import Connect, Serve
from tests.connect_proxy import Proxy

Call = Callable[..., Any]
METHODS = [
    "__init__",
    "_send_output",
    "_send_request",
    "_tunnel",
    "close",
    "connect",
    "endheaders",
    "getresponse",
    "putheader",
    "putrequest",
    "request",
    "send",
    "set_debuglevel",
    "set_tunnel",
]


class Wrapper:
    """A wrapper as wrapt makes them: it shows the attributes of what it wraps."""

    def __init__(self, wrapped: Any, call: Call) -> None:
        self.__wrapped__ = wrapped
        self._call = call

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else functools.partial(self._call, instance)

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self._call(*args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)


def by_function(owner: type, name: str, call: Call) -> Any:
    return unittest.mock.patch.object(owner, name, call)


def by_wrapper(owner: type, name: str, call: Call) -> Any:
    return unittest.mock.patch.object(owner, name, Wrapper(getattr(owner, name), call))


def by_mock(owner: type, name: str, call: Call) -> Any:
    if name == "__init__":  # which mocks do not replace by a function
        return by_function(owner, name, call)
    return unittest.mock.patch.object(owner, name, autospec=True, side_effect=call)


@contextlib.contextmanager
def noted(owner: type, names: list[str], replace: Any = by_function) -> Iterator[list[Any]]:
    """Replace methods of a class by ones that note their calls, and go on."""
    calls: list[Any] = []

    def note(name: str, before: Call) -> Call:
        def call(self: Any, *args: Any, **options: Any) -> Any:
            calls.append((name, isinstance(self, http.client.HTTPSConnection), args, options))
            return before(self, *args, **options)

        return call

    with contextlib.ExitStack() as stack:
        for name in names:
            stack.enter_context(replace(owner, name, note(name, getattr(owner, name))))
        yield calls


def converse(kind: Any, server: Server, proxy: Proxy | None = None, context: Any = None) -> list[Any]:
    """Make requests on one connection, in several ways; returns what came of them."""
    context = context or server.context()
    conn = kind("localhost", proxy.port if proxy else server.port, timeout=10, context=context)
    if proxy:
        conn.set_tunnel("localhost", server.port)
    conn.set_debuglevel(0)
    conn.request("GET", "/", headers={"X-Mark": "here"})
    answers = [conn.getresponse().read()]
    conn.request("POST", "/count", b"body")
    answers.append(conn.getresponse().read())
    conn.close()
    conn.putrequest("POST", "/count")
    conn.putheader("Content-Length", "5")
    conn.endheaders()
    conn.send(b"later")
    response = conn.getresponse()
    answers += [response.read(), response.status]
    conn.close()
    return answers


def protocols(server: Server) -> set[str]:
    return {protocol for protocol, *_ in server.log}


class TestMethodsOfConnections:
    @pytest.mark.parametrize("replace", [by_function, by_wrapper, by_mock])
    @pytest.mark.parametrize("name", ["HTTPConnection", "HTTPSConnection"])
    @pytest.mark.parametrize("module", [client, http.client], ids=lambda module: module.__name__)
    def test_called_as_on_http_client(self, serve: Serve, module: Any, name: str, replace: Any) -> None:
        """As often, in the same order and with the same arguments; and the connection speaks HTTP/2."""
        names = METHODS
        if (module, name) == (http.client, "HTTPSConnection"):
            names = [name for name in METHODS if name != "connect"]  # test_a_handshake_of_its_own
        stock, server = serve(), serve()
        context = server.context()
        with Proxy() as proxy, noted(getattr(http.client, name), names) as expected:
            came = converse(http.client.HTTPSConnection, stock, proxy, context)
            port = proxy.port
        with Proxy() as proxy, noted(getattr(module, name), names, replace) as calls:
            assert converse(client.HTTPSConnection, server, proxy, context) == came
        moved = {port: proxy.port, stock.port: server.port}
        text = str(expected)
        for old, new in moved.items():
            text = text.replace(str(old), str(new))
        assert str(calls) == text
        assert protocols(server) == {"h2"}

    def test_a_handshake_of_its_own(self, serve: Serve) -> None:
        """Where `connect()` of http.client's own HTTPSConnection was replaced, that makes the TLS socket."""
        server = serve()
        with noted(http.client.HTTPSConnection, ["connect"]) as calls:
            assert converse(client.HTTPSConnection, server)[0] == b"hello"
        assert len(calls) == 2
        assert protocols(server) == {"http/1.1"}

    def test_a_connect_that_takes_the_name_elsewhere(self, serve: Serve) -> None:
        server = serve()

        def connect(self: Any) -> None:
            self.sock = socket.create_connection(("localhost", server.port))

        with unittest.mock.patch.object(client.HTTPConnection, "connect", connect):
            conn = client.HTTPSConnection("elsewhere.test", context=ssl._create_unverified_context())
            conn.request("GET", "/report")
            response = conn.getresponse()
            assert response.version == 20
            assert json.loads(response.read())["authority"] == "elsewhere.test"
            conn.close()

    @pytest.mark.parametrize("module", [client, http.client], ids=lambda module: module.__name__)
    def test_class_attributes(
        self, serve: Serve, module: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        server = serve()
        monkeypatch.setattr(module.HTTPConnection, "debuglevel", 1)
        monkeypatch.setattr(module.HTTPConnection, "_http_vsn", 10)
        monkeypatch.setattr(module.HTTPConnection, "_http_vsn_str", "HTTP/1.0")
        conn = client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=10)
        conn.request("GET", "/")
        assert conn.getresponse().read() == b"hello"
        assert conn.sock is None  # as after any response to HTTP/1.0
        shown = capsys.readouterr().out
        assert "send: b'GET / HTTP/1.0" in shown
        assert "frame out: HEADERS stream 1" in shown
        assert protocols(server) == {"h2"}

    @pytest.mark.parametrize("module", [client, http.client], ids=lambda module: module.__name__)
    def test_static_methods(self, serve: Serve, module: Any) -> None:
        """They are in `__dict__`, where vcrpy looks for them; and one that is replaced is called."""
        server = serve()
        for name, value in vars(http.client.HTTPConnection).items():
            if isinstance(value, staticmethod):
                assert isinstance(vars(client.HTTPConnection)[name], staticmethod)
        length = staticmethod(lambda _body, _method: 17)
        with unittest.mock.patch.object(module.HTTPConnection, "_get_content_length", length):
            conn = client.HTTPSConnection("localhost", server.port, context=server.context(), timeout=10)
            conn.request("POST", "/count", b"1" * 17)
            assert conn.getresponse().read() == b"17"
            conn.close()
        assert client.HTTPConnection._get_content_length(b"abc", "POST") == 3

    def test_tracers_do_not_see_half_of_a_request(self, serve: Serve, connect: Connect) -> None:
        """HTTP20Connection has requests of its own: a span that `putrequest` opens would never end."""
        conn = connect(serve(alpn=("http/1.1",)))
        with noted(http.client.HTTPConnection, ["putrequest", "getresponse"]) as calls:
            response = conn.getresponse(conn.request("GET", "/"))
            assert (response.version, response.read()) == (11, b"hello")
        assert calls == []

    def test_wrap_socket_in_a_wrapper(self, serve: Serve) -> None:
        """It gets the caller's context, though it shows the attributes of the method that it wraps."""
        server, seen = serve(), []
        before = ssl.SSLContext.wrap_socket

        def wrap_socket(made_by: ssl.SSLContext, *args: Any, **options: Any) -> Any:
            seen.append(made_by)
            return before(made_by, *args, **options)

        context = server.context()
        with by_wrapper(ssl.SSLContext, "wrap_socket", wrap_socket):
            assert converse(client.HTTPSConnection, server, context=context)[0] == b"hello"
        assert seen.count(context) == 2  # the others are the server's
        assert len(seen) == 4


class TestReplacedNames:
    """What hyperlite's classes are made of is http.client's own, whatever its names stand for."""

    @pytest.fixture(params=["HTTPConnection", "HTTPSConnection", "HTTPResponse", "all"])
    def _replaced(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        names = ["HTTPConnection", "HTTPSConnection", "HTTPResponse"]
        for name in names if request.param == "all" else [request.param]:
            monkeypatch.setattr(http.client, name, type(name, (), {"debuglevel": 0}))

    @pytest.mark.usefixtures("_replaced")
    def test_connections(self, server: Server, connect: Connect) -> None:
        with Proxy() as proxy:
            came = converse(client.HTTPSConnection, server, proxy)
            assert came == [b"hello", b"4", b"5", 200]
            conn = connect(server)
            assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"
            conn = hyperlite.HTTP20Connection("localhost", proxy.port, context=server.context(), timeout=10)
            conn.set_tunnel("localhost", server.port)
            assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"
            conn.close()
        assert hyperlite.fetch(server.url("/"), context=server.context()).body == b"hello"
        opener = urllib.request.build_opener(HTTP20Handler(server.context()))
        with opener.open(server.url("/")) as response:
            assert response.read() == b"hello"

    def test_a_cassette(self, serve: Serve) -> None:
        """As vcrpy's: classes that hold a real connection, with the static methods of the real class."""
        server = serve()
        real = client.HTTPSConnection

        class Recording:
            debuglevel, _http_vsn = 0, 11  # as vcrpy's have them
            made: ClassVar[list[Any]] = []

            def __init__(self, *args: Any, **options: Any) -> None:
                self.real = real(*args, **options)
                self.made.append(self.real)

            def __getattr__(self, name: str) -> Any:
                return getattr(self.real, name)

        for name, value in vars(client.HTTPConnection).items():
            if isinstance(value, staticmethod):
                setattr(Recording, name, value)
        with hyperlite.install():
            for name in ("HTTPConnection", "HTTPSConnection"):
                stack = unittest.mock.patch.object(sys.modules["http.client"], name, Recording)
                stack.start()
            try:
                request = urllib.request.Request(server.url("/count"), b"body")
                with urllib.request.urlopen(request, context=server.context()) as response:
                    assert response.read() == b"4"
                assert HTTP20Handler(server.context()).https_open(request).read() == b"4"
                client.HTTPSConnection("localhost").close()  # one without a context
            finally:
                unittest.mock.patch.stopall()
        assert len(Recording.made) == 3
        assert client.HTTPSConnection is real
        assert protocols(server) == {"h2"}

    @pytest.mark.parametrize("base", ["object", "http.client.{}"])
    def test_replaced_when_hyperlite_is_imported(self, serve: Serve, base: str) -> None:
        """http.client's own classes are found all the same."""
        server = serve()
        script = (
            "import http.client, sys\n"
            "kept = []\n"
            "for name in ('HTTPConnection', 'HTTPSConnection', 'HTTPResponse'):\n"
            "    kept.append(getattr(http.client, name))\n"
            f"    base = eval({base!r}.format(name))\n"
            "    setattr(http.client, name, type('Replaced', (base,), {}))\n"
            "import hyperlite\n"
            "from hyperlite import client\n"
            "context = hyperlite.create_context(cafile=sys.argv[2])\n"
            "conn = client.HTTPSConnection('localhost', int(sys.argv[1]), context=context)\n"
            "conn.request('GET', '/')\n"
            "response = conn.getresponse()\n"
            "print(response.version, response.read())\n"
            "print(hyperlite.fetch(f'https://localhost:{sys.argv[1]}/', context=context).body)\n"
        )
        assert run(script, server) == "20 b'hello'\nb'hello'\n"

    def test_set_before_hyperlite_is_imported(self, serve: Serve) -> None:
        """Methods, and a response class; the one that was replaced then is called, not passed by."""
        server = serve()
        script = (
            "import http.client, sys\n"
            "class Own(http.client.HTTPResponse):\n"
            "    pass\n"
            "before = http.client.HTTPResponse.read\n"
            "http.client.HTTPResponse.read = lambda *args: b'read ' + before(*args)\n"
            "init = http.client.HTTPSConnection.__init__\n"
            "http.client.HTTPSConnection.__init__ = lambda *args, **options: init(*args, **options)\n"
            "if sys.argv[3:]:\n"
            "    http.client.HTTPConnection.response_class = Own\n"
            "import hyperlite\n"
            "hyperlite.install()\n"
            "import http.client\n"
            "context = hyperlite.create_context(cafile=sys.argv[2])\n"
            "conn = http.client.HTTPSConnection('localhost', int(sys.argv[1]), context=context)\n"
            "conn.request('GET', '/')\n"
            "response = conn.getresponse()\n"
            "print(response.version, response.read(), isinstance(response, Own))\n"
        )
        assert run(script, server) == "20 b'read hello' False\n"
        assert run(script, server, "own") == "11 b'read hello' True\n"

    def test_gone_when_hyperlite_is_imported(self) -> None:
        script = (
            "import http.client, sys, types\n"
            "for name in ('HTTPConnection', 'HTTPSConnection'):\n"
            "    getattr(http.client, name).__module__ = 'elsewhere'\n"
            "http.client.HTTPConnection = None\n"
            "try:\n"
            "    import hyperlite.client\n"
            "except ImportError as error:\n"
            "    print(error)\n"
        )
        said = "http.client.HTTPConnection is None, and the class of http.client itself is gone"
        assert run(script).startswith(said)


def run(script: str, server: Server | None = None, *words: str) -> str:
    """Run a script in an interpreter of its own; returns what it has printed."""
    about = [str(server.port), server.ca_file] if server else []
    command = [sys.executable, "-c", script, *about, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
