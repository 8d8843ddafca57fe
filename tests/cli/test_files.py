"""`-o`, `-O` and `-C -`: files that are saved, and downloads that go on."""

import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hyperlite.cli import main
from hyperlite.testing.server import Request, Response, Server
from tests.conftest import Serve
from tests.fetching.saving.conftest import BODY, CUT, Files
from tests.real.servers import GLANCE

from .conftest import Get


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
def server(serve: Serve, files: Files) -> Server:
    return serve(
        routes={
            "/file": files,
            "/missing": lambda _: Response(404, body=b"no such thing"),
            "/report": lambda request: Response(body=(request.header("accept-encoding") or "").encode()),
        }
    )


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_files_by_name_and_by_url(get: Get, server: Server, folder: Path) -> None:
    assert (
        get("-o", "one", "-O", server.url("/file"), server.url("/file?x=1"), server.url("/missing"))
        == "no such thing"
    )
    assert names(folder) == {"one", "file"}
    assert Path("one").read_bytes() == Path("file").read_bytes() == BODY


def test_many_files_at_a_time(get: Get, server: Server, folder: Path) -> None:
    named = [word for number in range(20) for word in ("-o", str(number))]
    assert get("--parallel", "8", *named, *[server.url("/file")] * 20) == ""
    assert {path.read_bytes() for path in folder.iterdir()} == {BODY}
    assert len(names(folder)) == 20
    assert server.connections == 1


def test_a_file_is_asked_for_without_coding(get: Get, server: Server) -> None:
    get("-o", "one", "--compressed", "-o", "two", server.url("/report"), server.url("/report"))
    assert Path("one").read_text().startswith("gzip")
    get("-o", "one", server.url("/report"))
    assert Path("one").read_text() == "identity"


def test_a_device_is_written_to(get: Get, server: Server, folder: Path) -> None:
    get("-o", "/dev/null", server.url("/file"))
    assert not Path("/dev/null").is_file()
    os.mkfifo("pipe")
    with Path("copy").open("wb") as copy, subprocess.Popen(["cat", "pipe"], stdout=copy):
        get("-o", "pipe", server.url("/file"))
    assert Path("copy").read_bytes() == BODY
    Path("link").symlink_to("target")
    get("-o", "link", server.url("/file"))
    assert Path("target").read_bytes() == BODY
    assert names(folder) == {"pipe", "copy", "link", "target"}


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["-O", "@/"], 23, "https://localhost:@/: it has no name to save a file by (-O): use -o FILE"),
        (["-O", "@/a/.."], 23, "no name"),
        (["-O", "@/a%2Fb\\c"], 23, "no name"),
        (["-o", "a", "-o", "b", "@/file"], 2, "there are 2 of -o and -O for 1 URLs"),
        (["-o", "a", "-o", "a", "@/file", "@/file"], 2, "two URLs would be saved as a"),
        (["-o", "a", "-o", "./a", "@/file", "@/file"], 2, "two URLs would be saved as ./a"),
        (["-C", "-", "@/file"], 2, "-C goes on with a file: it takes -o or -O"),
        (["-C", "10", "-O", "@/file"], 2, "-C takes - alone"),
        (["-o", "none/file", "@/file"], 23, "none: the folder of the file does not exist"),
        (["-o", ".", "@/file"], 23, "."),
    ],
)
def test_wrong_places(
    server: Server,
    folder: Path,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
    said: str,
) -> None:
    given = [word.replace("@", server.url("")) for word in arguments]
    assert main(["--cacert", server.ca_file, *given]) == status
    assert said.replace("https://localhost:@", server.url("")) in capfd.readouterr().err
    assert not any(folder.iterdir())


def cut_off(files: Files, server: Server, capfd: pytest.CaptureFixture[str], *options: str) -> str:
    """Have a download cut off; returns what the command says."""
    files.cut = CUT
    status = main(["--cacert", server.ca_file, *options, "-O", server.url("/file")])
    assert status in {18, 92}
    assert Path("file.part").read_bytes() == BODY[:CUT]
    files.asked.clear()
    return capfd.readouterr().err


def test_a_download_goes_on(
    files: Files, server: Server, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said = cut_off(files, server, capfd)
    assert said.endswith("; file.part has 200.0 kB: go on with -C -\n")
    assert main(["--cacert", server.ca_file, "-C", "-", "-O", server.url("/file")]) == 0
    assert files.asked == [(f"bytes={CUT}-", '"one"')], "no byte that is on the disk comes again"
    assert Path("file").read_bytes() == BODY
    assert names(folder) == {"file"}


@pytest.mark.parametrize("option", ["-f", "--fail-with-body"])
def test_nothing_is_missing(
    files: Files, server: Server, capfd: pytest.CaptureFixture[str], option: str
) -> None:
    cut_off(files, server, capfd)
    Path("file.part").write_bytes(BODY)
    assert main(["--cacert", server.ca_file, option, "-C", "-", "-O", server.url("/file")]) == 0
    assert files.asked == [(f"bytes={len(BODY)}-", '"one"')], "which is answered with 416"
    assert Path("file").read_bytes() == BODY


def test_without_c_it_begins_anew(
    files: Files, server: Server, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cut_off(files, server, capfd)
    assert main(["--cacert", server.ca_file, "-O", server.url("/file")]) == 0
    assert files.asked == [(None, None)]
    assert Path("file").read_bytes() == BODY
    assert names(folder) == {"file"}


def test_a_file_that_has_changed_is_noticed(
    files: Files, server: Server, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cut_off(files, server, capfd)
    files.body, files.headers = BODY[::-1], [("etag", '"two"')]
    assert main(["--cacert", server.ca_file, "-C", "-", "-O", server.url("/file")]) == 0
    assert Path("file").read_bytes() == BODY[::-1]
    assert names(folder) == {"file"}


def test_what_cannot_be_validated_is_a_warning(
    files: Files, server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    files.headers = []
    cut_off(files, server, capfd)
    assert main(["--cacert", server.ca_file, "-C", "-", "-O", server.url("/file")]) == 0
    said = capfd.readouterr().err
    assert said.startswith("hyperlite: warning: file.part is resumed, and may be a part of another file: ")
    assert said.count("\n") == 1
    assert Path("file").read_bytes() == BODY


def test_with_retry_it_goes_on_by_itself(files: Files, server: Server) -> None:
    files.cut = CUT
    assert main(["--cacert", server.ca_file, "--retry", "1", "-O", server.url("/file")]) == 0
    assert files.asked == [(None, None), (f"bytes={CUT}-", '"one"')]
    assert Path("file").read_bytes() == BODY


# -- in a process of its own ------------------------------------------------------------------------

LARGE = bytes(range(256)) * 40_000


class Halting:
    """A large file, of which the first answer has more than a quarter, and then nothing."""

    def __init__(self) -> None:
        self.ranges: list[str | None] = []
        self.over = threading.Event()

    def __call__(self, request: Request) -> Response:
        self.ranges.append(request.header("range"))
        start = int((request.header("range") or "bytes=0-")[6:-1])
        fields = [("etag", '"one"'), ("content-length", str(len(LARGE) - start))]
        if not start:
            return Response(headers=fields, body=self._half() if len(self.ranges) == 1 else LARGE)
        place = ("content-range", f"bytes {start}-{len(LARGE) - 1}/{len(LARGE)}")
        return Response(206, headers=[*fields, place], body=LARGE[start:])

    def _half(self) -> Iterator[bytes]:
        yield LARGE[: len(LARGE) // 2]
        self.over.wait()
        yield LARGE[len(LARGE) // 2 :]


@pytest.fixture
def halting(serve: Serve) -> Iterator[tuple[Server, Halting]]:
    file = Halting()
    yield serve(routes={"/file": file}), file
    file.over.set()


def begin(command: list[str]) -> "subprocess.Popen[bytes]":
    """Begin a download, and return when more than a quarter of it is there."""
    process = subprocess.Popen([sys.executable, "-m", "hyperlite", *command], stderr=subprocess.PIPE)
    while not (os.path.exists("file.part") and os.path.getsize("file.part") > len(LARGE) // 4):
        assert process.poll() is None
        time.sleep(GLANCE)
    return process


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT], ids=["kill", "interrupt"])
def test_a_download_that_is_ended_goes_on(
    halting: tuple[Server, Halting], folder: Path, end: signal.Signals, parallel: bool
) -> None:
    server, file = halting
    command = ["--cacert", server.ca_file, "-O", server.url("/file")]
    several = ["--parallel", "2", "-o", "x", "http://127.0.0.1:1/"] if parallel else []
    with begin([*several, *command]) as process:
        process.send_signal(end)
        said = process.communicate()[1].decode().splitlines()
    left = os.path.getsize("file.part")
    if end == signal.SIGINT:
        assert process.returncode == 130
        assert re.fullmatch(r"hyperlite: interrupted: file\.part has \d\.\d MB: go on with -C -", said[-1])
        assert len(said) == 1 + parallel
    file.over.set()
    assert main(["-C", "-", *command]) == 0
    assert hashlib.sha256(Path("file").read_bytes()).digest() == hashlib.sha256(LARGE).digest()
    assert names(folder) == {"file"}
    assert file.ranges == [None, f"bytes={left}-"], "nothing is fetched again"


def test_heads_go_into_a_file_and_leave_no_empty_download(get: Get, server: Server) -> None:
    Path("file").write_text("the download")
    assert get("-I", "-o", "heads", server.url("/file")) == ""
    assert Path("heads").read_bytes().startswith(b"HTTP/2 200 \r\n")
    assert Path("heads").read_bytes().endswith(b"\r\n\r\n")
    assert Path("file").read_text() == "the download"
