"""Downloads that go on where they were cut off, if it is the same file."""

import gzip
import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hyperlite import (
    ConnectionPool,
    HTTPStatusError,
    IncompleteBody,
    SavedFile,
    UnvalidatedResumeWarning,
)
from hyperlite.testing.server import Response, Server

from .conftest import BODY, CUT, DATE, MODIFIED, SIZE, WRONG, Files, Save, broken, cut_off, left, replaced


def test_a_download_that_nothing_cuts_off_asks_once(save: Save, files: Files, path: Path) -> None:
    assert save() == SavedFile(str(path), len(BODY), 0)
    assert path.read_bytes() == BODY
    assert left(path) == {"file"}
    assert files.asked == [(None, None)]


@pytest.mark.parametrize("validator", [("etag", '"one"'), MODIFIED], ids=["etag", "date"])
def test_it_goes_on(save: Save, files: Files, path: Path, server: Server, validator: tuple[str, str]) -> None:
    files.headers = [validator, DATE]
    cut_off(save, files)
    part = Path(f"{path}.part")
    assert part.read_bytes() == BODY[:CUT]
    note = {"url": server.url("/file"), "validator": validator[1], "length": len(BODY)}
    assert json.loads(Path(f"{path}.part.json").read_text()) == note
    files.misdo = lambda response: Response(206, headers=response.headers, body=broken(response.body, CUT))
    with pytest.raises((IncompleteBody, ConnectionError)):
        save()
    assert part.read_bytes() == BODY[: 2 * CUT]
    files.misdo = lambda response: response
    assert save() == SavedFile(str(path), len(BODY), 2 * CUT)
    assert path.read_bytes() == BODY
    assert left(path) == {"file"}
    assert files.asked[1::2] == [(f"bytes={CUT}-", validator[1]), (f"bytes={2 * CUT}-", validator[1])]
    assert files.codings[1::2] == ["identity", "identity"]


def test_it_goes_on_behind_a_redirect(save: Save, files: Files, path: Path, server: Server) -> None:
    cut_off(save, files, "/moved")
    assert json.loads(Path(f"{path}.part.json").read_text())["url"] == server.url("/moved")
    assert save("/moved").resumed_at == CUT
    assert path.read_bytes() == BODY
    cut_off(save, files, "/moved")
    assert save("/file").resumed_at == 0, "what was asked for is another URL"
    assert path.read_bytes() == BODY


def test_a_date_says_nothing_of_what_a_redirect_leads_to(save: Save, files: Files, path: Path) -> None:
    files.headers = [MODIFIED, DATE]
    cut_off(save, files, "/moved")
    with pytest.warns(UnvalidatedResumeWarning, match="the server sends no validator"):
        assert save("/moved").resumed_at == CUT


def test_a_part_that_is_whole_is_not_asked_for(save: Save, files: Files, path: Path) -> None:
    cut_off(save, files)
    Path(f"{path}.part").write_bytes(BODY)
    assert save().resumed_at == len(BODY)
    assert path.read_bytes() == BODY
    assert files.asked == [(None, None)]


@pytest.mark.parametrize(
    "change",
    [
        lambda files: files.headers.__setitem__(0, ("etag", '"two"')),
        lambda files: files.headers.__setitem__(0, ("etag", 'W/"one"')),
        lambda files: files.headers.clear(),
        lambda files: setattr(files, "body", files.body + b"more"),
        lambda files: setattr(files, "body", files.body[:100]),
    ],
    ids=["etag", "weak", "none", "longer", "shorter"],
)
def test_a_file_that_has_changed_is_begun_anew(
    save: Save, files: Files, path: Path, change: Callable[[Files], None]
) -> None:
    """And with the answer that says so: nothing is asked for twice."""
    cut_off(save, files)
    change(files)
    assert save() == SavedFile(str(path), len(files.body), 0)
    assert path.read_bytes() == files.body
    assert files.asked == [(None, None)]
    assert left(path) == {"file"}


def test_a_file_that_changes_between_the_requests(save: Save, files: Files, path: Path) -> None:
    cut_off(save, files)
    asked = files.asked

    class Changing(list[Any]):
        def append(self, item: Any) -> None:
            super().append(item)
            if len(self) == 2:
                files.headers, files.body = [("etag", '"two"')], BODY[::-1]

    files.asked = Changing(asked)
    assert save() == SavedFile(str(path), len(BODY), 0)
    assert path.read_bytes() == BODY[::-1]
    assert files.asked == [(None, None), (f"bytes={CUT}-", '"one"')]


@pytest.mark.parametrize("misdo", WRONG)
def test_a_server_that_does_ranges_wrongly(
    save: Save, files: Files, path: Path, misdo: Callable[[Response], Response]
) -> None:
    """The whole is asked for, and saved."""
    cut_off(save, files)
    files.misdo = misdo
    assert save() == SavedFile(str(path), SIZE, 0)
    assert path.read_bytes() == BODY
    assert [wanted for wanted, _ in files.asked] == [None, f"bytes={CUT}-", None]


def test_a_server_without_ranges(save: Save, files: Files, path: Path) -> None:
    files.headers.append(("accept-ranges", "none"))
    cut_off(save, files)
    assert save().resumed_at == 0
    assert path.read_bytes() == BODY
    assert files.asked == [(None, None)], "it says so"


def test_a_server_that_refuses(save: Save, files: Files, path: Path) -> None:
    """What has come stays."""
    cut_off(save, files)
    files.misdo = lambda _: Response(403)
    with pytest.raises(HTTPStatusError, match="403"):
        save()
    files.misdo = lambda response: response
    assert save().resumed_at == CUT
    assert path.read_bytes() == BODY


def test_a_server_that_sends_a_part_of_what_is_missing(save: Save, files: Files, path: Path) -> None:
    cut_off(save, files)
    files.misdo = lambda _: Response(
        206,
        headers=[("etag", '"one"'), ("content-range", f"bytes {CUT}-{CUT + 9}/{SIZE}")],
        body=BODY[CUT:][:10],
    )
    with pytest.raises(IncompleteBody, match=f"the answer ended after {CUT + 10} of {SIZE} bytes"):
        save()
    files.misdo = lambda response: response
    assert save().resumed_at == CUT + 10
    assert path.read_bytes() == BODY


def test_a_server_that_sends_more_than_is_missing(save: Save, files: Files, path: Path) -> None:
    cut_off(save, files)
    files.misdo = lambda response: replaced(
        Response(206, headers=response.headers, body=iter([BODY[CUT:], b"more"])), "content-length", None
    )
    with pytest.raises(IncompleteBody, match=f"more came than the {SIZE} bytes"):
        save()
    files.misdo = lambda response: response
    assert save().resumed_at == CUT, "none of that answer is trusted"
    assert path.read_bytes() == BODY


# -- without a validator, or without a note -------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("etag", 'W/"one"'), MODIFIED, DATE],
        [("etag", "one"), MODIFIED, DATE],
        [MODIFIED, ("date", MODIFIED[1])],
        [("last-modified", "yesterday"), DATE],
    ],
    ids=["none", "weak", "no tag", "the same second", "no date"],
)
def test_without_a_validator(save: Save, files: Files, path: Path, headers: list[tuple[str, str]]) -> None:
    files.headers = headers
    cut_off(save, files)
    with pytest.warns(UnvalidatedResumeWarning, match="the server sends no validator") as caught:
        assert save().resumed_at == CUT
    assert caught[0].filename.endswith("conftest.py"), "where save() is called"
    assert path.read_bytes() == BODY
    assert files.asked[1] == (f"bytes={CUT}-", None)


def test_without_a_note(save: Save, files: Files, path: Path) -> None:
    part = Path(f"{path}.part")
    part.write_bytes(BODY[:CUT])
    with pytest.warns(UnvalidatedResumeWarning, match=re.escape(f"{part} is resumed")):
        assert save().resumed_at == CUT
    assert path.read_bytes() == BODY
    assert files.asked[1] == (f"bytes={CUT}-", '"one"'), "it may not change between the requests"


def test_what_is_not_validated_stays_so(save: Save, files: Files, path: Path) -> None:
    Path(f"{path}.part").write_bytes(BODY[:CUT])
    files.misdo = lambda response: Response(206, headers=response.headers, body=broken(response.body, 1000))
    with pytest.warns(UnvalidatedResumeWarning), pytest.raises((IncompleteBody, ConnectionError)):
        save()
    assert left(path) == {"file.part"}
    assert Path(f"{path}.part").stat().st_size == CUT + 1000
    files.misdo = lambda response: response
    with pytest.warns(UnvalidatedResumeWarning):
        assert save().resumed_at == CUT + 1000
    assert path.read_bytes() == BODY


def test_the_warning_can_be_an_error(save: Save, path: Path) -> None:
    part = Path(f"{path}.part")
    part.write_bytes(BODY[:CUT])
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnvalidatedResumeWarning)
        with pytest.raises(UnvalidatedResumeWarning):
            save()
    assert part.read_bytes() == BODY[:CUT]


def test_a_part_without_a_note_that_is_too_long(save: Save, files: Files, path: Path) -> None:
    Path(f"{path}.part").write_bytes(bytes(len(BODY) + 1))
    assert save().resumed_at == 0
    assert path.read_bytes() == BODY
    assert files.asked == [(None, None)]


@pytest.mark.parametrize(
    "note",
    [
        "",
        "{",
        "[]",
        '{"url": 1}',
        "null",
        "[" * 100000,
        '{"url": "URL", "validator": 5, "length": null}',
        '{"url": "URL", "validator": "x", "length": "9"}',
    ],
)
@pytest.mark.parametrize("target", ["/file", "/packed"])
def test_a_note_that_cannot_be_read(save: Save, path: Path, note: str, target: str, server: Server) -> None:
    """As if the file were another one."""
    Path(f"{path}.part").write_bytes(bytes(CUT))
    Path(f"{path}.part.json").write_text(note.replace("URL", server.url(target)))
    assert save(target).resumed_at == 0
    assert path.read_bytes() == BODY


def test_without_a_length(save: Save, files: Files, path: Path) -> None:
    files.sized = False
    cut_off(save, files)
    assert save().resumed_at == CUT
    assert path.read_bytes() == BODY
    cut_off(save, files)
    Path(f"{path}.part").write_bytes(BODY)
    assert save().resumed_at == len(BODY), "416, and that many bytes: it is whole"
    assert path.read_bytes() == BODY
    cut_off(save, files)
    Path(f"{path}.part").write_bytes(BODY + b"more")
    assert save().resumed_at == 0, "416, and it is shorter"
    assert path.read_bytes() == BODY


# -- codings --------------------------------------------------------------------------------------


def test_a_body_that_is_decoded_is_asked_for_as_it_is(save: Save, files: Files, path: Path) -> None:
    files.cut = CUT
    with pytest.raises((IncompleteBody, ConnectionError)):
        save("/packed")
    assert "gzip" in (files.codings[0] or "")
    assert files.codings[1] == "identity"
    assert Path(f"{path}.part").read_bytes() == BODY[:CUT]
    files.asked.clear()
    assert save("/packed").resumed_at == CUT
    assert path.read_bytes() == BODY
    assert files.asked == [(f"bytes={CUT}-", '"one"')], "one further request"


def test_a_body_that_always_has_a_coding_is_saved_whole(save: Save, path: Path) -> None:
    Path(f"{path}.part").write_bytes(BODY[:CUT])
    with pytest.warns(UnvalidatedResumeWarning):
        assert save("/always-packed") == SavedFile(str(path), len(BODY), 0)
    assert path.read_bytes() == BODY
    assert left(path) == {"file"}


def test_bytes_as_they_are_sent(save: Save, files: Files, path: Path) -> None:
    files.body = gzip.compress(BODY * 20, 0)
    files.headers.append(("content-encoding", "gzip"))
    files.cut = CUT
    with pytest.raises((IncompleteBody, ConnectionError)):
        save(decode=False)
    assert save(decode=False).resumed_at == CUT
    assert path.read_bytes() == files.body


def test_begun_anew_and_kept_for_later(save: Save, files: Files, path: Path) -> None:
    cut_off(save, files)
    files.cut = 2 * CUT
    with pytest.raises((IncompleteBody, ConnectionError)):
        save(resume="later")
    assert Path(f"{path}.part").read_bytes() == BODY[: 2 * CUT]
    assert save() == SavedFile(str(path), len(BODY), 2 * CUT)
    assert files.asked == [(None, None), (None, None), (f"bytes={2 * CUT}-", '"one"')]
    with pytest.raises(ValueError, match=r"resume is True, False or .later., not 'earlier'"):
        save(resume="earlier")


@pytest.mark.parametrize("resume", [True, False, "later"])
def test_progress(pool: ConnectionPool, server: Server, files: Files, path: Path, resume: Any) -> None:
    seen: list[tuple[int, int | None]] = []

    def stop(done: int, _total: int | None) -> None:
        seen.append((done, _total))
        if done >= CUT:
            raise KeyError("enough")

    with pool.fetch(server.url("/file"), stream=True) as response, pytest.raises(KeyError):
        response.save(path, resume=resume, progress=stop)
    assert {total for _, total in seen} == {len(BODY)}
    kept = seen[-1][0] if resume else 0
    del seen[:]
    with pool.fetch(server.url("/file"), stream=True) as response:
        saved = response.save(path, resume=bool(resume), progress=lambda *told: seen.append(told))
    assert saved.resumed_at == kept
    assert seen[-1] == (len(BODY), len(BODY))
    assert all(done > kept for done, _ in seen)
    with pool.fetch(server.url("/always-packed"), stream=True) as response:
        response.save(path, progress=lambda *told: seen.append(told))
    assert seen[-1] == (len(BODY), None)
