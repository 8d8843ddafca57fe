"""Moves the files of changes/ into CHANGELOG.md: `python -m compat.dist.changelog 1.1.0`."""

import argparse
import datetime
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Keep a Changelog's kinds of changes, in its order.
KINDS = ("added", "changed", "deprecated", "removed", "fixed", "security")
MARK = "<!-- what is new begins below -->\n"
NAME = re.compile(r"[a-z0-9-]+\.([a-z]+)\.md")


def fragments(folder: Path) -> dict[str, list[Path]]:
    """Return the files of changes, by kind.

    Raises:
        ValueError: a file has another name than these have.
    """
    found: dict[str, list[Path]] = {kind: [] for kind in KINDS}
    for path in sorted(folder.iterdir()):
        if path.name != "README.md":
            named = NAME.fullmatch(path.name)
            if named is None or named[1] not in KINDS:
                raise ValueError(f"changes/{path.name} is not named NAME.KIND.md; kinds are {', '.join(KINDS)}")
            found[named[1]].append(path)
    return found


def section(version: str, date: str, folder: Path) -> str:
    """Return the section of a version."""
    lines = [f"## {version} - {date}"]
    for kind, paths in fragments(folder).items():
        if paths:
            lines += ["", f"### {kind.capitalize()}", ""]
            lines += ["- " + path.read_text().strip().replace("\n", "\n  ") for path in paths]
    return "\n".join(lines) + "\n"


def released(changelog: str, new: str) -> str:
    """Return the text of CHANGELOG.md with a section more."""
    before, mark, after = changelog.partition(MARK)
    if not mark:
        raise ValueError("CHANGELOG.md has no mark for what is new")
    return f"{before}{mark}\n{new}{after}"


def main() -> None:
    """Write CHANGELOG.md, and remove the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version")
    version = parser.parse_args().version
    path, folder = ROOT / "CHANGELOG.md", ROOT / "changes"
    path.write_text(released(path.read_text(), section(version, datetime.date.today().isoformat(), folder)))
    for paths in fragments(folder).values():
        for one in paths:
            one.unlink()


if __name__ == "__main__":
    main()
