"""`-v`: what it shows of connections and heads."""

import ssl

import pytest

import hyperlite
from hyperlite import ConnectionPool
from hyperlite.cli.verbose import Verbose
from hyperlite.testing import Request, Response, Server
from tests.conftest import Serve
from tests.connect_proxy import Proxy

from .watching import Page, pool_of

by_protocol = pytest.mark.parametrize("alpn", ["h2", "http/1.1"])


def shop(request: Request) -> Response:
    if request.path == "/away":
        return Response(302, headers=[("location", "/here?token=s3cret")])
    if request.path == "/hints":
        return Response(informational=[(103, [("link", "</style.css>")])], body=b"page")
    if request.path == "/trailers":
        return Response(body=iter([b"body"]), trailers=[("x-sum", "4")])
    if request.path == "/odd":
        return Response(headers=[("x-odd", "\x1b[2Jgone\u00e9")])
    return Response(headers=[("x-mine", "1"), ("set-cookie", "id=s3cret")], body=b"hello")


def seen(server: Server, path: str, *, secrets: bool = False, **options: object) -> list[str]:
    page = Page()
    with pool_of(server, [Verbose(page.write, secrets=secrets)]) as pool:
        pool.fetch(server.url(path), **options)
    return page.lines


@by_protocol
def test_both_directions(serve: Serve, alpn: str) -> None:
    server = serve(routes=shop, alpn=(alpn,))
    lines = seen(server, "/book?id=7", headers={"X-Asked": "yes"})
    version = "HTTP/2" if alpn == "h2" else "HTTP/1.1"
    assert lines[0].endswith(f" to localhost (127.0.0.1) port {server.port}")
    assert lines[1].startswith(f"*   {version}, TLSv1.")
    sent = [line for line in lines if line.startswith(">")]
    assert sent[0] == f"> GET /book?id=7 {version}"
    assert sent[1].lower() == f"> host: localhost:{server.port}"
    assert "> x-asked: yes" in [line.lower() for line in sent]
    assert sent[-1] == ">"
    came = [line for line in lines if line.startswith("<")]
    assert came[0] == ("< HTTP/2 200" if alpn == "h2" else "< HTTP/1.1 200 OK")
    assert came[1:] == ["< x-mine: 1", "< set-cookie: …", "< content-length: 5", "<"]
    assert lines[-1].endswith(" ms")
    assert ": 5 bytes, " in lines[-1]


def test_the_certificate(serve: Serve) -> None:
    lines = seen(serve(routes=shop), "/")
    [at] = [number for number, line in enumerate(lines) if "certificate:" in line]
    assert lines[at].startswith("*   certificate: O=trustme")
    assert lines[at + 1].startswith("*     for localhost, 127.0.0.1, ")
    assert lines[at + 2].startswith("*     from ")
    assert lines[at + 3].startswith("*     issued by O=hyperlite, OU=Testing CA")
    assert lines[at + 4] == "*     verified"
    assert "TLS" not in "".join(seen(serve(routes=shop, secure=False), "/"))


def test_a_certificate_that_is_not_verified(serve: Serve) -> None:
    server, page = serve(routes=shop), Page()
    with ConnectionPool(verify=False, observers=[Verbose(page.write, verified=False)]) as pool:
        pool.fetch(server.url("/"))
    assert "*     NOT verified" in page.lines


def test_a_certificate_that_is_refused(serve: Serve) -> None:
    server, page = serve(routes=shop), Page()
    with (
        ConnectionPool(retries=0, observers=[Verbose(page.write)]) as pool,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        pool.fetch(server.url("/"))
    [line] = page.lines
    assert line.endswith(" has failed (SSLCertVerificationError)")


@by_protocol
def test_secrets(serve: Serve, alpn: str) -> None:
    server = serve(routes=shop, alpn=(alpn,))
    asked = {"headers": {"Authorization": "Basic s3cret", "Cookie": "a=s3cret"}, "redirects": 1}
    hidden = seen(server, "/away?api_key=s3cret", **asked)
    assert not [line for line in hidden if "s3cret" in line]
    assert sum("…" in line for line in hidden) >= 6
    shown = seen(server, "/away?api_key=s3cret", secrets=True, **asked)
    assert "> authorization: Basic s3cret" in [
        line[:2] + line[2:].lower().replace("basic", "Basic") for line in shown
    ]
    assert "< location: /here?token=s3cret" in shown
    assert any(line.endswith(f"302 leads to {server.url('/here?token=s3cret')}") for line in shown)


def test_reused_connections_and_streams(serve: Serve) -> None:
    server, page = serve(routes=shop), Page()
    with pool_of(server, [Verbose(page.write)]) as pool:
        for _ in range(2):
            pool.fetch(server.url("/"))
    first, second = (line for line in page.lines if " on connection " in line)
    assert first.endswith(", stream 1")
    assert "reused" not in first
    assert second.endswith(", reused, stream 3")


@by_protocol
def test_informational_responses_and_trailers(serve: Serve, alpn: str) -> None:
    server = serve(routes=shop, alpn=(alpn,))
    version = "HTTP/2" if alpn == "h2" else "HTTP/1.1"
    lines = seen(server, "/hints")
    at = lines.index(f"< {version} 103")
    assert lines[at + 1 : at + 3] == ["< link: </style.css>", "<"]
    assert lines[at + 3].startswith(f"< {version} 200")
    assert "< x-sum: 4" in seen(server, "/trailers")


def test_nothing_steers_the_terminal(serve: Serve) -> None:
    lines = seen(serve(routes=shop, alpn=("http/1.1",)), "/odd")
    assert "< x-odd: \\x1b[2Jgoneé" in lines or not any("\x1b" in line for line in lines)


def test_further_tries(serve: Serve) -> None:
    server, page = serve(routes=shop, record=True), Page()
    server.faults.refuse("/")
    with ConnectionPool(verify=server.ca_file, observers=[Verbose(page.write)]) as pool:
        pool.fetch(server.url("/"))
    assert any("tried again in" in line for line in page.lines)
    assert any(line.endswith("attempt 2") for line in page.lines)


def test_a_failure(serve: Serve) -> None:
    server, page = serve(routes=shop), Page()
    server.faults.cut("/", times=None)
    with pool_of(server, [Verbose(page.write)]) as pool, pytest.raises(hyperlite.FetchError):
        pool.fetch(server.url("/?token=s3cret"))
    assert any(" has failed (" in line for line in page.lines)
    assert "s3cret" not in page.text


@pytest.mark.parametrize("secure", [True, False])
def test_a_proxy(serve: Serve, secure: bool) -> None:
    server, page = serve(routes=shop, secure=secure), Page()
    with (
        Proxy() as proxy,
        pool_of(server, [Verbose(page.write)], proxies=proxy.url("me:s3cret")) as pool,
    ):
        pool.fetch(server.url("/a"))
    if secure:
        at = f"by way of the proxy 127.0.0.1 (127.0.0.1) port {proxy.port}"
        way = f"to localhost port {server.port} {at}"
        assert page.lines[0].endswith(way)
        assert "> GET /a HTTP/2" in page.lines
    else:  # the proxy is sent the whole URL
        assert f"> GET {server.url('/a')} HTTP/1.1" in page.lines
        assert "> Proxy-Authorization: …" in page.lines
    assert "s3cret" not in page.text
