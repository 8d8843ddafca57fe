"""Prose names what acts: a thread, a peer, a caller. Comments, names and pages do without these words."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
# In backticks it is a name: the user `nobody`.
VAGUE = re.compile(r"(?<![A-Za-z`])(?:who|whoever|whom|somebody|nobody)(?![A-Za-z])", re.IGNORECASE)


def prose_of(text: str) -> Iterator[str]:
    """Yield the comments, docstrings and names of a Python program."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""
            yield getattr(node, "name", "")


def test_prose_names_what_acts() -> None:
    files = [*ROOT.glob("*.md")]
    for folder in ("hyperlite", "tests", "compat", "docs", "speedups"):
        files += [path for path in (ROOT / folder).rglob("*") if path.suffix in (".md", ".py")]
    assert len(files) > 500
    vague = []
    for path in files:
        text = path.read_text()
        if VAGUE.search(text):  # in a string it may stand
            found = filter(VAGUE.search, prose_of(text) if path.suffix == ".py" else text.splitlines())
            vague += [f"{path.relative_to(ROOT)}: {prose}" for prose in found]
    assert not vague
