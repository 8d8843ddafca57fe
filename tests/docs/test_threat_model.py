"""docs/threat-model.md: each default is what the code has, and each test that it names exists."""

import ast
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import hyperlite
from hyperlite.testing.hostile.catalogue import CASES

from .pages import PAGES, ROOT

PAGE = PAGES["threat-model"].read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith(("| what it", "| CVE |", "| what it was"))
]
CODE = re.compile(r"`([^`]+)`")
CONSTANT = re.compile(r"([a-z0-9_/]+): ([A-Z_]+) = (.+)").fullmatch
ARGUMENT = re.compile(r"([A-Za-z0-9.]+)\(([a-z_]+)=(.+)\)").fullmatch
DEFAULTS = sorted({code for row in ROWS if len(row) == 4 for code in CODE.findall(row[2])})
NAMED = sorted({code for row in ROWS for code in CODE.findall(row[-1])})


def value_of(text: str) -> Any:
    """Return the value of an expression of numbers."""
    return eval(text, {"__builtins__": {}})


@pytest.mark.parametrize("default", [one for one in DEFAULTS if CONSTANT(one) or ARGUMENT(one)])
def test_each_default_is_what_stands_there(default: str):
    if found := CONSTANT(default):
        module = importlib.import_module("hyperlite." + found[1].replace("/", "."))
        assert getattr(module, found[2]) == value_of(found[3])
    else:
        found = ARGUMENT(default)
        assert found is not None
        named: Any = hyperlite
        for part in found[1].split("."):
            named = getattr(named, part)
        assert inspect.signature(named).parameters[found[2]].default == value_of(found[3])


def test_there_are_defaults():
    assert len([one for one in DEFAULTS if CONSTANT(one) or ARGUMENT(one)]) > 40


def names(tree: ast.AST) -> dict[str, ast.AST]:
    """Return the functions and classes that stand in a tree, at its top."""
    kinds = ast.FunctionDef | ast.ClassDef
    return {node.name: node for node in ast.iter_child_nodes(tree) if isinstance(node, kinds)}


@pytest.mark.parametrize("named", NAMED)
def test_each_test_exists(named: str):
    if "::" not in named:
        assert named in CASES, f"there is no hostile case {named}"
        return
    path, *parts = named.split("::")
    tree: ast.AST = ast.parse(Path(ROOT, path).read_text())
    for part in parts:
        tree = names(tree)[part]
        assert part.startswith(("test_", "Test"))


def test_each_row_names_a_test():
    assert len(ROWS) > 90
    for row in ROWS:
        assert CODE.search(row[-1]), f"no test in {row}"


def test_each_vulnerability_has_one_row():
    found = re.findall(r"CVE-\d{4}-\d+", PAGE)
    assert len(found) == len(set(found)) > 60
