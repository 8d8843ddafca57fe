"""What the command costs: what it loads, and its instructions beside those of a script that does the same."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from hyperlite.testing.certificates import certificates
from hyperlite.testing.server import Response
from tests.conftest import Serve
from tests.real.servers import find_program

# What a script imports that makes a command line and speaks HTTPS with http.client.
PLAIN = "import ssl, http.client, argparse"
LOADED = (
    "import sys; from hyperlite.cli import main\n"
    "try: main({arguments})\n"
    "except SystemExit: pass\n"
    "print(*sys.modules, file=sys.stderr)"
)


def loaded(*arguments: str) -> set[str]:
    """Return the modules that a command line has loaded."""
    code = LOADED.format(arguments=list(arguments))
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stderr.splitlines()[-1].split())


def test_help_loads_next_to_nothing() -> None:
    assert {name for name in loaded("--help") if name.startswith("hyperlite")} == {
        "hyperlite",
        "hyperlite.cli",
    }
    topic = loaded("get", "--help", "tls")
    assert not topic & {"hyperlite.pool", "hyperlite.connection", "hyperlite.observing", "rich", "shutil"}


def test_a_get_loads_nothing_that_it_does_not_use(serve: Serve) -> None:
    server = serve()
    of_get = loaded("--cacert", server.ca_file, server.url("/"))
    assert not {
        name for name in of_get if name.startswith(("rich", "shtab", "hyperlite.many", "hyperlite.testing"))
    }
    assert not of_get & {"hyperlite.cli.verbose", "hyperlite.cli.rich_bars", "shutil", "asyncio"}


def instructions(*command: str) -> int:
    """Return the instructions of a Python, which do not depend on what else the machine does."""
    valgrind = find_program("valgrind", "valgrind")
    subprocess.run([sys.executable, *command], check=True, capture_output=True)  # it compiles what is not yet
    count = [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable, *command]
    done = subprocess.run(count, check=True, capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    assert found
    return int(found[1])


@pytest.mark.throughput
def test_help_starts_as_fast_as_http_client() -> None:
    plain = instructions("-c", PLAIN)
    assert instructions("-m", "hyperlite", "--help") < 1.3 * plain
    assert instructions("-m", "hyperlite", "get", "--help") < 1.5 * plain


@pytest.mark.throughput
def test_a_get_costs_as_much_as_in_a_script(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(routes={"/": lambda _: Response(body=b"hello" * 100)})
    monkeypatch.setenv("SSL_CERT_FILE", certificates().ca_file)
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, hyperlite\n"
        "with hyperlite.ConnectionPool() as pool, pool.fetch(sys.argv[1], stream=True) as response:\n"
        "    for piece in response: sys.stdout.buffer.write(piece)\n"
    )
    in_script = instructions(str(script), server.url("/"))
    assert instructions("-m", "hyperlite", server.url("/")) < 1.2 * in_script
