"""The hostile cases as a product: any client program is tried against them, by lines of JSON."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hyperlite.testing.hostile.catalogue import CASES
from hyperlite.testing.hostile.protocol import ClientLost, Program
from hyperlite.testing.hostile.trying import attempt, selected

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "howto" / "hostile.md"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the command that starts the program of the page."""
    found = re.search(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found
    path = tmp_path_factory.mktemp("client") / "client.py"
    path.write_text(found[1])
    return f"{sys.executable} {path}"


@pytest.mark.parametrize(
    ("name", "summary", "as_promised"),
    [
        ("h1-ok", "ok", True),
        ("h1-ok-chunked", "ok", True),
        ("h1-cl-too-short", "error", True),
        ("h1-stall-body", "timeout", True),
        ("tls-unknown-ca", "skipped", True),
        ("h1-cl-and-te", "ok", True),
        ("h1-chunk-cut-in-size", "ok", False),  # http.client takes the end for the last chunk
    ],
)
def test_the_program_of_the_page(client: str, name: str, summary: str, as_promised: bool):
    with Program(client) as program:
        trial = attempt(CASES[name], CASES[name].over[0], program)
    assert trial.summary == summary
    assert (not trial.problems or bool(trial.skipped)) == as_promised


def test_what_passes_for_whole_and_is_not_is_wrong(tmp_path: Path):
    liar = tmp_path / "liar.py"
    answer = {"outcome": "ok", "status": 200, "size": 3, "sha256": "0"}
    liar.write_text(f"for _ in iter(input, None): print({json.dumps({'answers': [answer]})!r}, flush=True)")
    with Program(f"{sys.executable} {liar}") as program:
        trial = attempt(CASES["h1-ok"], "tls", program)
    assert trial.summary == "wrong"
    assert trial.problems[0] == "request 0: wrong (a body of 3 bytes, not of 15)"


def test_a_program_that_ends(tmp_path: Path):
    with Program(f"{sys.executable} -c pass") as program:
        trial = attempt(CASES["h1-ok"], "tls", program)
    assert trial.summary == "crash"
    assert trial.problems


def test_a_program_that_says_nothing():
    with (
        Program(f"{sys.executable} -c 'input(); input()'") as program,
        pytest.raises(ClientLost, match="hang: "),
    ):
        program.ask({"new": True}, 0.2)


def test_the_command(client: str, tmp_path: Path):
    outcomes = tmp_path / "outcomes.json"
    command = [sys.executable, "-m", "hyperlite.testing.hostile", "--client", client, "--json", str(outcomes)]
    done = subprocess.run(
        [*command, "h1-ok-trailers", "h1-ok-chunk-"], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "2 as expected"
    assert {name: one["outcome"] for name, one in json.loads(outcomes.read_text()).items()} == {
        "h1-ok-trailers": "ok",
        "h1-ok-chunk-extensions": "ok",
    }
    done = subprocess.run([*command[:3], "--list", "flood"], capture_output=True, text=True, check=True)
    assert "ping-flood" in done.stdout


def test_cases_need_nothing_of_hyperlite():
    names = [case.name for case, _ in selected([], None)]
    assert len(names) == len(set(names)) > 400
    program = "import sys, hyperlite.testing.hostile.catalogue as _; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    own = {
        name for name in loaded if name.startswith("hyperlite.") and not name.startswith("hyperlite.testing")
    }
    assert own <= {"hyperlite.errors"}
