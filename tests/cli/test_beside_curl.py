"""The command lines of docs/reference/command-line.md, run as they stand there, and beside curl.

Both meet the same server: nginx, nghttpd or the embedded one. What they print, their exit statuses, the files
that they leave and, at the embedded server, what they have sent have to be the same.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hyperlite.cli import main
from hyperlite.testing.certificates import certificates
from hyperlite.testing.files import directory
from hyperlite.testing.server import Response, Server
from tests.conftest import ROUTES
from tests.real.servers import Block, Nginx, find_program, nghttpd

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "command-line.md"
LINES = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
# How curl spells what differs; the page has it in its table.
SPELT = {
    "--parallel 3": "--parallel --parallel-max 3",
    "--timeout": "--connect-timeout",
    "--deadline": "--max-time",
}
# Options that curl has not got, or which show on standard error what differs.
OWN = re.compile(r" (--frames|--timing|-v) ")
PHOTO = bytes(range(256)) * 40


class Place(NamedTuple):
    """A server: its ports with and without TLS, whether it has HTTP/1.1, and what records its requests."""

    port: int
    plain: int
    http1: bool = True
    recorder: Server | None = None


def routes(root: Path) -> dict[str, Any]:
    files = dict.fromkeys(("/", "/a.txt", "/b.txt", "/big.iso"), directory(root))
    moved = Response(302, headers=[("location", "/a.txt")], body=b"moved")
    return {**files, "/report": ROUTES["/report"], "/moved": lambda _: moved}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("root")
    (made / "index.html").write_text("<p>hello</p>\n")
    (made / "a.txt").write_text("a\n" * 1000)
    (made / "b.txt").write_text("b\n" * 1000)
    (made / "big.iso").write_bytes(bytes(range(256)) * 4000)
    return made


@pytest.fixture(scope="module", params=["embedded", "nginx", "nghttpd"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, root: Path
) -> Iterator[Place]:
    if request.param == "embedded":
        answer = routes(root)
        with Server(answer, record=True) as secure, Server(answer, secure=False) as plain:
            yield Place(secure.port, plain.port, recorder=secure)
    elif request.param == "nginx":
        moved = "location = /moved { return 302 /a.txt; }"
        blocks = {"secure": Block(moved), "plain": Block(moved, secure=False)}
        with Nginx(tmp_path_factory.mktemp("nginx"), root, blocks) as nginx:
            yield Place(nginx.sites["secure"].port, nginx.sites["plain"].port)
    else:
        folder = tmp_path_factory.mktemp("nghttpd")
        with nghttpd(folder, root) as secure, nghttpd(folder, root, secure=False) as plain:
            yield Place(secure.port, plain.port, http1=False)


class Done(NamedTuple):
    """What a command has left: its status, its output, the files in its folder, what the server got."""

    status: int
    output: Any
    files: dict[str, bytes]
    received: list[Any]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name in ("SSL_CERT_FILE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, certificates().ca_file)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


def substituted(line: str, place: Place) -> str:
    """Return a command line with the server's addresses."""
    line = line.replace("http://plain.example.org", f"http://localhost:{place.plain}")
    line = line.replace("https://example.org", f"https://localhost:{place.port}")
    return line.replace("example.org:443:", f"localhost:{place.port}:")


def folder_for(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "photo.jpg").write_bytes(PHOTO)
    monkeypatch.chdir(folder)
    return folder


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def shell(line: str, program: str) -> tuple[int, bytes]:
    function = f'hyperlite() {{ {program} "$@"; }}\n'
    done = subprocess.run(["sh", "-c", function + line], check=False, capture_output=True, timeout=60)
    return done.returncode, done.stdout


def normal(output: bytes) -> Any:
    """Return output without what differs from one request, or one program, to the next."""
    text = output.decode("latin-1")
    if text.startswith('{"method"'):
        return seen(json.loads(text))
    head, blank, body = text.partition("\r\n\r\n")
    if not (blank and head.startswith("HTTP/")):
        return text
    lines = [line for line in head.split("\r\n") if not re.match("(?i)(date|x-connection):", line)]
    return [lines[0], *sorted(lines[1:]), normal(body.encode("latin-1"))]


def seen(report: dict[str, Any]) -> dict[str, Any]:
    """Return a request as the server has seen it, without the names of the programs and their codings."""
    report["headers"] = sorted(
        [name, value]
        for name, value in report["headers"]
        if name not in {"accept-encoding", "host"}
        and not value.startswith(("curl/", "hyperlite/"))
        and (name, value) != ("expect", "100-continue")
    )
    return report


def received(place: Place, start: int) -> list[Any]:
    """Return what the embedded server has got since it had so many requests."""
    found = [] if place.recorder is None else place.recorder.requests[start:]
    reports = [
        seen({"method": each.method, "target": each.target, "body": each.body, "headers": list(each.headers)})
        for each in found
    ]
    return sorted(reports, key=lambda request: (request["target"], request["method"]))


def count(place: Place) -> int:
    return 0 if place.recorder is None else len(place.recorder.requests)


@pytest.mark.parametrize("line", LINES, ids=map(str, range(1, 1 + len(LINES))))
def test_a_line_of_the_page(
    line: str,
    place: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    curl = find_program("curl", "curl")
    start = count(place)
    given = substituted(line, place)
    folder = folder_for("hyperlite", tmp_path, monkeypatch)
    if re.search("[|&>]", given):
        status, output = shell(given, f"{sys.executable} -m hyperlite")
    else:
        status = main(shlex.split(given)[1:])
        output, said = capfdbinary.readouterr()
        assert (b"hyperlite: " in said) == (status != 0)
    own = Done(status, normal(output), files_in(folder), received(place, start))
    start = count(place)
    if OWN.search(given):
        assert (own.status, own.files) == (0, {"photo.jpg": PHOTO})
        assert said
        return
    for name, curls in SPELT.items():
        given = given.replace(name, curls)
    folder = folder_for("curl", tmp_path, monkeypatch)
    status, output = shell(given, f"{curl} -sS")
    if "--http1.1" in given and not place.http1:
        assert own.status, "what nghttpd says before it hangs up differs from time to time"
        assert status
        return
    assert own == Done(status, normal(output), files_in(folder), received(place, start))


def test_the_page_has_as_many_lines_as_it_promises() -> None:
    assert len(LINES) >= 25
    assert sum(not OWN.search(line) for line in LINES) >= 25
