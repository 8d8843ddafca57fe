"""One long crawl in a process of its own: its memory on the way, its state, its rate; see `cost`."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from tests.many.servers import child

HOSTS, STEPS = 50, 10


def crawl(count: int, folder: Path) -> None:
    """Crawl so many URLs, and print what that takes.

    Args:
        count: URLs.
        folder: an empty one, for 4 kB a URL.
    """
    with child({"alpn": "h2", "delay": 0.0}) as (_, (url,)):
        port = url.rstrip("/").rpartition(":")[2]
        with open(folder / "urls.txt", "w", encoding="ascii") as file:
            for number in range(count):
                file.write(f"https://h{number % HOSTS}.test:{port}/page/{number}\n")
        output = folder / "pages.jsonl"
        command = [sys.executable, "-m", "hyperlite", "crawl", str(folder / "urls.txt")]
        command += ["--output", str(output), "--log-json", "--insecure"]
        command += [f"--resolve=h{number}.test:{port}:127.0.0.1" for number in range(HOSTS)]
        begun, step = time.monotonic(), 0
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        assert process.stdout is not None
        for line in process.stderr:
            if line.startswith("{"):
                at = json.loads(line)
                if at["done"] * STEPS >= step * count:
                    print(
                        f"{at['done']:>10,} URLs, {at['rate']:5,.0f}/s: {resident(process.pid)}", flush=True
                    )
                    step = at["done"] * STEPS // count + 1
            else:
                print(line, end="")
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        took = time.monotonic() - begun
        print(process.stdout.read())
        assert process.returncode == 0
    state = Path(f"{output}.state")
    database = sum(path.stat().st_size for path in state.glob("state.sqlite3*"))
    parts = sum(path.stat().st_size for path in (state / "parts").iterdir())
    with open(output, "rb") as lines:
        records = sum(1 for _ in lines)
    assert records == count
    print(f"{count / took:,.0f} URLs a second with all that comes before and after, in {took:,.0f} s")
    print(f"CPU: {(used.ru_utime + used.ru_stime) / count * 1e6:,.0f} µs a URL")
    print(f"memory: {used.ru_maxrss / 1024:.0f} MiB at its peak")
    print(
        f"state: {database / 1e6:,.0f} MB, {database / count:.0f} bytes a URL; parts: {parts / 1e6:,.0f} MB"
    )
    print(f"output: {output.stat().st_size / 1e6:,.0f} MB, {records:,} records")
    print(f"load: {' '.join(f'{load:.1f}' for load in os.getloadavg())}, {os.cpu_count()} processors")


def resident(pid: int) -> str:
    """Return how much memory a process has now, where the system tells."""
    try:
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        found = None
    return f"{int(found[1]) / 1024:.0f} MiB" if found else "?"
