"""`hyperlite URL …`: what is sent, what is printed, and how it ends."""

import json

import pytest

from hyperlite.cli import main
from hyperlite.cli.targets import targets
from hyperlite.testing.server import Server

from .conftest import Get


def test_a_body_goes_to_standard_output(get: Get, server: Server) -> None:
    assert get(server.url("/")) == "hello"
    assert main(["get", "--cacert", server.ca_file, server.url("/")]) == 0
    assert [entry[0] for entry in server.log] == ["h2", "h2"]


def test_several_urls_on_one_connection(get: Get, server: Server) -> None:
    assert get(server.url("/"), server.url("/late"), server.url("/")) == "hellolatehello"
    assert server.connections == 1


def test_heads(get: Get, server: Server) -> None:
    cookies = "set-cookie: a=1\r\nx-one: 1\r\nset-cookie: b=2\r\ncontent-length: 0\r\n\r\n"
    assert get("-i", server.url("/cookies")) == f"HTTP/2 200 \r\n{cookies}"
    assert get("-I", server.url("/")) == "HTTP/2 200 \r\ncontent-length: 5\r\n\r\n"
    assert get("-i", "--http1.1", server.url("/")).startswith("HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("options", "method", "body"),
    [
        ([], "GET", ""),
        (["-X", "DELETE"], "DELETE", ""),
        (["-d", "a=1", "--data", "b"], "POST", "a=1&b"),
        (["-d", ""], "POST", ""),
        (["-X", "PUT", "-d", "a"], "PUT", "a"),
        (["--json", '{"a":', "--json", "1}"], "POST", '{"a":1}'),
        (["--data-urlencode", "a b~/", "--data-urlencode", "x y=1 2"], "POST", "a+b~%2F&x y=1+2"),
        (["--data-raw", "@none"], "POST", "@none"),
    ],
)
def test_what_is_sent(get: Get, server: Server, options: list[str], method: str, body: str) -> None:
    seen = json.loads(get(*options, server.url("/report")))
    assert (seen["method"], seen["body"]) == (method, body)


def test_header_fields(get: Get, server: Server) -> None:
    given = [
        "-H",
        "X-A:  one ",
        "-H",
        "X-E;",
        "-H",
        "user-agent:",
        "-H",
        "x-a: two",
        "-u",
        "me:pw",
        "-b",
        "c=1",
    ]
    seen = json.loads(get(*given, server.url("/report")))["headers"]
    fields = [(name, value) for name, value in seen if name != "accept-encoding"]
    assert fields == [
        ("x-a", "one"),
        ("x-e", ""),
        ("x-a", "two"),
        ("authorization", "Basic bWU6cHc="),
        ("cookie", "c=1"),
        ("accept", "*/*"),
    ]


def test_a_field_of_h_replaces_that_of_another_option(get: Get, server: Server) -> None:
    given = [
        "-H",
        "Authorization: Bearer x",
        "-u",
        "me:pw",
        "-H",
        "Cookie: a=1",
        "-b",
        "c=1",
        "-H",
        "Referer:",
    ]
    seen = json.loads(get(*given, "-e", "http://a/", server.url("/report")))["headers"]
    fields = [(name, value) for name, value in seen if name in {"authorization", "cookie", "referer"}]
    assert fields == [("authorization", "Bearer x"), ("cookie", "a=1")]


def test_many_at_a_time_come_in_the_order_of_the_urls(get: Get, server: Server) -> None:
    urls = [server.url("/late"), *[server.url(f"/sized?n={n}") for n in range(1, 8)], server.url("/")]
    assert get("--parallel", "5", *urls) == "late" + "x" * 28 + "hello"
    assert server.connections == 1


def test_heads_before_and_behind(get: Get, server: Server) -> None:
    early = "HTTP/2 103 \r\nlink: </style.css>\r\n\r\nHTTP/2 200 \r\ncontent-length: 4\r\n\r\npage"
    assert get("-i", server.url("/hints")) == early
    assert get("-i", server.url("/trailers")) == "HTTP/2 200 \r\n\r\nbodyx-sum: 4\r\n"
    assert get("-i", "--http1.1", server.url("/hints")).startswith("HTTP/1.1 103 Early Hints\r\n")
    status = main(["--cacert", server.ca_file, "-i", "-f", server.url("/missing")])
    assert status == 22


def test_no_password_is_shown(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    """In errors, and where a bar has the name of a download."""
    secret = server.url("/").replace("//", "//me:pass@")
    assert main(["-O", secret]) == 23
    assert main(["--cacert", server.ca_file, "-f", secret + "missing"]) == 22
    assert main([secret.replace(str(server.port), "1")]) == 7
    assert "pass" not in capfd.readouterr().err
    assert targets([secret, secret + "a"], [], all_by_name=False)[0].name == "localhost"
    assert targets([secret + "a?b=/c"], [], all_by_name=False)[0].name == "a"


def test_resolve_takes_names_in_any_script(get: Get, server: Server) -> None:
    port = server.port
    assert (
        get("-k", "-s", "--resolve", f"MÜNCHEN.example:{port}:127.0.0.1", f"https://münchen.example:{port}/")
        == "hello"
    )
