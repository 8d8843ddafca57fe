"""A process that transfers one large body and tells how much memory that took; test_memory.py starts it.

    python tests/real/transfer.py download|upload|hoard PORT CA_FILE

Prints a JSON object: what it saw, and by how many bytes the process grew.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hyperlite

GIBIBYTE = 1 << 30
MEBIBYTE = 1 << 20
PIECE = 64 << 10
HOARD = 64 * MEBIBYTE
PATIENCE = 60.0


def memory(name: str) -> int:
    """Return a figure of this process's memory from /proc, in bytes.

    Not resource.getrusage's ru_maxrss: Linux starts that of a new process from its parent's, so that
    a small child of a large pytest would seem never to grow.
    """
    found = re.search(rf"^{name}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found, f"no {name} in /proc/self/status"
    return int(found[1]) << 10


def growth(action: Callable[[], object]) -> int:
    """Do something; return by how much the largest size of the process exceeds its size before."""
    before = memory("VmRSS")
    action()
    return memory("VmHWM") - before


def download(conn: hyperlite.HTTP20Connection) -> dict[str, object]:
    """Read the large file piece by piece."""
    conn.request("GET", "/gibibyte")
    response = conn.getresponse()
    size, first, last = 0, b"", b""
    while piece := response.read(PIECE):
        size += len(piece)
        first, last = first or piece[:32], piece[-32:]
    return {
        "version": response.version,
        "status": response.status,
        "size": size,
        "first": first.decode("latin-1"),
        "last": last.decode("latin-1"),
    }


def upload(conn: hyperlite.HTTP20Connection) -> dict[str, object]:
    """Send as much from a generator."""
    piece = bytes(MEBIBYTE)
    pieces: Iterator[bytes] = (piece for _ in range(GIBIBYTE // MEBIBYTE))
    conn.request("POST", "/", body=pieces, headers={"content-length": str(GIBIBYTE)})
    response = conn.getresponse()
    response.read()
    return {"version": response.version, "status": response.status}


def hoard(conn: hyperlite.HTTP20Connection) -> dict[str, object]:
    """Read a part of the large file as a whole, which takes as much memory."""
    conn.request("GET", "/gibibyte", headers={"range": f"bytes=0-{HOARD - 1}"})
    return {"size": len(conn.getresponse().read())}


def main(direction: str, port: str, ca_file: str) -> None:
    """Transfer, and report."""
    transfer = {"download": download, "upload": upload, "hoard": hoard}[direction]
    report: dict[str, object] = {}
    context = hyperlite.create_context(cafile=ca_file)
    with hyperlite.HTTP20Connection("localhost", int(port), context=context, timeout=PATIENCE) as conn:
        # What is loaded for the first request of all is not what a body costs.
        conn.request("GET", "/")
        conn.getresponse().read()
        report["growth"] = growth(lambda: report.update(transfer(conn)))
    print(json.dumps(report))


if __name__ == "__main__":
    main(*sys.argv[1:])
