"""The walks in CONTRIBUTING.md name modules, functions and test files that exist."""

import ast
import re
from pathlib import Path

import pytest

import hyperlite

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
SECTION = PAGE.partition("## Five walks\n")[2].partition("\n## ")[0]
WALKS = [" ".join(walk.split()) for walk in SECTION.split("\n\n") if walk.startswith("**")]


def module(name: str) -> Path | None:
    """Return the file of a module that is named as in docs/architecture.md, or None."""
    for path in (ROOT / "hyperlite" / f"{name}.py", ROOT / "hyperlite" / name / "__init__.py"):
        if path.exists():
            return path
    return None


def defined(path: Path) -> set[str]:
    """Return the names of the functions that a file defines."""
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_there_are_five() -> None:
    assert len(WALKS) == 5


@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk.strip("*")[:40])
def test_what_a_walk_names_exists(walk: str) -> None:
    walk, _, tests = walk.partition("Tests: ")
    names: set[str] = set()
    folder = ROOT
    for token in re.findall(r"`([^`]+)`", tests):
        path = ROOT / token if token.startswith(("tests/", "hyperlite/")) else folder / token
        assert path.exists(), token
        folder = path.parent
    for token in re.findall(r"`([a-z_0-9]+(?:/[a-z_0-9]+)*)`", walk):
        path = module(token)
        assert path is not None or "/" not in token, f"{token} is no module"
        if path is not None:
            names |= defined(path)
    assert names, "it names no module"
    for name in re.findall(r"`(\w+)\(\)`", walk):
        assert name in {*names, *hyperlite.__all__}, f"{name}() is defined in no module that the walk names"
