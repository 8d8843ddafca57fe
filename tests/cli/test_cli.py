"""The command line, run as a user runs it."""

import subprocess
import sys

import pytest

from hyperlite.cli import main
from hyperlite.testing import bookstore
from hyperlite.testing.server import Response
from tests.conftest import Serve


def test_demo_in_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "hyperlite", "demo", "--count", "150", "--latency", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    assert "no added latency" in done.stdout
    assert "2 ms round trip" in done.stdout
    assert done.stdout.count("HTTP/2") == done.stdout.count("HTTP/1.1") == 2
    assert done.stdout.count("hyperlite / http.client: wall") == 2


@pytest.mark.parametrize("secure", [True, False])
def test_demo_with_a_given_server(serve: Serve, capsys: pytest.CaptureFixture[str], secure: bool) -> None:
    server = serve(routes=bookstore.routes(), secure=secure)
    assert (
        main(["demo", "--url", server.url(), "--ca", server.ca_file, "--count", "30", "--chunk", "10"]) == 0
    )
    out = capsys.readouterr().out
    assert server.url() in out
    rows = [line.split() for line in out.splitlines() if line.startswith("  h")]
    assert [row[1] for row in rows if row[0] != "hyperlite" or row[1] != "/"] == ["HTTP/2", "HTTP/1.1"]
    assert server.connections == 3  # the index, and one for each client


def test_demo_with_a_template(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    server = serve(routes=lambda request: Response(body=request.target.encode()))
    assert main(["demo", "--url", server.url("/{id}?x={id}"), "--ca", server.ca_file, "--count", "12"]) == 0
    assert ("h2", 1, "GET", "/11?x=11") in server.log
    assert ("http/1.1", 2, "GET", "/11?x=11") in server.log


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--url", "ftp://example.org/"], "--url takes http"),
        (["--url", "nonsense"], "--url takes http"),
    ],
)
def test_bad_arguments(arguments: list[str], complaint: str) -> None:
    with pytest.raises(SystemExit, match=complaint):
        main(["demo", *arguments])


def test_a_count_below_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["demo", "--count", "0"])
    assert "less than 1" in capsys.readouterr().err


def test_a_server_that_fails(serve: Serve) -> None:
    server = serve(routes={})
    with pytest.raises(SystemExit, match="status 404"):
        main(["demo", "--url", server.url(), "--ca", server.ca_file])


def test_a_progress_bar_on_a_terminal(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    server = serve(routes=bookstore.routes())
    main(["demo", "--url", server.url(), "--ca", server.ca_file, "--count", "50"])
    assert "50/50" in capsys.readouterr().err
