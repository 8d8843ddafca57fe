"""Downloads whose first request asks for what is missing alone."""

from collections.abc import Callable
from pathlib import Path

import pytest

from hyperlite import (
    ConnectionPool,
    HTTPStatusError,
    SavedFile,
    UnvalidatedResumeWarning,
)
from hyperlite.fetching.saving import missing
from hyperlite.testing.server import Response, Server

from .conftest import BODY, CUT, DATE, MODIFIED, SIZE, WRONG, Files, Save, cut_off, left, replaced

GoOn = Callable[..., SavedFile]


@pytest.fixture
def go_on(pool: ConnectionPool, server: Server, path: Path) -> GoOn:
    def go_on(target: str = "/file") -> SavedFile:
        url = server.url(target)
        with pool.fetch(url, stream=True, headers=missing(str(path), url)) as response:
            return response.save(path, resume=True)

    return go_on


def test_nothing_comes_twice(save: Save, go_on: GoOn, files: Files, path: Path) -> None:
    cut_off(save, files)
    assert go_on() == SavedFile(str(path), SIZE, CUT)
    assert path.read_bytes() == BODY
    assert files.asked == [(f"bytes={CUT}-", '"one"')]
    assert left(path) == {"file"}


def test_nothing_is_missing(save: Save, go_on: GoOn, files: Files, path: Path) -> None:
    cut_off(save, files)
    Path(f"{path}.part").write_bytes(BODY)
    assert go_on() == SavedFile(str(path), SIZE, SIZE)
    assert files.asked == [(f"bytes={SIZE}-", '"one"')]


def test_what_has_changed_comes_with_the_first_answer(
    save: Save, go_on: GoOn, files: Files, path: Path
) -> None:
    cut_off(save, files)
    files.headers, files.body = [("etag", '"two"')], BODY[::-1]
    assert go_on() == SavedFile(str(path), SIZE, 0)
    assert path.read_bytes() == BODY[::-1]
    assert len(files.asked) == 1


@pytest.mark.parametrize("misdo", WRONG)
def test_what_is_missing_comes_wrongly(
    save: Save, go_on: GoOn, files: Files, path: Path, misdo: Callable[[Response], Response]
) -> None:
    cut_off(save, files)
    files.misdo = misdo
    assert go_on().resumed_at == 0
    assert path.read_bytes() == BODY
    assert files.asked == [(f"bytes={CUT}-", '"one"'), (None, None)]


def test_a_server_that_refuses_what_is_missing(save: Save, go_on: GoOn, files: Files, path: Path) -> None:
    cut_off(save, files)
    files.misdo = lambda _: Response(403)
    with pytest.raises(HTTPStatusError, match="403"):
        go_on()
    assert Path(f"{path}.part").read_bytes() == BODY[:CUT]


def test_what_is_missing_is_not_validated(save: Save, go_on: GoOn, files: Files, path: Path) -> None:
    files.headers = []
    cut_off(save, files)
    with pytest.warns(UnvalidatedResumeWarning, match="the server sends no validator") as caught:
        assert go_on().resumed_at == CUT
    assert caught[0].filename == __file__, "where save() is called"
    assert path.read_bytes() == BODY
    assert files.asked == [(f"bytes={CUT}-", None)]


def test_what_is_missing_of_a_part_without_a_note(go_on: GoOn, files: Files, path: Path) -> None:
    Path(f"{path}.part").write_bytes(BODY[:CUT])
    with pytest.warns(UnvalidatedResumeWarning, match="nothing beside it"):
        assert go_on().resumed_at == CUT
    assert path.read_bytes() == BODY
    assert len(files.asked) == 1


def test_a_part_that_is_longer_than_the_file(go_on: GoOn, files: Files, path: Path) -> None:
    Path(f"{path}.part").write_bytes(BODY + b"more")
    with pytest.warns(UnvalidatedResumeWarning):
        assert go_on().resumed_at == 0
    assert path.read_bytes() == BODY


def test_of_what_nothing_is_known(save: Save, files: Files, path: Path, server: Server) -> None:
    url = server.url("/file")
    assert missing(str(path), url) == [], "there is no part"
    cut_off(save, files)
    assert missing(str(path), f"{url}#fragment") == [("Range", f"bytes={CUT}-"), ("If-Range", '"one"')]
    assert missing(str(path), server.url("/other")) == []
    with open(f"{path}.part", "ab") as part:
        part.write(BODY)
    assert missing(str(path), url) == [], "more than the whole"


def test_an_answer_that_does_not_fit_the_part(
    pool: ConnectionPool, server: Server, files: Files, path: Path, save: Save
) -> None:
    cut_off(save, files)
    for start in (CUT + 1, 5):
        fields = [("Range", f"bytes={start}-")]
        with (
            pool.fetch(server.url("/file"), stream=True, headers=fields) as response,
            pytest.raises(ValueError, match="206"),
        ):
            response.save(path, resume=True)
    assert Path(f"{path}.part").read_bytes() == BODY[:CUT]


def test_another_condition_than_the_notes(
    pool: ConnectionPool, server: Server, files: Files, path: Path, save: Save
) -> None:
    """Nothing says that such an answer goes on with the part."""
    cut_off(save, files)
    files.body = BODY[::-1]
    with pool.fetch(server.url("/file"), stream=True, headers=[("Range", f"bytes={CUT}-")]) as response:
        assert response.save(path, resume=True) == SavedFile(str(path), SIZE, 0)
    assert path.read_bytes() == BODY[::-1]


def test_another_url_than_the_notes(
    pool: ConnectionPool, server: Server, path: Path, save: Save, files: Files
) -> None:
    cut_off(save, files)
    fields = missing(str(path), server.url("/file"))
    with pool.fetch(server.url("/moved"), stream=True, headers=fields) as response:
        assert response.save(path, resume=True).resumed_at == 0


def test_a_server_that_does_not_heed_a_date(go_on: GoOn, files: Files, path: Path, save: Save) -> None:
    files.headers = [MODIFIED, DATE]
    cut_off(save, files)
    files.body = BODY[::-1]
    files.misdo = lambda response: replaced(response, "last-modified", "Thu, 22 Oct 2015 07:28:00 GMT")
    assert go_on().resumed_at == 0
    assert path.read_bytes() == BODY[::-1]


def test_the_file_has_become_as_short_as_the_part(go_on: GoOn, files: Files, path: Path, save: Save) -> None:
    cut_off(save, files)
    files.body = BODY[:CUT]
    files.misdo = lambda _: Response(416, headers=[("content-range", f"bytes */{CUT}")])
    assert go_on() == SavedFile(str(path), CUT, 0)
