"""The reference is complete: each public name, argument, option and variable. It needs no Sphinx.

The pages have directives, by which Sphinx takes signatures and docstrings from the code. So what is to be
tested is that each name has a directive, and that each docstring says what each argument means.
"""

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hyperlite.crawling.arguments import CrawlArguments
from hyperlite.fetching.arguments import FetchArguments, ManyArguments
from tests.package.test_public_names import ERRORS, PUBLIC

from . import options
from .pages import DOCS, ROOT, blocks

REFERENCE = DOCS / "reference"
DIRECTIVE = re.compile(r"^\.\. auto\w+:: ([\w.]+)(\(\))?\n((?:   :.*\n)*)", re.MULTILINE)
# The module of a page whose names are those of another one.
SAME = {"hyperlite.errors", "hyperlite.testing.server", "hyperlite.client"}
# Methods that do what http.client's, urllib's or the io module's do, with the same arguments.
AS_THERE = {
    "HTTP20Connection": {"set_debuglevel"},
    "HTTP20Handler": {"https_open"},
    "HTTP20Response": {"peek", "read", "read1", "readinto", "readinto1", "readline"},
}


def directives() -> dict[str, tuple[bool, set[str]]]:
    """Return the names that the reference shows: whether programs make such objects, and what is left out."""
    found = {}
    for path in REFERENCE.glob("*.md"):
        for language, text in blocks(path.read_text()):
            if language == "{eval-rst}":
                for name, made_elsewhere, lines in DIRECTIVE.findall(text):
                    assert name not in found, f"{name} is there twice"
                    left_out = re.search(r":exclude-members: (.*)", lines)
                    found[name] = not made_elsewhere, set(left_out[1].split(", ") if left_out else ())
    return found


SHOWN = directives()
CALLABLE = [
    name
    for name in SHOWN
    if not re.search(r"\.(Outcome|PlainHandler|StreamingHandler|Handler|Headers|Protocol|Routes)$", name)
]


def thing(name: str) -> Any:
    """Return a thing by its name."""
    module, _, last = name.rpartition(".")
    return getattr(importlib.import_module(module), last)


def arguments(call: Any) -> set[str]:
    """Return the names of the arguments of a call, those behind `**` too."""
    try:
        parameters = inspect.signature(call).parameters.values()
    except ValueError:  # a type of Python's own
        return set()
    return {
        one.name
        for one in parameters
        if one.name not in ("self", "cls") and one.kind is not one.VAR_POSITIONAL
    }


def missing(call: Any, text: str) -> set[str]:
    """Return the arguments that a docstring does not say anything about."""
    return {name for name in arguments(call) if not re.search(rf"(?<!\w){name}(?!\w)", text)}


def methods(name: str) -> Iterator[tuple[str, Any]]:
    """Yield the methods of a class that the reference shows."""
    cls = thing(name)
    for key, value in inspect.getmembers(cls, callable):
        owner = next(one for one in cls.__mro__ if key in vars(one))
        if not key.startswith("_") and owner.__module__.startswith("hyperlite") and key not in SHOWN[name][1]:
            yield key, value


@pytest.mark.parametrize("module", sorted(PUBLIC.keys() - SAME))
def test_each_public_name_is_there(module: str) -> None:
    shown = {name.removeprefix(f"{module}.") for name in SHOWN if name.rpartition(".")[0] == module}
    assert shown == PUBLIC[module]


def test_no_error_is_made_by_programs() -> None:
    assert {name for name in ERRORS if SHOWN[f"hyperlite.{name}"][0]} == {"ErrorCode"}


@pytest.mark.parametrize("name", CALLABLE)
def test_each_argument_is_described(name: str) -> None:
    one = thing(name)
    if name == "hyperlite.ErrorCode":
        assert one.__doc__
        return
    is_class = isinstance(one, type)
    text = inspect.getdoc(one) or ""
    assert text, "it has no docstring"
    if SHOWN[name][0]:
        attributes = attribute_docs(one) if is_class else ""
        assert missing(one, text + attributes) == set()
    if is_class and not issubclass(one, BaseException):
        exempt = AS_THERE.get(one.__name__, set())
        undescribed = {
            key: left
            for key, value in methods(name)
            if key not in exempt and (left := missing(value, f"{inspect.getdoc(value)}{text}"))
        }
        assert undescribed == {}


def attribute_docs(cls: type) -> str:
    """Return the names of a class's fields that have a text of their own behind them."""
    tree = ast.parse(inspect.getsource(inspect.getmodule(cls)))  # type: ignore[arg-type]
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == cls.__name__:
            return " ".join(
                field.target.id
                for field, behind in zip(node.body, node.body[1:], strict=False)
                if isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(behind, ast.Expr)
            )
    return ""


@pytest.mark.parametrize(
    ("types", "function"),
    [
        (FetchArguments, "hyperlite.ConnectionPool.fetch"),
        (ManyArguments, "hyperlite.ConnectionPool.fetch_many"),
        (CrawlArguments, "hyperlite.crawling.arguments.CrawlArguments"),
    ],
)
def test_each_argument_behind_two_stars_is_described(types: Any, function: str) -> None:
    """Those that it shares with the pool stand at the pool."""
    module, _, last = function.rpartition(".")
    holder = thing(module) if module[-1] == "l" else importlib.import_module(module)
    text = f"{inspect.getdoc(getattr(holder, last))}{inspect.getdoc(thing('hyperlite.ConnectionPool'))}"
    assert {name for name in types.__annotations__ if not re.search(rf"(?<!\w){name}(?!\w)", text)} <= {
        "redirects",
        "decode",
    }


def test_the_page_of_options_is_that_of_the_parsers() -> None:
    """`python -m tests.docs.options` writes it."""
    assert options.PAGE.read_text() == options.page()


def read_by(path: Path) -> set[str]:
    """Return the names that look like variables of the environment in the code of a module."""
    strings = (node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant))
    return {one for one in strings if isinstance(one, str) and re.fullmatch(r"HYPERLITE_[A-Z]+", one)}


def test_each_variable_is_there() -> None:
    variables = set().union(*(read_by(path) for path in (ROOT / "hyperlite").rglob("*.py")))
    page = (REFERENCE / "environment.md").read_text()
    assert variables == set(re.findall(r"`(HYPERLITE_[A-Z]+)`", page))
    assert len(variables) == 4
