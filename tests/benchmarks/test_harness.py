"""That the harness runs. How fast anything is, is not for a test."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from . import counted, layers, sessions
from .__main__ import main
from .field_sets import ADDED, COUNTS, SETS, changing
from .sites import serve

SMALL_RUN = ["--n", "4", "--chunk", "2", "--rounds", "2"]


def test_bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clients = ["--clients", "native,native-many,http.client"]
    main([*clients, "--servers", "embedded", *SMALL_RUN, "--output", str(tmp_path)])
    written = json.loads((tmp_path / "results.json").read_text())
    names = {"native", "native-many", "http.client"}
    for workload in ("same", "posts"):
        assert {key for key in written["figures"] if key.startswith(f"{workload} /")} == {
            f"{workload} / embedded / {name} / " for name in names
        }
    assert all(value["cpu"] > 0 and value["wall"] > 0 for value in written["figures"].values())
    report = capsys.readouterr().out
    assert "| small GETs, one at a time" not in report  # a bar, of servers that did not run
    assert "| import |  | http.client, ssl | ≤ 1.3 |" in report
    # The plots need matplotlib, which the tests do without; nothing else is left out.
    assert [line for line in report.partition("## Left out")[2].splitlines() if line.startswith("- ")] in (
        [],
        ["- the plots: No module named 'matplotlib'"],
    )


def test_bench_at_points(tmp_path: Path) -> None:
    """Each point is measured, and held against the peer there, or against the client itself elsewhere."""
    measured = {
        "fields": ("nginx", ["mixed"]),
        "headers": ("nginx", ["one", "all"]),
        "bodies": ("nginx", ["0"]),
        "as-ready": ("nginx", ["10", "100"]),
        "fetch-many": ("nginx-origins", ["10"]),
        "threads": ("nginx", ["1", "250"]),
        "latency": ("nginx", ["0", "20"]),
    }
    points = ",".join({point for _, points in measured.values() for point in points})
    options = ["--workloads", ",".join(measured), "--points", points, "--servers", "nginx,nginx-origins"]
    main([*options, "--clients", "native", *SMALL_RUN, "--rounds", "1", "--output", str(tmp_path)])
    written = json.loads((tmp_path / "results.json").read_text())
    assert set(written["figures"]) >= {
        f"{workload} / {server} / native / {point}"
        for workload, (server, points) in measured.items()
        for point in points
    }
    bars = {(bar["workload"], bar["point"]): bar["measured"] for bar in written["bars"]}
    assert bars["as-ready", "10"][0] > 0
    assert bars["threads", "250"][0] > 0
    assert bars["latency", "20"][0] > 0.5  # and with so few requests what the server took is chance
    assert bars["fields", "mixed"] == [None, None]  # the peer was not asked for


def test_field_sets() -> None:
    """Each set has as many fields as real sites send, five to eight of them new each time."""
    for server in ("nginx", "node"):
        with serve(server) as site, site.connect() as conn:
            for name, fields in SETS.items():
                values: list[set[str]] = [set() for _ in range(len(fields) + ADDED)]
                for _ in range(8):  # two digits are the same as before now and then
                    conn.request("GET", f"/fields/{name}")
                    response = conn.getresponse()
                    assert (response.status, len(response.read())) == (200, 600)
                    for seen, (field, value) in zip(values, response.getheaders(), strict=True):
                        if field.lower() != "date":
                            seen.add(value)
                new = sum(len(seen) > 1 for seen in values)
                assert new == changing(fields)
                assert new == 10 if name == "fresh" else 5 <= new <= 8 and 20 <= len(fields) + ADDED <= 30
            for count in COUNTS:
                conn.request("GET", f"/count/{count}")
                response = conn.getresponse()
                assert response.read()
                assert len(response.getheaders()) == count


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
