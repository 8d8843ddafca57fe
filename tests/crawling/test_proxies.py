"""A crawl through proxies: its rules hold there too."""

import socket
from pathlib import Path

import pytest

import hyperlite
from hyperlite.testing.server import Request, Response
from tests.conftest import Serve
from tests.connect_proxy import Proxy
from tests.socks_proxy import SocksProxy


def answer(request: Request) -> Response:
    if request.path == "/robots.txt":
        return Response(body=b"User-agent: *\nDisallow: /no")
    if request.path == "/moved":
        return Response(302, headers=[("location", "/there")])
    return Response(body=b"page")


def unknown(host: str, _port: int) -> list[str] | None:
    """Know no names below .invalid, without asking a server for them."""
    if host.endswith(".invalid"):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return None


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("scheme", ["http", "socks4", "socks5", "socks5h"])
@pytest.mark.parametrize("ignore_robots", [False, True])
def test_a_crawl(serve: Serve, tmp_path: Path, scheme: str, secure: bool, ignore_robots: bool):
    server = serve(routes=answer, secure=secure)
    urls = [server.url(path) for path in ("/1", "/2", "/no", "/moved")]
    with Proxy() as http, SocksProxy() as socks:
        summary = hyperlite.crawl(
            urls,
            output=tmp_path / "out",
            proxies=http.url() if scheme == "http" else socks.url(scheme),
            verify=server.ca_file,
            ignore_robots=ignore_robots,
        )
        assert http.seen or socks.seen
    assert summary.statuses == {200: 4 if ignore_robots else 3}
    assert summary.failed == (0 if ignore_robots else 1)


def test_a_name_that_is_unknown_here_is_left_to_the_proxy(serve: Serve, tmp_path: Path):
    """The SOCKS proxy of the tests connects to this machine, whatever the name."""
    server = serve(routes=answer, secure=False)
    urls = [f"http://nosuch.invalid:{server.port}/{page}" for page in (1, 2, "moved")]
    with SocksProxy() as proxy:
        for ignore_robots in (False, True):
            output = tmp_path / str(ignore_robots)
            options = {"proxies": proxy.url("socks5h"), "resolver": unknown, "ignore_robots": ignore_robots}
            summary = hyperlite.crawl(urls, output=output, **options)
            assert summary.statuses == {200: 3}


def test_a_link_leads_nowhere_inside(serve: Serve, tmp_path: Path):
    """As far as names are known here: the proxy is not asked for the others."""
    pages = {"/": b"<a href='http://localhost:1/'><a href='http://10.0.0.1/'><a href='/there'>"}
    html = [("content-type", "text/html")]
    server = serve(
        routes=lambda request: Response(headers=html, body=pages.get(request.path, b"")), secure=False
    )
    with SocksProxy() as proxy:
        summary = hyperlite.crawl(
            [f"http://nosuch.invalid:{server.port}/"],
            output=tmp_path / "out",
            proxies=proxy.url("socks5h"),
            resolver=unknown,
            follow=hyperlite.CrawlScope("any"),
            ignore_robots=True,
        )
        assert summary.statuses == {200: 2}
        assert summary.errors == {"PermissionError": 2}
        assert not any(b"localhost" in told or b"\x0a\0\0\1" in told for told in proxy.seen)
