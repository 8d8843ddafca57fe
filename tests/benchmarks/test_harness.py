"""That the harness runs. How fast anything is, is not for a test."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from . import counted, layers, sessions
from .__main__ import main
from .sites import serve


def test_bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clients = ["--clients", "h2,h2-many,http.client"]
    main(
        [
            *clients,
            "--servers",
            "embedded",
            "--n",
            "4",
            "--chunk",
            "2",
            "--rounds",
            "1",
            "--output",
            str(tmp_path),
        ]
    )
    figures = json.loads((tmp_path / "results.json").read_text())
    names = {"h2", "h2-many", "http.client"}
    for workload, wanted in {
        "same": names,
        "different": names,
        "one": names - {"h2-many"},
        "posts": names,
    }.items():
        assert {key for key in figures if key.startswith(f"{workload} /")} == {
            f"{workload} / embedded / {name}" for name in wanted
        }
    assert all(value["cpu"] > 0 and value["wall"] > 0 for value in figures.values())
    report = capsys.readouterr().out
    assert "| small GETs, one at a time |" not in report  # a bar, of servers that did not run
    assert "| import |  | http.client, ssl | ≤ 1.3 |" in report
    # The plot needs matplotlib, which the tests do without; nothing else is left out.
    assert [line for line in report.partition("## Left out")[2].splitlines() if line.startswith("- ")] in (
        [],
        ["- the plot: No module named 'matplotlib'"],
    )


def test_profile() -> None:
    with serve("nginx") as site:
        for many in (False, True):
            figures = layers.profile(site, ["/small"] * 6, 2, 1, many=many)
            assert figures.keys() == {key for key, _ in layers.ROWS}


def test_bench_adapter(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in sessions.ELSEWHERE:
        monkeypatch.delenv(name, raising=False)
    sessions.main(["--n", "4", "--threads", "2", "--block", "2", "--rounds", "1"])
    report = capsys.readouterr().out
    assert report.count("HTTP20Adapter / HTTPAdapter: ") == 4
    assert "HTTP20Adapter, threads" in report
    assert "connections of HTTP20Adapter: 1" in report


def test_the_workloads_that_are_counted() -> None:
    """They replace `socket.socket`, so another process does them; each workload checks its responses."""
    subprocess.run([sys.executable, counted.__file__], check=True, timeout=60)
