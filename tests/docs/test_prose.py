"""Prose names what acts: a thread, a peer, a caller. "Who" and its like are rare in comments and pages."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
VAGUE = re.compile(r"\b(?:who|whoever|whom|somebody|nobody)\b", re.IGNORECASE)
WORD = re.compile(r"[A-Za-z][A-Za-z'-]*")
PER_THOUSAND = 0.5


def prose_of(path: Path) -> Iterator[str]:
    """Yield the comments and the docstrings of a file of Python, or all of a document."""
    text = path.read_text()
    if path.suffix == ".md":
        yield text
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def test_prose_names_what_acts() -> None:
    pages = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    files = [*pages, *(ROOT / "docs").rglob("*.md"), *(ROOT / "hyperlite").rglob("*.py")]
    words, vague = 0, []
    for path in files:
        for prose in prose_of(path):
            words += len(WORD.findall(prose))
            vague += [f"{path.relative_to(ROOT)}: {found[0]}" for found in VAGUE.finditer(prose)]
    assert words > 50_000
    assert len(vague) < PER_THOUSAND * words / 1000, vague
