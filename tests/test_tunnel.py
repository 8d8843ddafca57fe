"""HTTP20Connection through a proxy's tunnel."""

import json

import pytest

import hyperlite
from tests.conftest import Serve
from tests.connect_proxy import Proxy


@pytest.mark.parametrize(("alpn", "version"), [(("h2", "http/1.1"), 20), (("http/1.1",), 11)])
def test_requests_through_a_tunnel_are_the_origins(serve: Serve, alpn: tuple[str, ...], version: int):
    server = serve(alpn=alpn)
    with (
        Proxy() as proxy,
        hyperlite.HTTP20Connection("127.0.0.1", proxy.port, context=server.context(), timeout=10) as conn,
    ):
        conn.set_tunnel("localhost", server.port, {"Proxy-Authorization": "Basic YTpi"})
        for _ in range(2):
            conn.request("GET", "/report")
            response = conn.getresponse()
            assert response.version == version
            assert json.loads(response.read())["authority"] == f"localhost:{server.port}"
    [lines] = proxy.seen
    assert lines[0].startswith(f"CONNECT localhost:{server.port} ")
    assert "Proxy-Authorization: Basic YTpi" in lines


def test_cleartext_http2_through_a_tunnel(serve: Serve):
    server = serve(secure=False)
    with (
        Proxy() as proxy,
        hyperlite.HTTP20Connection("127.0.0.1", proxy.port, secure=False, timeout=10) as conn,
    ):
        conn.set_tunnel("localhost", server.port)
        conn.request("GET", "/")
        assert conn.getresponse().read() == b"hello"


def test_a_proxy_that_refuses(serve: Serve):
    server = serve()
    with (
        Proxy(refuse=b"407 Proxy Authentication Required") as proxy,
        hyperlite.HTTP20Connection("127.0.0.1", proxy.port, context=server.context(), timeout=10) as conn,
    ):
        conn.set_tunnel("localhost", server.port)
        with pytest.raises(OSError, match="Tunnel connection failed: 407 Proxy Authentication Required"):
            conn.request("GET", "/")
    assert not server.log
