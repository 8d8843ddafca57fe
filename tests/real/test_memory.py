"""A gibibyte in either direction costs no memory to speak of, if it is read or made piece by piece."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import hyperlite
from hyperlite.messages.announced import NOTHING
from tests.inside import exchange_of

from . import transfer
from .conftest import BEGINNING, END, GIBIBYTE, MEBIBYTE
from .servers import Site, nghttpd

# What the process may grow by. The stream's window, at its widest 16 MiB, has to fit in.
ALLOWED = 32 * MEBIBYTE
# Seconds for a gibibyte, on a machine that does something else besides.
SLOWEST = 100

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="a process's memory is read from Linux's /proc"
)


def measure(direction: str, site: Site) -> dict[str, Any]:
    """Transfer in a process of its own: one that is large already would hide what is added."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", transfer.__file__, direction, str(site.port), site.ca_file],
        stdout=subprocess.PIPE,
        timeout=SLOWEST,
        check=True,
    )
    return json.loads(ended.stdout)


@pytest.mark.parametrize(("name", "version"), [("large frames", 20), ("h1", 11)])
def test_download(nginx: dict[str, Site], name: str, version: int) -> None:
    report = measure("download", nginx[name])
    assert (report["version"], report["status"], report["size"]) == (version, 200, GIBIBYTE)
    assert report["first"].startswith(BEGINNING.decode())
    assert report["last"].endswith(END.decode())
    assert report["growth"] < ALLOWED


@pytest.fixture(scope="module")
def wide_nghttpd(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Site:
    """nghttpd with wide windows: 1 MiB for a stream."""
    with nghttpd(
        tmp_path_factory.mktemp("nghttpd"), root, "--window-bits=20", "--connection-window-bits=24"
    ) as site:
        yield site


def test_upload(wide_nghttpd: Site) -> None:
    report = measure("upload", wide_nghttpd)
    # nghttpd answers when the body is there, and resets a stream with more of it or less than announced.
    assert (report["version"], report["status"]) == (20, 200)
    assert report["growth"] < ALLOWED


@pytest.mark.parametrize("size", [MEBIBYTE - 1, MEBIBYTE + 1])
def test_nghttpd_counts_what_is_uploaded(wide_nghttpd: Site, size: int) -> None:
    """Otherwise `test_upload` would not know whether all of it arrived."""
    headers = {"content-length": str(MEBIBYTE)}
    with wide_nghttpd.connect() as conn, pytest.raises(hyperlite.StreamReset):
        stream_id = conn.request("POST", "/", headers=headers, end_stream=False)
        exchange_of(conn, stream_id).request.announced = NOTHING  # this side does not count
        conn.send(bytes(size))
        conn.end()
        conn.getresponse(stream_id)


def test_what_is_held_in_memory_is_seen(nginx: dict[str, Site]) -> None:
    """Otherwise the other tests would prove nothing."""
    report = measure("hoard", nginx["large frames"])
    assert report["size"] == transfer.HOARD
    assert report["growth"] >= transfer.HOARD
