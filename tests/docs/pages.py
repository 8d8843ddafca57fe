"""The pages of docs/, and what their text has: links, headings, blocks of code. It needs no Sphinx."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
# Each page of the site, by its name: "howto/pool".
PAGES = {path.relative_to(DOCS).with_suffix("").as_posix(): path for path in sorted(DOCS.rglob("*.md"))}
# The pages outside docs/, some of which the site includes.
OUTSIDE = sorted(ROOT.glob("*.md"))

_FENCE = re.compile(r"^(`{3,})(\S*)[^\n]*\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_TARGET = re.compile(r"^\(([\w-]+)\)=$", re.MULTILINE)


def prose(path: Path) -> str:
    """Return the text of a page without its blocks of code."""
    return _FENCE.sub("", path.read_text())


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """Yield the blocks of code of a text: the language, and the code."""
    for found in _FENCE.finditer(text):
        yield found[2], found[3]


def links(path: Path) -> list[str]:
    """Return the targets of the links of a page that lead to files and headings, not to other sites."""
    return [target for target in _LINK.findall(prose(path)) if not re.match(r"\w+:", target)]


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page: of its headings, as forges and the site name them, and those it sets."""
    text = prose(path)
    found = set(_TARGET.findall(text))
    for heading in _HEADING.findall(text):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-"))
    return found


def toctree(path: Path) -> list[str]:
    """Return the pages that a page has in its tables of contents, by their names."""
    folder = path.parent.relative_to(DOCS)
    found = []
    for language, text in blocks(path.read_text()):
        if language == "{toctree}":
            lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith(":")]
            names = [re.sub(r".*<(.+)>", r"\1", line) for line in lines]
            found += [(DOCS / folder / name).resolve().relative_to(DOCS).as_posix() for name in names]
    return found
