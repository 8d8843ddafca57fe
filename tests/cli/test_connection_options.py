"""Proxies, `--resolve`, client certificates and further tries, as options of the command."""

import ssl

import pytest

from hyperlite.cli import main
from hyperlite.cli.get import parser
from hyperlite.cli.options import UsageError, pool_keywords
from hyperlite.testing.certificates import certificates
from hyperlite.testing.server import Request, Response, Server
from tests.conftest import Serve
from tests.connect_proxy import Proxy

from .conftest import Get


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_proxies(get: Get, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    url = server.url("/")
    with Proxy() as proxy:
        assert get("-x", proxy.url("me:pw"), url) == "hello"
        assert proxy.seen[0][0].startswith(f"CONNECT localhost:{server.port} ")
        assert "Proxy-Authorization: Basic bWU6cHc=" in proxy.seen[0]
        monkeypatch.setenv("https_proxy", proxy.url())
        assert get(url) == "hello"
        assert len(proxy.seen) == 2, "the environment names it"
        assert get("-x", "", url) == "hello"
        assert get("--noproxy", "localhost", url) == "hello"
        assert get("--noproxy", "*", "-x", proxy.url(), url) == "hello"
        assert len(proxy.seen) == 2, "it is not used"
        assert get("--noproxy", "other.example", url) == "hello"
        assert len(proxy.seen) == 3


def test_a_proxy_that_refuses(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    with Proxy(refuse=b"407 Proxy Authentication Required") as proxy:
        assert main(["--cacert", server.ca_file, "-x", proxy.url("me:pw"), server.url("/")]) == 7
    said = capfd.readouterr().err
    assert said.startswith(
        f"hyperlite: {server.url('/')}: cannot connect to localhost:{server.port} by way of http://"
    )
    assert "407 Proxy Authentication Required" in said
    assert "pw" not in said


def test_where_to_connect(get: Get, server: Server) -> None:
    by_name = f"https://shop.example:{server.port}/"
    assert get("-ks", "--resolve", f"shop.example:{server.port}:127.0.0.1", by_name) == "hello"
    assert get("-ks", "--resolve", f"*:{server.port}:[::1],127.0.0.1", by_name) == "hello"


def test_a_client_certificate(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    assert server.tls is not None
    server.tls.load_verify_locations(certificates().ca_file)
    server.tls.verify_mode = ssl.CERT_REQUIRED
    own = ["--cert", certificates().cert_file, "--key", certificates().key_file]
    assert main(["--cacert", server.ca_file, *own, server.url("/")]) == 0
    assert capfd.readouterr().out == "hello"
    assert main(["--cacert", server.ca_file, server.url("/")]) in {35, 56}, "TLS 1.2, or 1.3"
    assert "(--cert)" in capfd.readouterr().err


def test_further_tries(serve: Serve, capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[str] = []

    def shaky(request: Request) -> Response:
        seen.append(request.method)
        return Response(503 if len(seen) % 2 else 200, headers=[("retry-after", "0")], body=b"well")

    server = serve(routes=shaky)
    trusted = ["--cacert", server.ca_file]
    assert main([*trusted, "--retry", "1", server.url("/")]) == 0
    assert capfd.readouterr().out == "well"
    assert main([*trusted, "-f", server.url("/")]) == 22
    assert seen == ["GET"] * 3, "without --retry there is one try"


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        ([], "verify", True),
        (["--cacert", "a"], "verify", "a"),
        (["--cacert", "a", "-k"], "verify", False),
        (["--cert", "a"], "cert", "a"),
        (["--cert", "a", "--key", "b"], "cert", ("a", "b")),
        (["--cert", "a", "--pass", "c"], "cert", ("a", "a", "c")),
        ([], "timeout", 60.0),
        (["--timeout", "0"], "timeout", None),
        (["-m", "1.5"], "deadline", 1.5),
        ([], "protocols", None),
        (["--http1.1"], "protocols", ("http/1.1",)),
        (["--http1.1", "--http2"], "protocols", None),
        (["--http2-prior-knowledge"], "protocols", ("h2",)),
        ([], "proxies", None),
        (["-x", ""], "proxies", False),
    ],
)
def test_the_arguments_of_a_pool(arguments: list[str], name: str, value: object) -> None:
    assert pool_keywords(parser().parse([*arguments, "https://a/"]))[name] == value


def test_options_that_belong_together() -> None:
    with pytest.raises(UsageError, match="--key and --pass belong to --cert"):
        pool_keywords(parser().parse(["--pass", "c", "https://a/"]))
