"""The diagrams of states in docs/architecture/, written from tables: `python -m tests.docs.diagrams`.

A page marks the place of each by `<!-- states: stream -->`; the block of mermaid behind it is written anew.
"""

import re
from pathlib import Path

from .states import TABLES, Row

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "architecture"
MARK = re.compile(r"<!-- states: (\w+) -->\n```mermaid\n.*?```\n", re.DOTALL)


def states(rows: list[Row]) -> str:
    """Return a table of states as a diagram: it begins with the first row's state."""
    lines = ["stateDiagram-v2", f"    [*] --> {rows[0].state}"]
    lines += [f"    {row.state} --> {row.after}: {row.event.replace(':', ' -')}" for row in rows]
    ends = dict.fromkeys(row.after for row in rows if all(row.after != other.state for other in rows))
    lines += [f"    {state} --> [*]" for state in ends]
    return "\n".join(lines)


def drawn(page: str) -> str:
    """Return a page with its diagrams as the code has them."""

    def draw(found: re.Match[str]) -> str:
        return f"<!-- states: {found[1]} -->\n```mermaid\n{states(TABLES[found[1]])}\n```\n"

    return MARK.sub(draw, page)


if __name__ == "__main__":
    for path in PAGES.glob("*.md"):
        path.write_text(drawn(path.read_text()))
