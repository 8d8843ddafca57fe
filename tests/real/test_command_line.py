"""`hyperlite -o`: a gibibyte in flat memory, killed in the middle, and gone on with."""

import filecmp
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import GIBIBYTE
from .servers import GLANCE, PATIENCE, Site

# Bytes that the process may have in memory at most: Python with its modules has half of them.
MOST = 80 << 20


def peak(pid: int) -> int:
    """Return how many bytes of memory a process has had at most."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) << 10


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from Linux's /proc")
def test_a_gibibyte_that_is_killed_in_the_middle(nginx_h2: Site, root: Path, tmp_path: Path) -> None:
    path, part = tmp_path / "file", tmp_path / "file.part"
    url = f"https://localhost:{nginx_h2.port}/gibibyte"
    command = [sys.executable, "-m", "hyperlite", "--cacert", nginx_h2.ca_file, "-o", str(path), url]
    with subprocess.Popen(command) as process:
        before, deadline = 0, time.monotonic() + PATIENCE
        while (now := size(part)) < GIBIBYTE // 2:
            assert process.poll() is None
            if now > before:
                before, deadline = now, time.monotonic() + PATIENCE
            assert time.monotonic() < deadline, "nothing comes any more"
            time.sleep(GLANCE)
        most = peak(process.pid)
        process.kill()
    left = size(part)
    assert GIBIBYTE // 2 <= left < GIBIBYTE
    done = subprocess.run([*command, "-v", "-C", "-"], check=True, capture_output=True, text=True)
    assert f"> range: bytes={left}-\n" in done.stderr
    assert f"< content-length: {GIBIBYTE - left}\n" in done.stderr, "no byte that was there is fetched again"
    assert filecmp.cmp(path, root / "gibibyte", shallow=False)
    assert [found.name for found in tmp_path.iterdir()] == ["file"]
    assert most < MOST
