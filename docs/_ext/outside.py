"""Pages that lie outside docs/: the site includes some of them, and links to them lead there.

README, CONTRIBUTING, SECURITY and CHANGELOG stand where forges and packages look for them. Their links, and
links to them, are right in a checkout, and here they are made right on the site. What the site does not have
stays as text.
"""

import os
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent
INCLUDED = re.compile(r"\A```\{include\} (\S+\.md)\n```\n\Z")
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!\w+:|#)([^()\s#]+)(#[^()\s]*)?\)")


def places() -> dict[Path, Path]:
    """Return which page of the site shows a page from outside."""
    found = {}
    for page in DOCS.rglob("*.md"):
        included = INCLUDED.match(page.read_text())
        if included:
            found[(page.parent / included[1]).resolve()] = page
    return found | {ROOT / "README.md": DOCS / "index.md"}


def on_the_site(text: str, page: Path, source: Path) -> str:
    """Return the text of a page with its links made right.

    Args:
        text: the text of `source`.
        page: the page that shows it.
        source: where it lies, which its links are relative to.
    """
    shown = places()

    def lead(found: re.Match[str]) -> str:
        target = (source.parent / found[2]).resolve()
        target = shown.get(target, target)
        if target.is_dir() or not target.is_relative_to(DOCS):
            return found[1]
        return f"[{found[1]}]({os.path.relpath(target, page.parent)}{found[3] or ''})"

    return LINK.sub(lead, text)


def read(_: Sphinx, name: str, content: list[str]) -> None:
    """Replace the text of a page as it is read."""
    page = source = DOCS / f"{name}.md"
    included = INCLUDED.match(content[0])
    if included:
        source = (page.parent / included[1]).resolve()
        content[0] = source.read_text()
    content[0] = on_the_site(content[0], page, source)


def setup(app: Sphinx) -> dict[str, Any]:
    """Take pages as they are read."""
    app.connect("source-read", read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
