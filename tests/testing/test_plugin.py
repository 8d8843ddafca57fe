"""The plugin for pytest: its fixtures, and what it costs a project whose tests do not use them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
USES = """
import hyperlite
from hyperlite.testing import Response, Server, books


def test_server(http2_server: Server) -> None:
    assert http2_server.requests == []
    http2_server.routes["/"] = lambda _: Response(body=b"hello")
    with hyperlite.ConnectionPool(verify=http2_server.ca_file) as pool:
        assert pool.fetch(http2_server.url("/")).body == b"hello"
    assert hyperlite.fetch(http2_server.url(), context=http2_server.context()).body == b"hello"
    assert http2_server.connections == 2


def test_another_server(http2_server: Server, http2_bookstore: Server) -> None:
    assert http2_server.requests == []
    assert dict(http2_server.routes) == {}
    assert http2_server.ca_file == http2_bookstore.ca_file
    context = http2_server.context()
    assert hyperlite.fetch(http2_bookstore.url("/book?id=7"), context=context).json() == books()[7]
    http2_bookstore.routes.clear()


def test_the_bookstore_is_new_for_each_test(http2_bookstore: Server) -> None:
    assert sorted(http2_bookstore.routes) == ["/", "/book"]
"""
USES_NOTHING = """
import sys


def test_nothing_was_imported():
    ours = {name for name in sys.modules if name.startswith("hyperlite")}
    assert ours == {"hyperlite", "hyperlite.testing", "hyperlite.testing.plugin"}
    assert not {"h2", "hpack", "trustme", "cryptography", "http.client", "ssl"} & sys.modules.keys()
"""


def run_pytest(folder: Path, text: str, *arguments: str, path: str = "") -> tuple[int, str]:
    """Run a file of tests with the plugin and no other; returns the exit status and the output."""
    (folder / "test_it.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "hyperlite.testing.plugin", "-W", "error", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=folder,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": f"{path}:{ROOT}"},
    )
    return done.returncode, done.stdout + done.stderr


def test_fixtures(tmp_path: Path) -> None:
    status, output = run_pytest(tmp_path, USES)
    assert status == 0, output
    assert "3 passed" in output


def test_a_project_without_such_tests_pays_for_three_small_modules(tmp_path: Path) -> None:
    status, output = run_pytest(tmp_path, USES_NOTHING)
    assert status == 0, output


def test_the_fixtures_are_described(tmp_path: Path) -> None:
    _, output = run_pytest(tmp_path, USES, "--fixtures")
    assert "http2_server -- " in output
    assert "Give a server without routes" in output


def test_without_the_extra_the_failure_names_it(tmp_path: Path) -> None:
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "trustme.py").write_text("raise ImportError('No module named trustme')")
    status, output = run_pytest(tmp_path, USES, path=str(tmp_path / "without"))
    assert status == 1
    assert output.count("the extra hyperlite-http[testing]") >= 3
    assert "Traceback" not in output


@pytest.mark.parametrize("name", ["http2_server", "http2_bookstore"])
def test_a_project_can_have_fixtures_of_these_names(tmp_path: Path, name: str) -> None:
    text = (
        f"import pytest\n@pytest.fixture\ndef {name}(): return 1\ndef test_it({name}): assert {name} == 1\n"
    )
    status, output = run_pytest(tmp_path, text)
    assert status == 0, output
