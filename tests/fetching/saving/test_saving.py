"""A body into a file: whole or not at all."""

import io
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hyperlite import (
    ConnectionPool,
    FetchResponse,
    HTTPStatusError,
    IncompleteBody,
    SavedFile,
    UnvalidatedResumeWarning,
)
from hyperlite.fetching.part import Note, Part
from hyperlite.testing.server import Request, Response, Server
from tests.conftest import MakePool, Serve

from .conftest import BODY, CUT, Files, Save, cut_off, left


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("target", ["/file", "/always-packed", "/empty"])
def test_a_file(pool: ConnectionPool, server: Server, path: Path, stream: bool, target: str) -> None:
    body = b"" if target == "/empty" else BODY
    path.write_bytes(b"before")
    before = os.umask(0o027)
    try:
        with pool.fetch(server.url(target), stream=stream) as response:
            assert response.save(path) == SavedFile(str(path), len(body))
    finally:
        os.umask(before)
    assert path.read_bytes() == body
    assert path.stat().st_mode & 0o777 == 0o640
    assert left(path) == {"file"}


@pytest.mark.parametrize("resume", [True, False])
def test_the_file_of_before_stays_until_all_has_come(
    save: Save, files: Files, path: Path, resume: bool
) -> None:
    path.write_bytes(b"before")
    files.cut = CUT
    with pytest.raises((IncompleteBody, ConnectionError)):
        save(resume=resume)
    assert path.read_bytes() == b"before"
    assert left(path) == ({"file", "file.part", "file.part.json"} if resume else {"file"})


def test_what_was_read_in_part_is_not_saved(pool: ConnectionPool, server: Server, path: Path) -> None:
    for resume in (True, False):
        with pool.fetch(server.url("/file"), stream=True) as response:
            response.read(10)
            with pytest.raises(ValueError, match="was read already"):
                response.save(path, resume=resume)
    assert left(path) == set()


def test_wrong_places(pool: ConnectionPool, server: Server, tmp_path: Path) -> None:
    wrong: list[tuple[Any, type[Exception], str]] = [
        (tmp_path, IsADirectoryError, re.escape(str(tmp_path))),
        ("/dev/null", OSError, "it is a device, or a pipe, in whose place no file is put: '/dev/null'"),
        (
            tmp_path / "none" / "file",
            FileNotFoundError,
            f"the folder of the file does not exist: {re.escape(repr(str(tmp_path / 'none')))}$",
        ),
        ("", ValueError, "path is empty"),
        (b"file", TypeError, "path is a str or a pathlib.Path, not bytes"),
        (io.BytesIO(), TypeError, "path is a str or a pathlib.Path, not BytesIO"),
    ]
    for resume in (True, False):
        for path, kind, text in wrong:
            streamed = pool.fetch(server.url("/file"), stream=True)
            with streamed as response, pytest.raises(kind, match=text):
                response.save(path, resume=resume)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("resume", [True, False])
def test_a_full_disk(save: Save, path: Path, resume: bool) -> None:
    """A limit of the size of files stands for it."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match=re.escape(str(path)) + r".*\.part'$") as caught:
            save(resume=resume)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert caught.value.filename.endswith(".part")
    assert left(path) == ({"file.part", "file.part.json"} if resume else set())
    if resume:
        assert save().resumed_at == 100_000
        assert path.read_bytes() == BODY


def test_what_is_no_answer_to_a_plain_get(pool: ConnectionPool, server: Server, path: Path) -> None:
    posted = pool.fetch(server.url("/file"), "POST", body=b"x", stream=True)
    with posted as response, pytest.raises(ValueError, match="takes the response of a GET without a body"):
        response.save(path, resume=True)
    ranged = pool.fetch(server.url("/file"), headers={"Range": "bytes=5-"}, stream=True)
    with ranged as response, pytest.raises(ValueError, match=r"a response of status 200, and .* has 206"):
        response.save(path, resume=True)
    with (
        pool.fetch(server.url("/missing"), stream=True) as response,
        pytest.raises(HTTPStatusError, match="404"),
    ):
        response.save(path, resume=True)
    assert left(path) == set()
    assert pool.fetch(server.url("/file")).save(path, resume=True) == SavedFile(str(path), len(BODY))


def test_one_download_at_a_time(pool: ConnectionPool, server: Server, path: Path) -> None:
    """In another process; and when that has ended, the next one goes on."""
    holder = (
        "import sys; from hyperlite.fetching.part import Part\n"
        "with Part(sys.argv[1]) as part:\n"
        "    part.output.write(b'x'); print('there', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", holder, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"there\n"
        streamed = pool.fetch(server.url("/file"), stream=True)
        with (
            streamed as response,
            pytest.raises(BlockingIOError, match=r"is saving to this file: .*file\.part"),
        ):
            response.save(path, resume=True)
        other.kill()
    with pool.fetch(server.url("/file"), stream=True) as response, pytest.warns(UnvalidatedResumeWarning):
        assert response.save(path, resume=True).resumed_at == 1


@pytest.mark.parametrize("suffix", [".part", ".part.json"])
def test_a_link_in_the_place_of_a_part_is_not_followed(
    pool: ConnectionPool, server: Server, path: Path, tmp_path: Path, suffix: str
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    place = Path(f"{path}{suffix}")
    place.symlink_to(precious)
    streamed = pool.fetch(server.url("/file"), stream=True)
    with streamed as response, pytest.raises(OSError, match=r"it is a link, .*: remove it: .*\.part"):
        response.save(path, resume=True)
    assert precious.read_text() == "precious"
    assert place.is_symlink()


@pytest.mark.parametrize("suffix", [".part", ".part.json"])
def test_a_pipe_in_the_place_of_a_part(pool: ConnectionPool, server: Server, path: Path, suffix: str) -> None:
    """It would be waited for."""
    os.mkfifo(f"{path}{suffix}")
    streamed = pool.fetch(server.url("/file"), stream=True)
    with streamed as response, pytest.raises(OSError, match=r"it is no regular file: remove it: .*\.part"):
        response.save(path, resume=True)


@pytest.mark.parametrize("suffix", [".part", ".part.json"])
@pytest.mark.parametrize("shared", [True, False])
def test_a_part_that_another_user_has_laid_out(
    save: Save, files: Files, path: Path, suffix: str, shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where any user may write, it could be the beginning of another file."""
    cut_off(save, files)
    path.parent.chmod(0o1777 if shared else 0o755)
    user, other = os.geteuid(), Path(f"{path}{suffix}").stat().st_ino
    fstat = os.fstat

    def another_users(descriptor: int) -> os.stat_result:
        found = fstat(descriptor)
        return os.stat_result((*found[:4], user + 1, *found[5:])) if found.st_ino == other else found

    monkeypatch.setattr("hyperlite.fetching.part.os.fstat", another_users)
    if shared:
        with pytest.raises(PermissionError, match=r"any user may write into this folder.*remove it"):
            save()
    else:
        assert save().resumed_at == CUT


def test_a_name_that_another_file_has_too_is_no_part(save: Save, path: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    os.link(precious, f"{path}.part")
    tmp_path.chmod(0o1777)
    with pytest.raises(PermissionError, match="it is not this user's alone"):
        save()
    assert precious.read_text() == "precious"


def test_a_part_that_is_removed_meanwhile(path: Path) -> None:
    """Another download has begun in its place: it is not what the first one has downloaded."""
    with Part(str(path)) as part:
        part.begin(Note("https://example.org/", '"one"', 1))
        part.output.write(b"1")
        os.remove(f"{path}.part")
        with Part(str(path)) as other:
            other.begin(Note("https://example.org/", '"two"', 2))
            other.output.write(b"2")
            with pytest.raises(FileNotFoundError, match=r"removed during the download.*\.part"):
                part.finish()
    assert left(path) == {"file.part", "file.part.json"}
    assert Path(f"{path}.part").read_bytes() == b"2"


def test_an_empty_part_that_is_removed_meanwhile(path: Path) -> None:
    with Part(str(path)):
        os.remove(f"{path}.part")
        with Part(str(path)) as other:
            other.begin(Note("https://example.org/", '"two"', 2))
            other.output.write(b"2")
    assert left(path) == {"file.part", "file.part.json"}


def test_a_child_process_does_not_keep_a_part_locked(path: Path) -> None:
    reader, writer = os.pipe()
    there, begun = os.pipe()
    with Part(str(path)) as part:
        part.output.write(b"1")
        child = os.fork()
        if not child:
            os.close(writer)
            os.write(begun, b"1")
            os.read(reader, 1)  # until the parent is done
            os._exit(0)
        assert os.read(there, 1) == b"1"
    for descriptor in (reader, there, begun):
        os.close(descriptor)
    try:
        with Part(str(path)) as again:
            assert again.output.size == 1
    finally:
        os.close(writer)
        os.waitpid(child, 0)


def test_a_note_is_gone_before_another_download_can_have_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the part has its place as the file, the next download may begin, and its note stays."""
    others: list[Part] = []
    replace = os.replace

    def then_another(*paths: str) -> None:
        replace(*paths)
        others.append(Part(str(path)))
        others[0].begin(Note("https://example.org/", '"two"', 2))

    monkeypatch.setattr("hyperlite.fetching.part.os.replace", then_another)
    with Part(str(path)) as part:
        part.begin(Note("https://example.org/", '"one"', 1))
        part.output.write(b"x")
        part.finish()
    with others[0]:
        assert left(path) == {"file", "file.part", "file.part.json"}
        assert json.loads(Path(f"{path}.part.json").read_text())["validator"] == '"two"'
    assert left(path) == {"file"}, "nothing came of the other one"


def test_threads_that_save_to_one_path(make_pool: MakePool, server: Server, path: Path) -> None:
    """Each has the file, or the error that another thread is at it."""
    pool, outcomes = make_pool(), []

    def save() -> None:
        try:
            with pool.fetch(server.url("/file"), stream=True) as response:
                outcomes.append(response.save(path, resume=True))
        except BlockingIOError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=save) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 8
    assert any(isinstance(outcome, SavedFile) for outcome in outcomes)
    assert path.read_bytes() == BODY
    assert left(path) == {"file"}


def test_a_process_that_is_killed_loses_nothing(
    pool: ConnectionPool, serve: Serve, alpn: tuple[str, ...], path: Path
) -> None:
    """What it got before SIGKILL is in the part."""
    go_on = threading.Event()
    sent: list[int] = []

    def pieces() -> Iterator[bytes]:
        for start in range(0, CUT, 10_000):
            yield BODY[start : start + 10_000]
        sent.append(CUT)
        go_on.wait(10)

    files = Files()

    def answer(request: Request) -> Response:
        if request.header("range") or sent:
            return files(request)
        return Response(headers=[("etag", '"one"'), ("content-length", str(len(BODY)))], body=pieces())

    server = serve(routes={"/file": answer}, alpn=alpn)
    program = (
        "import sys, hyperlite\n"
        "pool = hyperlite.ConnectionPool(verify=sys.argv[1], proxies=False)\n"
        "pool.fetch(sys.argv[2], stream=True).save(sys.argv[3], resume=True)\n"
    )
    command = [sys.executable, "-c", program, server.ca_file, server.url("/file"), str(path)]
    part = Path(f"{path}.part")
    with subprocess.Popen(command) as other:
        while not (part.exists() and part.stat().st_size == CUT):
            assert other.poll() is None
        other.kill()
    go_on.set()
    assert part.read_bytes() == BODY[:CUT]
    with pool.fetch(server.url("/file"), stream=True) as response:
        assert response.save(path, resume=True).resumed_at == CUT
    assert path.read_bytes() == BODY


def test_memory_is_flat(save: Save, files: Files, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No piece is larger than 64 KiB, and each is written before the next is read."""
    sizes: list[int] = []
    write = os.write

    def watched(descriptor: int, data: Any) -> int:
        sizes.append(len(data))
        return write(descriptor, data)

    monkeypatch.setattr("hyperlite.fetching.part.os.write", watched)
    save()
    assert max(sizes) <= 65536
    assert len(sizes) > len(BODY) // 65536


def test_a_response_that_was_saved_is_read(pool: ConnectionPool, server: Server, path: Path) -> None:
    response: FetchResponse
    with pool.fetch(server.url("/file"), stream=True) as response:
        response.save(path)
        assert response.read() == b""
        with pytest.raises(ValueError, match="was read already"):
            response.save(path)
    assert pool.stats()["origins"].popitem()[1]["leased"] == 0


def test_progress_of_a_body_in_memory(pool: ConnectionPool, server: Server, path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    pool.fetch(server.url("/file")).save(path, progress=lambda *what: told.append(what))
    assert told[-1] == (len(BODY), len(BODY))
