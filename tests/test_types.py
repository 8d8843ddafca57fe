"""What type checkers know of http.client they know of hyperlite.client too."""

import http.client
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")

HERE = Path(__file__).parents[1]
NAMES = [name for name in dir(http.client) if not name.startswith("_")]
PROGRAM = """
def fetch(host: str) -> tuple[int, bytes]:
    conn = h.HTTPSConnection(host, 443, timeout=3)
    conn.request("GET", "/", headers={"accept": "*/*"})
    try:
        with conn.getresponse() as response:
            assert isinstance(response, h.HTTPResponse)
            kind: str | None = response.getheader("content-type")
            message: h.HTTPMessage = response.headers
            print(kind, message.get_content_charset(), h.responses[response.status], response.fp)
            return response.status, response.read()
    except (h.IncompleteRead, h.HTTPException, h.error) as failure:
        print(failure)
    finally:
        conn.close()
    return h.NOT_FOUND, b""


class Kept(h.HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        self.sock.setsockopt(1, 9, 1)

    def putrequest(
        self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = False
    ) -> None:
        super().putrequest(method, url, skip_host, skip_accept_encoding)
"""


def complaints(module: str, folder: Path) -> list[str]:
    """Return the lines of a program that uses each public name of a module of which mypy complains."""
    program = folder / "program.py"
    uses = [f"h.{name}" for name in NAMES]
    program.write_text("\n".join((f"import {module} as h", PROGRAM, *uses)))
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(program)]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False, timeout=110)
    assert not done.stderr
    lines = program.read_text().splitlines()
    found = [re.fullmatch(r".*program\.py:(\d+): error: .*", line) for line in done.stdout.splitlines()]
    return [lines[int(one[1]) - 1] for one in found if one]


def test_a_program_passes_as_before(tmp_path: Path) -> None:
    before = complaints("http.client", tmp_path)
    assert not set(before) - {
        f"h.{name}" for name in NAMES
    }  # modules that it imports, which are no names of its
    assert complaints("hyperlite.client", tmp_path) == before
