"""The tutorials, and the first steps of the README, typed as they are printed."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .pages import DOCS, ROOT
from .walk import Walk, matches, programs

PAGES = sorted((DOCS / "tutorials").glob("[!i]*.md"))


@pytest.fixture
def walk(tmp_path: Path) -> Iterator[Walk]:
    (tmp_path / "here").mkdir()
    with programs(tmp_path / "bin", sys.executable, ROOT) as environment:
        yield Walk(tmp_path / "here", environment)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_tutorial(page: Path, walk: Walk) -> None:
    walk.along(page.read_text())
    assert walk.commands > 3


def test_the_readme_begins_with_a_minute(walk: Walk) -> None:
    walk.along((ROOT / "README.md").read_text().partition("\n## Instead")[0])
    assert walk.commands == 3


def test_a_text_is_compared() -> None:
    assert matches("one …\nthree\n", "one two\nthree\n")
    assert not matches("one …\nthree\n", "one two\nfour\n")
