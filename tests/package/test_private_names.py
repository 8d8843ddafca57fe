"""What hyperlite uses of other libraries without their promise is listed, and it is there."""

import ast
import functools
import importlib
import inspect
import io
import pkgutil
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hpack
import requests.adapters
import requests.structures
import urllib3
import urllib3.poolmanager
from distributed.cfexecutor import ClientExecutor

import hyperlite
from compat.stdlib import interpreters
from hyperlite.adapters._urllib3 import response as urllib3_response

from . import private_names
from .private_names import Owner, gone, standard_library

PACKAGE = Path(hyperlite.__file__).parent
PRIVATE = re.compile(r"_[A-Za-z]\w*(?<!__)")
# By `vars(self).setdefault()`.
SET_BY_NAME = {"_own"}
# Of which hyperlite has subclasses.
LIBRARIES = ("h2", "hpack", "http", "requests", "ssl", "urllib", "urllib3")


def other_libraries() -> list[Owner]:
    """Return the names of what is installed; those of urllib3's responses are looked for at import, too."""
    of_responses = {name for name in urllib3_response._OWN if PRIVATE.fullmatch(name)}
    # Some releases have them, and `response._is_known()` looks which; `HTTP20Raw` has them all.
    of_some = (
        "_body", "_decoder", "_decoder_initialized", "_fp_bytes_read", "_has_decoded_content",
        "_uncached_read_occurred",
    )  # fmt: skip
    return [
        ("urllib3.HTTPHeaderDict", urllib3.HTTPHeaderDict(), ("_container",)),
        ("urllib3.HTTPResponse", urllib3.HTTPResponse(io.BytesIO()), tuple(sorted(of_responses))),
        ("urllib3.HTTPResponse, of some releases", urllib3_response.HTTP20Raw, of_some),
        (
            "urllib3.HTTPConnectionPool",
            urllib3.HTTPConnectionPool,
            ("_get_conn", "_make_request", "_put_conn"),
        ),
        # The names of its fields are those of arguments with "key_" before them.
        (
            "urllib3.poolmanager.PoolKey",
            urllib3.poolmanager.PoolKey,
            ("key__socks_options",),
        ),
        ("distributed.cfexecutor.ClientExecutor", ClientExecutor(None), ("_client",)),
        ("requests.adapters.HTTPAdapter", requests.adapters.HTTPAdapter(), ("_pool_connections",)),
        ("requests.structures.CaseInsensitiveDict", requests.structures.CaseInsensitiveDict(), ("_store",)),
        # No underscore, and no promise either.
        ("hpack.Encoder", hpack.Encoder(), ("header_table", "huffman_coder", "table_size_changes")),
        ("hpack.Encoder.header_table", hpack.Encoder().header_table, ("maxsize",)),
    ]


class Names(ast.NodeVisitor):
    """Collects the private names that a module has of its own, and those that it uses, with their places."""

    def __init__(self) -> None:
        self.own: set[str] = set()
        self.used: dict[str, list[str]] = defaultdict(list)
        self.others: dict[str, list[str]] = defaultdict(list)  # which cannot be hyperlite's
        self._file = ""

    def read(self, path: Path) -> None:
        self._file = path.relative_to(PACKAGE.parent).as_posix()
        text = path.read_text()
        self.visit(ast.parse(text))
        # What mypy cannot know is another library's: the last name of such a line, at least.
        for number, line in enumerate(text.splitlines(), 1):
            code, mark, _ = line.partition("# type: ignore[attr-defined]")
            if mark and (found := re.findall(r"\.(_[A-Za-z]\w*)", code)):
                self.others[found[-1]].append(f"{self._file}:{number}")

    def _use(self, name: str, node: Any) -> None:
        if PRIVATE.fullmatch(name):
            self.used[name].append(f"{self._file}:{node.lineno}")

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.own |= {
            node.name,
            *(argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)),
        }
        self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.own.add(node.name)
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.own.add(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name) and node.value.id == "self":
            self.own.add(node.attr)
        self._use(node.attr, node)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self._use(node.value, node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            self._use(alias.name, node)
        # The modules that hpack's documentation does not name: it has all that it promises in `hpack`.
        if not node.level and (node.module or "").startswith("hpack."):
            self.others[node.module or ""].append(f"{self._file}:{node.lineno}")


@functools.cache
def names() -> Names:
    found = Names()
    for path in sorted(PACKAGE.rglob("*.py")):
        found.read(path)
    return found


@functools.cache
def listed() -> dict[str, str]:
    """Return all names that are listed, and where they are."""
    owners = [*standard_library(), *other_libraries()]
    return {name.removeprefix("key_"): label for label, _, names in owners for name in names}


def test_the_standard_library_has_them() -> None:
    assert gone(standard_library()) == []


def test_the_other_libraries_have_them() -> None:
    owners = other_libraries()
    fields = urllib3.poolmanager.PoolKey._fields
    assert [one for one in gone(owners) if one.rpartition(".")[2] not in fields] == []


def test_the_standard_library_of_other_pythons_has_them() -> None:
    for python in interpreters.find():
        run = subprocess.run(
            [python.path, "-I", private_names.__file__],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert run.stdout.split() == [], python.version


def test_what_is_used_is_listed() -> None:
    own = {*names().own, *SET_BY_NAME, *listed()}
    assert {name: places for name, places in names().used.items() if name not in own} == {}
    assert {name: places for name, places in names().others.items() if name not in listed()} == {}


def test_what_is_listed_is_used() -> None:
    used = names().used.keys() | names().own
    public = {name for name in listed() if not name.startswith("_")}
    text = "".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    used |= {name for name in public if re.search(rf"\b{name}\b", text)}
    assert listed().keys() - used == set()


def test_what_a_subclass_shares_with_its_base_is_listed() -> None:
    """A private name of a library's class in a subclass is the library's, on purpose or by accident."""
    samples = {type(owner): owner for _, owner, _ in (*standard_library(), *other_libraries())}
    classes = dict(own_classes())
    shared = set()
    for kind, node in classes.items():
        bases = [
            base
            for base in kind.__mro__
            if base not in classes and base.__module__.split(".")[0] in LIBRARIES
        ]
        theirs = {name for base in bases for name in (*dir(base), *vars(samples.get(base, object)))}
        shared |= {f"{kind.__qualname__}.{name}" for name in own_names(node) & theirs if name not in listed()}
    assert shared == set()


def own_classes() -> Iterator[tuple[type, ast.ClassDef]]:
    """Yield each class of hyperlite, and its source."""
    for found in pkgutil.walk_packages([str(PACKAGE)], "hyperlite."):
        if not found.name.endswith("__main__"):
            module = importlib.import_module(found.name)
            for node in ast.parse(inspect.getsource(module)).body:
                if isinstance(node, ast.ClassDef):
                    yield getattr(module, node.name), node


def own_names(node: ast.ClassDef) -> set[str]:
    """Return the private names that a class defines, or uses of itself."""
    found = set()
    for one in ast.walk(node):
        if isinstance(one, ast.FunctionDef):
            found.add(one.name)
        elif isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
            found.add(one.id)
        elif isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id == "self":
            found.add(one.attr)
    return {name for name in found if PRIVATE.fullmatch(name)}
