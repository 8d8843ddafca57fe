"""The house: imports run one way, and no file, function or class outgrows its room (docs/architecture.md)."""

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "hyperlite"
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
TREES = {name: ast.parse(path.read_text()) for name, path in MODULES.items()}

MOST_LINES = 500
MOST_LINES_OF_A_FUNCTION = 59
MOST_FIELDS = 15
# Fields that callers know: http.client's and urllib3's, which our responses have to set.
INHERITED = {
    "chunked",
    "code",
    "decode_content",
    "fp",
    "headers",
    "length",
    "length_remaining",
    "reason",
    "sock",
    "status",
    "version",
    "will_close",
}
# Classes that still have more, and how many: these are to become parts. No other class joins them.
LARGE = {"hyperlite.http2.engine.native.NativeEngine": 19, "hyperlite.http2.stream.Stream": 28}


def _imports(name: str) -> Iterator[str]:
    """Yield the modules of the package that one imports, under TYPE_CHECKING and inside functions too."""
    package = name if MODULES[name].name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parts, *([node.module] if node.module else [])])
            if base in MODULES:
                for alias in node.names:
                    module = f"{base}.{alias.name}"
                    yield module if module in MODULES else base


def _room(name: str) -> str:
    """Return the room that a module belongs to: a package, or a file at the top of the house."""
    return ".".join(name.split(".")[:2])


def _circle(graph: dict[str, set[str]]) -> list[str]:
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def test_no_rooms_import_one_another_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for name in MODULES:
        if name != "hyperlite":  # its names are looked up in the rooms when they are asked for
            others = {_room(other) for other in _imports(name)} - {_room(name), "hyperlite"}
            graph.setdefault(_room(name), set()).update(others)
    assert _circle(graph) == []


def test_no_modules_import_one_another_in_a_circle() -> None:
    graph = {name: set(_imports(name)) - {name, "hyperlite"} for name in MODULES if name != "hyperlite"}
    assert _circle(graph) == []


def test_no_file_is_too_long() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in MODULES.items()}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_no_function_is_too_long() -> None:
    lengths = {
        f"{name}.{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: length for name, length in lengths.items() if length > MOST_LINES_OF_A_FUNCTION} == {}


def _fields(node: ast.ClassDef) -> set[str]:
    """Return the fields of a class's own instances: its slots, and what its methods set on `self`."""
    fields = set()
    for part in ast.walk(node):
        match part:
            case ast.Attribute(ctx=ast.Store(), value=ast.Name(id="self")):
                fields.add(part.attr)
            case ast.Assign(targets=[ast.Name(id="__slots__")]):
                fields.update(ast.literal_eval(part.value))
    for part in node.body:
        match part:
            case ast.AnnAssign(target=ast.Name(id=name)) if "ClassVar" not in ast.unparse(part.annotation):
                fields.add(name)
    return fields - INHERITED


def test_no_class_has_too_many_fields() -> None:
    counts = {
        f"{name}.{node.name}": len(_fields(node))
        for name, tree in TREES.items()
        if not name.startswith("hyperlite.testing")
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    assert {name: count for name, count in counts.items() if count > MOST_FIELDS} == LARGE
