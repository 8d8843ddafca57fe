"""`hyperlite serve`, in a process of its own, as a user runs it."""

import contextlib
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hyperlite import ConnectionPool
from hyperlite.cli import main
from hyperlite.testing import books


@contextlib.contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """Run the command; give its process, its URL, and the lines that it has printed."""
    command = [sys.executable, "-m", "hyperlite", "serve", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline()]
            while lines[-1] and not lines[-1].startswith("try: "):
                lines.append(process.stdout.readline())
            found = re.search(r" on (https?://\S+) ", lines[0])
            assert found, lines
            yield process, found[1], lines
        finally:
            if process.poll() is None:
                process.kill()


def end(process: subprocess.Popen[str], how: signal.Signals) -> str:
    """End it by a signal; return what it has said on standard error."""
    process.send_signal(how)
    return process.communicate(timeout=30)[1]


def test_the_bookstore(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    with serving("--write-ca", str(ca_file)) as (process, url, lines):
        assert lines[0] == f"serving 3,000 books on {url} (Ctrl-C ends it)\n"
        assert lines[1] == f"its authority: {ca_file}\n"
        assert lines[2] == f"try: hyperlite --cacert {ca_file} '{url}book?id=7'\n"
        with ConnectionPool(verify=str(ca_file), timeout=10) as pool:
            response = pool.fetch(f"{url}book?id=7")
            assert (response.json(), response.http_version) == (books()[7], "HTTP/2")
            assert pool.fetch(f"{url}%1b%0anothing", method="POST").status == 404
        said = end(process, signal.SIGINT)
    assert process.returncode == 0
    assert "connection 1 (h2): GET /book?id=7\n" in said
    assert "Traceback" not in said


def test_a_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    with serving(str(tmp_path), "--cleartext", "-q") as (process, url, lines):
        assert lines[0].startswith(f"serving {tmp_path} on http://localhost:")
        assert lines[1] == f"try: hyperlite {url}\n"
        for protocols in (("h2",), ("http/1.1",)):
            with ConnectionPool(protocols=protocols, timeout=10) as pool:
                response = pool.fetch(f"{url}file", headers={"Range": "bytes=3-5"})
                assert (response.status, response.body) == (206, b"345")
        assert end(process, signal.SIGTERM) == ""
    assert process.returncode == 0


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")
def test_a_large_file_in_flat_memory(tmp_path: Path) -> None:
    size = 64 << 20
    with (tmp_path / "large").open("wb") as file:
        file.truncate(size)
    with serving(str(tmp_path), "--cleartext", "-q") as (process, url, _), ConnectionPool(timeout=60) as pool:
        pool.fetch(url)
        before = peak(process)
        with pool.fetch(f"{url}large", stream=True) as response:
            assert sum(map(len, response)) == size
        assert peak(process) - before < 16 << 20


def peak(process: subprocess.Popen[str]) -> int:
    """Return the bytes of memory that a process has had at most."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    raise AssertionError("no VmHWM")


def test_http1_alone(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    with (
        serving("--http1.1", "--write-ca", str(ca_file)) as (_, url, _lines),
        ConnectionPool(verify=str(ca_file), timeout=10) as pool,
    ):
        assert pool.fetch(f"{url}book?id=1").http_version == "HTTP/1.1"


PAGE = Path(__file__).parents[2] / "docs" / "reference" / "command-line.md"
LINES = re.findall(r"^\| `hyperlite serve ?([^`]*)` ", PAGE.read_text(), re.MULTILINE)


def test_the_page_has_lines() -> None:
    assert len(LINES) == 6


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_the_page(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(PAGE.parents[1]))
    arguments = line.replace("DIRECTORY", str(tmp_path)).replace("8443", "0").split()
    with serving(*arguments) as (_, url, lines):
        ca_file = lines[1].removeprefix("its authority: ").strip() if url.startswith("https") else True
        with ConnectionPool(verify=ca_file, timeout=10) as pool:
            assert pool.fetch(url).status == 200


def test_only_this_machine_is_served() -> None:
    with serving("--cleartext") as (_, url, _lines):
        port = int(url.rpartition(":")[2].rstrip("/"))
        with socket.socket() as other:
            other.settimeout(10)
            # 127.0.0.2 is this machine as well, and the server does not listen there.
            assert other.connect_ex(("127.0.0.2", port)) != 0


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (["/there/is/no/such"], 2, "/there/is/no/such is no directory that can be read"),
        ([__file__], 2, "is no directory that can be read"),
        (["--port", "99999"], 2, "99999 is no port"),
        (["--port", "x"], 2, "no whole number"),
        (["--latency", "nan"], 2, "nan is no number of milliseconds"),
        (["--latency", "-1"], 2, "no number of milliseconds"),
    ],
)
def test_what_cannot_be_served(
    capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, complaint: str
) -> None:
    assert main(["serve", *arguments]) == status
    assert complaint in capsys.readouterr().err


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["serve", "--cleartext", "--port", str(port)]) == 7
    assert capsys.readouterr().err == f"hyperlite: port {port} is taken\n"


def test_without_trustme() -> None:
    program = (
        "import sys; sys.modules['trustme'] = None; from hyperlite.cli import main; sys.exit(main(['serve']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("hyperlite: The test server's certificates need trustme")
    assert done.stderr.endswith("Or serve without TLS: --cleartext.\n")
