"""Type checkers: a program that imports `hyperlite.client` in the place of http.client is typed as before."""

import ast
import http.client
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")

ROOT = Path(__file__).parents[2]

PROGRAM = """
import io
import ssl
from collections.abc import Mapping
from typing import Any

import PACKAGE
import PACKAGE.client
import PACKAGE.client as h
from PACKAGE import client as http_client
from PACKAGE.client import *
from PACKAGE.client import HTTP_PORT, HTTPS_PORT, NOT_FOUND, OK, HTTPMessage, parse_headers


class Response(h.HTTPResponse):
    def begin(self) -> None:
        super().begin()
        self.charset = self.headers.get_content_charset("utf-8")

    def read(self, amt: int | None = None) -> bytes:
        return super().read(amt)


class Connection(h.HTTPSConnection):
    response_class = Response
    default_port = h.HTTPS_PORT

    def __init__(self, host: str, port: int | None = None, **options: Any) -> None:
        super().__init__(host, port, **options)
        self.count = 0

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(3)

    def putrequest(
        self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = False
    ) -> None:
        super().putrequest(method, url, skip_host, skip_accept_encoding)

    def request(
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Mapping[str, Any] = {},
        *,
        encode_chunked: bool = False,
    ) -> None:
        super().request(method, url, body, headers, encode_chunked=encode_chunked)

    def getresponse(self) -> h.HTTPResponse:
        return super().getresponse()


class Plain(http_client.HTTPConnection):
    def send(self, data: Any) -> None:
        super().send(data)

    def getresponse(self) -> HTTPResponse:
        response = super().getresponse()
        response.status, response.reason = OK, "as it should be"
        response.msg = response.headers = HTTPMessage()
        response.version, response.chunked, response.will_close, response.length = 11, False, True, None
        return response


def fetch(host: str, context: ssl.SSLContext) -> bytes:
    conn = h.HTTPSConnection(host, HTTPS_PORT, timeout=3, context=context)
    try:
        conn.request("GET", "/", headers={"a": "b"})
        response: h.HTTPResponse = conn.getresponse()
        if response.status != h.OK or response.status == NOT_FOUND:
            raise h.HTTPException(h.responses[response.status])
        message: h.HTTPMessage = response.headers
        print(message.get_all("x"), response.getheader("a"), response.getheader("a", 3))
        print(conn.sock.getpeercert(), conn.sock.version(), response.fp.read(), response.fp.raw)
        with response as entered:
            for line in entered:
                print(line.decode())
        return response.read()
    except h.RemoteDisconnected as error:
        print(error.errno)
    except (h.IncompleteRead, h.BadStatusLine, h.LineTooLong):
        pass
    except h.error as error:
        raise SystemExit(str(error))
    finally:
        conn.close()
    return b""


def line_of(response: HTTPResponse) -> bytes:
    return response.fp.readline()


def connection(secure: bool) -> h.HTTPConnection:
    kind: type[h.HTTPConnection] = h.HTTPSConnection if secure else h.HTTPConnection
    return kind("host", HTTP_PORT)


def part(error: h.IncompleteRead) -> bytes:
    return error.partial


headers = parse_headers(io.BytesIO(b""))
status: int = PACKAGE.client.OK
secure = PACKAGE.client.HTTPSConnection("host")
secure.response_class = Response
secure.sock = None
plain = h.HTTPConnection("host")
plain.response_class = Response
response = secure.getresponse()
"""
# What http.client imports for itself, and typeshed does not have.
MODULES = {"collections", "email", "errno", "http", "io", "re", "socket", "ssl", "sys", "urlsplit"}
TYPED = sorted(path.stem for path in (Path(__file__).parent / "typed").glob("*.py"))
NAMES = [name for name in dir(http.client) if not name.startswith("_") and name not in MODULES]
ATTRIBUTES = ("host", "port", "timeout", "blocksize", "debuglevel", "auto_open")
HEAD = (
    "headers",
    "msg",
    "version",
    "status",
    "reason",
    "length",
    "chunked",
    "will_close",
    "closed",
    "url",
    "fp",
)


def public(cls: type, *more: str) -> list[str]:
    return sorted({*(name for name in dir(cls) if not name.startswith("_")), *more})


def program(package: str) -> str:
    """Return a program that asks for the type of every name of the module."""
    expressions = [
        *http.client.__all__,  # by the star
        *(f"h.{name}" for name in NAMES),
        *(f"plain.{name}" for name in public(http.client.HTTPConnection, *ATTRIBUTES, "sock")),
        *(f"secure.{name}" for name in public(http.client.HTTPSConnection, *ATTRIBUTES, "sock")),
        *(f"response.{name}" for name in public(http.client.HTTPResponse, *HEAD)),
    ]
    return PROGRAM.replace("PACKAGE", package) + "".join(f"reveal_type({one})\n" for one in expressions)


def hyperlites(text: str) -> str:
    """Return a program with `hyperlite.client` for http.client, unless it is imported as `standard`."""
    standard = "import http.client as standard"
    text = re.sub(r"\bhttp\.client\b", "hyperlite.client", text)
    text = text.replace("from http import client", "from hyperlite import client")
    return text.replace(standard.replace("http.", "hyperlite."), standard)


BEYOND = """
import hyperlite
from hyperlite import client

response = client.HTTPSConnection("host").getresponse()
reveal_type(response)
if isinstance(response, hyperlite.HTTP20Response):
    reveal_type(response)
    reveal_type(response.trailers)
hyperlite.client.nonsense
hyperlite.nonsense
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What mypy says, as strictly as it can, by program: of all in one run, by the cache of `make check`."""
    folder = tmp_path_factory.mktemp("typed")
    texts = {"beyond": BEYOND}
    texts |= {f"names_with_{package}": program(package) for package in ("http", "hyperlite")}
    for name in TYPED:
        text = (Path(__file__).parent / "typed" / f"{name}.py").read_text()
        texts |= {f"{name}_with_http": text, f"{name}_with_hyperlite": hyperlites(text)}
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", str(ROOT / "pyproject.toml")]
    done = subprocess.run(
        [*command, str(folder)], capture_output=True, text=True, timeout=110, check=False, cwd=ROOT
    )
    assert done.stderr == ""
    lines: dict[str, list[str]] = {name: [] for name in texts}
    for line in done.stdout.splitlines()[:-1]:
        parts = re.match(r".*?(\w+)\.py:(\d+): (.*)", line)
        assert parts, line
        lines[parts[1]].append(
            f"{parts[2]}: {parts[3]}".replace("_with_http.", ".").replace("_with_hyperlite.", ".")
        )
    return lines


@pytest.mark.parametrize("name", ["names", *TYPED])
def test_a_program_is_typed_alike(name: str, found: dict[str, list[str]]) -> None:
    ours = found[f"{name}_with_hyperlite"]
    assert ours == found[f"{name}_with_http"]
    assert any("error:" in line for line in ours) is (name == "wrong")


def test_every_name_was_looked_at(found: dict[str, list[str]]) -> None:
    assert len(found["names_with_hyperlite"]) > 170


def test_what_is_beyond_http_client(found: dict[str, list[str]]) -> None:
    nonsense = 'error: Module has no attribute "nonsense"  [attr-defined]'
    assert [line.partition(": ")[2] for line in found["beyond"]] == [
        'note: Revealed type is "http.client.HTTPResponse"',
        'note: Revealed type is "hyperlite.messages.response.HTTP20Response"',
        'note: Revealed type is "http.client.HTTPMessage"',
        nonsense,
        nonsense,
    ]


def test_every_name_is_the_modules_own() -> None:
    """By the rules for typed packages, as pyright has them: defined there, or imported there as `X as X`."""
    tree = ast.parse((ROOT / "hyperlite" / "client.py").read_text())
    defined = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            defined |= {alias.name for alias in node.names if alias.asname == alias.name}
    assert {*NAMES, *http.client.__all__} - defined == set()


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "hyperlite" / "py.typed").is_file()
