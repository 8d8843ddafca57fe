"""`-v`, `--frames` and `--timing` as options of a command; colours, and what the terminal can show."""

import contextlib
import importlib
import io
import os
import pty
import subprocess
import sys
from collections.abc import Callable

import pytest

from hyperlite.cli import main, text
from hyperlite.testing import Request, Response, Server
from tests.conftest import Serve

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def server(serve: Serve) -> Server:
    def shop(request: Request) -> Response:
        return Response(headers=[("set-cookie", "id=s3cret")], body=request.path.encode())

    return serve(routes=shop)


@pytest.fixture
def run(server: Server, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run the command; return its status and what it writes to standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(["--cacert", server.ca_file, *arguments])
        return status, *capfd.readouterr()

    return run


def test_verbose(run: Run, server: Server) -> None:
    status, out, err = run("-v", server.url("/a"), server.url("/b"))
    assert (status, out) == (0, "/a/b")
    assert "> GET /a HTTP/2\n" in err
    assert "< HTTP/2 200\n" in err
    assert "reused, stream 3\n" in err
    assert "verified\n" in err
    assert "s3cret" not in err
    assert "id=s3cret" in run("-v", "--show-secrets", server.url("/"))[2]


def test_verbose_says_that_nothing_was_verified(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["-k", "-v", server.url("/")]) == 0
    err = capfd.readouterr().err
    assert "NOT verified\n" in err
    assert "certificates are not verified (-k)" in err


def test_frames(run: Run, server: Server) -> None:
    status, out, err = run("--frames", server.url("/a"))
    assert (status, out) == (0, "/a")
    assert " > HEADERS              1 " in err
    assert "> :path: /a\n" in err
    assert "set-cookie: …\n" in err
    assert "id=s3cret" in run("--frames", "--show-secrets", server.url("/"))[2]


@pytest.mark.parametrize("width", [80, 120])
def test_timing(run: Run, server: Server, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    urls = [server.url(f"/book/{number}") for number in range(20)]
    status, out, err = run("--timing", *urls)
    assert (status, out) == (0, "".join(f"/book/{number}" for number in range(20)))
    assert len(err.splitlines()) == 2 * 20 + 4
    assert all(len(line) <= width for line in err.splitlines())
    assert "▇" in err


def test_timing_of_a_failure(run: Run, server: Server) -> None:
    server.faults.cut("/", times=None)
    status, out, err = run("--timing", server.url("/"))
    assert (status, out) == (52, "")
    assert "fail" in err
    assert "hyperlite: " in err


def test_all_at_once(run: Run, server: Server) -> None:
    status, _, err = run("-v", "--frames", "--timing", server.url("/"))
    assert status == 0
    for part in ("> GET / HTTP/2", " > HEADERS  ", "1st byte"):
        assert part in err


# -- colours --------------------------------------------------------------------------------------


def on_a_terminal(*arguments: str, **environment: str) -> str:
    """Run the command with a terminal as its standard error; return what it writes there."""
    here, there = pty.openpty()
    command = [sys.executable, "-m", "hyperlite", *arguments]
    names = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS"}}
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=there, env={**names, "TERM": "xterm", **environment}
    ) as process:
        os.close(there)
        shown = read_all(here)
        assert process.wait(60) == 0
    return shown


def read_all(terminal: int) -> str:
    """Return what is written to a terminal until the last process that has it has ended."""
    parts = []
    with os.fdopen(terminal, "rb", buffering=0) as file, contextlib.suppress(OSError):  # so Linux says it
        while part := file.read(65536):
            parts.append(part)
    return b"".join(parts).decode()


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colour_on_a_terminal(server: Server, environment: dict[str, str], coloured: bool) -> None:
    shown = on_a_terminal("-v", "--timing", "--cacert", server.ca_file, server.url("/"), **environment)
    assert ("\x1b[36m> GET / HTTP/2" in shown) is coloured
    assert ("\x1b" in shown) is coloured
    assert "> GET / HTTP/2" in shown


def test_no_colour_in_a_file(run: Run, server: Server) -> None:
    assert "\x1b" not in run("-v", "--frames", "--timing", server.url("/"))[2]


def test_what_an_encoding_has_not(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stderr", file)
    text.write([("▇━·┄✗…", "green"), ("\n", "")])
    assert file.buffer.getvalue() == b"#=.-x...\n"


def test_a_body_without_a_line_end_has_a_line_of_its_own(server: Server) -> None:
    here, there = pty.openpty()
    command = [sys.executable, "-m", "hyperlite", "-v", "--cacert", server.ca_file, server.url("/body")]
    with subprocess.Popen(command, stdout=there, stderr=there) as process:
        os.close(there)
        shown = read_all(here)
        assert process.wait(60) == 0
    assert "/body\r\n" in shown  # and not "/body* request 1: 5 bytes"


@pytest.mark.parametrize(("columns", "expected"), [("100", 100), ("0", 80), ("x", 80), ("", 80)])
def test_width(monkeypatch: pytest.MonkeyPatch, columns: str, expected: int) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "__stderr__", io.StringIO())
    assert text.width() == expected


def test_text_above_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    """While rich draws bars, it has put something in the place of `sys.stderr`."""
    live, console = pytest.importorskip("rich.live"), pytest.importorskip("rich.console")
    file = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(file, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stderr", file)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    with live.Live("a bar", console=console.Console(file=file, force_terminal=True), auto_refresh=False):
        text.write([("> GET /", "cyan"), (" …\n", "")])
    shown = file.buffer.getvalue().decode()
    assert "\x1b[36m> GET /\x1b[0m …" in shown


# -- help -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["", "crawl", "get", "serve", "completion"])
def test_help_fits_on_a_screen(capsys: pytest.CaptureFixture[str], command: str) -> None:
    topics = []
    if command:
        module = importlib.import_module(f"hyperlite.cli.{command}")
        topics = [[topic] for topic in module.GROUPS]
    for topic in [[], *topics]:
        with contextlib.suppress(SystemExit):
            main([*([command] if command else []), "--help", *topic])
        lines = capsys.readouterr().out.splitlines()
        assert 3 < len(lines) <= 30
        assert max(map(len, lines)) < 80


def test_help_has_a_topic(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help", "watch"])
    shown = capsys.readouterr().out
    for option in ("-v, --verbose", "--frames", "--timing", "--show-secrets"):
        assert option in shown
    assert len(shown.splitlines()) < 24
