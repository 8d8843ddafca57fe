"""hyperlite.client as a module: its names, `install()`, and urllib's handler."""

import functools
import http.client
import inspect
import socket
import subprocess
import sys
import unittest.mock
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

import hyperlite
from hyperlite import client
from hyperlite.adapters.urllib import HTTP20Handler
from hyperlite.testing.server import Request, Response, Server
from tests.conftest import ROUTES, Serve

from .conftest import get


class TestTheModule:
    def test_every_name_is_there(self) -> None:
        assert set(client.__all__) == set(http.client.__all__)
        for name in dir(http.client):
            assert hasattr(client, name), name
        assert client.HTTPException is http.client.HTTPException
        assert client.responses is http.client.responses
        assert client.OK == 200

    def test_limits_are_set_where_they_are_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(client, "_MAXHEADERS", 7)
        assert http.client._MAXHEADERS == 7

    @pytest.mark.parametrize("name", ["HTTPConnection", "HTTPSConnection", "HTTPResponse"])
    def test_signatures(self, name: str) -> None:
        assert inspect.signature(getattr(client, name)) == inspect.signature(getattr(http.client, name))

    def test_response_class_may_be_any_callable(self, h2: client.HTTPSConnection) -> None:
        class Own(client.HTTPResponse):
            pass

        h2.response_class = functools.partial(Own)
        assert isinstance(get(h2), Own)

    def test_patches_of_the_standard_classes_take_effect(
        self, conn: client.HTTPSConnection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen = []
        original = http.client.HTTPConnection.putrequest

        def spy(self: Any, method: str, url: str, *args: Any, **options: Any) -> None:
            seen.append((method, url))
            original(self, method, url, *args, **options)

        monkeypatch.setattr(http.client.HTTPConnection, "putrequest", spy)
        assert get(conn).read() == b"hello"
        assert seen == [("GET", "/")]

    def test_a_socket_of_one_s_own_speaks_http1(self, server: Server) -> None:
        conn = client.HTTPSConnection("localhost", server.port, timeout=10)
        raw = socket.create_connection(("localhost", server.port))
        conn.sock = server.context().wrap_socket(raw, server_hostname="localhost")
        assert get(conn).version == 11
        conn.close()


class TestInstall:
    def test_as_a_context_manager(self) -> None:
        standard = http.client
        with hyperlite.install():
            import http.client as inside  # noqa: PLC0415

            assert inside is client
            assert urllib.request.http.client is client
        assert sys.modules["http.client"] is standard
        assert urllib.request.http.client is standard

    def test_urllib_request(self, server: Server) -> None:
        with hyperlite.install():
            response = urllib.request.urlopen(server.url("/report"), b"data", context=server.context())
            assert response.read().startswith(b'{"method": "POST"')
        assert response.version == (20 if server.log[0][0] == "h2" else 11)


def test_run_a_script_unmodified(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    (tmp_path / "neighbour.py").write_text("NAME = 'neighbour'\n")
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, ssl, threading, urllib.request, neighbour\n"
        "context = ssl.create_default_context(cafile=sys.argv[2])\n"
        "response = urllib.request.urlopen(sys.argv[1], context=context)\n"
        "print(__name__, neighbour.NAME, response.version, response.read())\n"
        "def later():\n"
        "    threading.main_thread().join()\n"
        "    print(urllib.request.urlopen(sys.argv[1], context=context).version)\n"
        "threading.Thread(target=later).start()\n"
        "sys.exit(3)\n"
    )
    command = [sys.executable, "-m", "hyperlite", "run", str(script), server.url("/"), server.ca_file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("__main__ neighbour 20 b'hello'\n20\n", "")
    assert done.returncode == 3


class TestUrllibHandler:
    def test_it_opens_over_http2(self, server: Server) -> None:
        opener = urllib.request.build_opener(HTTP20Handler(context=server.context()))
        with opener.open(server.url("/sized?n=3000000")) as response:
            assert len(response.read()) == 3_000_000
            assert response.url == server.url("/sized?n=3000000")

    def test_redirects_and_errors(self, serve: Serve) -> None:
        def moved(_: Request) -> Response:
            return Response(302, headers=[("location", "/")])

        server = serve(routes={**ROUTES, "/moved": moved})
        opener = urllib.request.build_opener(HTTP20Handler(context=server.context()))
        assert opener.open(server.url("/moved")).read() == b"hello"
        with pytest.raises(urllib.error.HTTPError, match="404") as caught:
            opener.open(server.url("/missing"))
        assert caught.value.read() == b"no such thing"
        caught.value.close()
        assert {protocol for protocol, *_ in server.log} == {"h2"}


def test_patches_are_undone() -> None:
    before = http.client._MAXLINE
    with unittest.mock.patch.object(client, "_MAXLINE", 5):
        assert http.client._MAXLINE == 5
    assert before == http.client._MAXLINE
    client.brand_new = 1
    assert http.client.brand_new == 1
    del client.brand_new
    assert not hasattr(http.client, "brand_new")
    with pytest.raises(AttributeError):
        del client.no_such_name
