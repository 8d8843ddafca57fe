"""What a release says of itself: its version, what is new, what was tested; and the targets of make."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import hyperlite
from compat.dist.changelog import KINDS, MARK, fragments, released, section

ROOT = Path(__file__).parents[2]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SPEEDUPS = tomllib.loads((ROOT / "speedups" / "pyproject.toml").read_text())["project"]


def test_both_distributions_have_the_version() -> None:
    assert SPEEDUPS["version"] == hyperlite.__version__


def test_the_changelog_has_the_form_of_keep_a_changelog() -> None:
    headings = re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d\d-\d\d", heading) for heading in headings)
    assert headings[0].split(" - ")[0] == hyperlite.__version__
    kinds = set(re.findall(r"^### (.*)$", CHANGELOG, re.MULTILINE))
    assert kinds <= {kind.capitalize() for kind in KINDS}
    assert MARK in CHANGELOG


def test_the_files_of_changes_have_names_that_are_understood() -> None:
    assert fragments(ROOT / "changes").keys() == set(KINDS)


def test_changes_become_a_section(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("not one of them")
    (tmp_path / "slow.fixed.md").write_text("It is fast\nagain.\n")
    (tmp_path / "thing.added.md").write_text("`thing()`.\n")
    new = section("1.1.0", "2027-01-01", tmp_path)
    assert (
        new == "## 1.1.0 - 2027-01-01\n\n### Added\n\n- `thing()`.\n\n### Fixed\n\n- It is fast\n  again.\n"
    )
    text = released(f"# Changes\n\n{MARK}\n## 1.0.0 - 2026-11-30\n", new)
    assert text == f"# Changes\n\n{MARK}\n{new}\n## 1.0.0 - 2026-11-30\n"


def test_a_file_with_another_name_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "thing.improved.md").write_text("")
    with pytest.raises(ValueError, match="improved"):
        fragments(tmp_path)


def test_the_classifiers_name_what_is_tested() -> None:
    """On Linux, with these CPythons."""
    for project in (PROJECT, SPEEDUPS):
        named = [one for one in project["classifiers"] if re.search(r":: 3\.\d+$", one)]
        assert {int(one.rpartition(".")[2]) for one in named} == {11, 12, 13}
        systems = [one for one in project["classifiers"] if one.startswith("Operating System")]
        assert systems == ["Operating System :: POSIX :: Linux"]
        assert "Programming Language :: Python :: Implementation :: CPython" in project["classifiers"]


def test_make_help_has_every_target() -> None:
    """It prints the table in CONTRIBUTING.md."""
    makefile = (ROOT / "Makefile").read_text()
    targets = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split()  # type: ignore[index]
    printed = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    named = re.findall(r"^make ([a-z-]+) +\S", printed.stdout, re.MULTILINE)
    assert sorted(named) == sorted(targets)
    rules = re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)
    assert set(targets) <= set(rules)


def test_targets_that_pages_name_are_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")):
        named = set(re.findall(r"`make ([a-z-]+)", path.read_text()))
        assert named <= targets, path
