"""The house: imports run one way, and no file, function or class outgrows its room (docs/architecture.md).

The tests mirror it: what a module keeps to itself is used by the tests of its room alone.
"""

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

from .private_names import standard_library

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "hyperlite"
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
TREES = {name: ast.parse(path.read_text()) for name, path in MODULES.items()}
TESTS = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text())
    for path in sorted((ROOT / "tests").rglob("*.py"))
}

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
# Files of tests that may be longer, and why: each is a table of cases.
TABLES = {
    "tests/differential/idioms_sending.py": "ways to send a request, one entry each",
}
# The folder of tests/ for modules that are in no package.
ROOMS = {
    "client": ("client", "client_classes", "client_names", "installing", "strict_socket"),
    "connection": ("as_ready", "connection", "pending", "putting", "stock", "transports"),
    "origins": ("pool",),
}
# Private names of other libraries that programs use nevertheless, and tests of hyperlite as they do; those
# that hyperlite uses itself are in private_names.py.
OTHERS = {
    "_buffer": "http.client.HTTPConnection",
    "_fields": "a named tuple",
    "_fp": "urllib3.HTTPResponse",
    "_original_response": "urllib3.HTTPResponse",
    "_make_request": "urllib3.HTTPConnectionPool",
    "_sock_shutdown": "urllib3.HTTPResponse",
}
# The only reaches into private parts from elsewhere, and why the public surface does not do.
PERMITTED = {
    ("tests/benchmarks/counted.py", "_accept"): "of socket.socket: a descriptor without another socket",
    ("tests/http2/test_garbage.py", "_lie_down"): "the moment between two steps of a thread",
    ("tests/many/test_fetch_many.py", "_io"): "a socket that goes deaf while its connection is idle",
    ("tests/package/test_private_names.py", "_OWN"): "the adapter's list of names that are urllib3's",
    ("tests/websocket.py", "_wire"): "the embedded server has no WebSockets: a handler takes the bytes",
    # The one place for tests of other rooms that are given a whole connection or pool, and want a part.
    **dict.fromkeys(
        (
            ("tests/inside.py", name)
            for name in (
                "_a_name", "_connections", "_default_contexts", "_doomed", "_io", "_leadership", "_lock",
                "_origins", "_pending", "_sleepers", "_socket", "_transports",
            )
        ),
        "where a part is kept",
    ),
}  # fmt: skip


def _imports(name: str) -> Iterator[str]:
    """Yield the modules that one imports, under TYPE_CHECKING, inside functions and by name too."""
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
        elif isinstance(node, ast.Call):  # import_module("hyperlite.x"), __import__("hyperlite.x")
            yield from (
                str(part.value)
                for part in node.args
                if isinstance(part, ast.Constant) and part.value in MODULES
            )


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
        others = {_room(other) for other in _imports(name)} - {_room(name)}
        graph.setdefault(_room(name), set()).update(others)
    assert _circle(graph) == []


def test_no_modules_import_one_another_in_a_circle() -> None:
    graph = {name: set(_imports(name)) - {name} for name in MODULES}
    assert _circle(graph) == []


def test_no_file_is_too_long() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in MODULES.items()}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_no_file_of_tests_is_too_long() -> None:
    """But for tables of cases."""
    lengths = {path: len((ROOT / path).read_text().splitlines()) for path in TESTS}
    assert {path for path, length in lengths.items() if length > MOST_LINES} == TABLES.keys()


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
    assert {name: count for name, count in counts.items() if count > MOST_FIELDS} == {}


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def _defined(tree: ast.AST) -> set[str]:
    """Return the private names that a file defines: its own, its classes', and its objects'."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                names.add(name)
            case ast.Assign(targets=[ast.Name(id="__slots__")]):
                names.update(ast.literal_eval(node.value))
    return {name for name in names if _is_private(name)}


def _reaches(tree: ast.AST) -> Iterator[str]:
    """Yield the private names that a file uses of other objects, sets by name, or imports."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls") | ast.Call(func=ast.Name(id="super"))):
                pass
            case ast.Attribute(value=ast.Attribute(attr="raw"), attr="_sock"):
                pass  # of socket.SocketIO
            case ast.Attribute(attr=name) if _is_private(name):
                yield name
            case ast.ImportFrom(names=aliases):
                yield from (alias.name for alias in aliases if _is_private(alias.name))
            case ast.Call(args=[_, ast.Constant(value=str(name)), *_]) if _is_private(name):
                yield name


def _homes() -> dict[str, set[str]]:
    """Return which folders, or files, of tests may use each private name of hyperlite's, or of a test's."""
    rooms = {f"hyperlite.{module}": room for room, modules in ROOMS.items() for module in modules}
    homes: dict[str, set[str]] = {}
    for module, tree in TREES.items():
        packages = [name for name in module.split(".")[1:-1] if not _is_private(name)]
        for name in _defined(tree):
            homes.setdefault(name, set()).add(
                "/".join(["tests", *packages, *filter(None, [rooms.get(module)]), ""])
            )
    ours = set(homes)
    for path, tree in TESTS.items():
        for name in _defined(tree) - ours:
            homes.setdefault(name, set()).add(path)
    return homes


def test_what_a_part_keeps_to_itself_is_used_by_its_own_tests_alone() -> None:
    homes = _homes()
    others = {name for _, _, names in standard_library() for name in names} | OTHERS.keys()
    reaches = {
        (path, name)
        for path, tree in TESTS.items()
        for name in _reaches(tree)
        if name in homes and name not in others and not path.startswith(tuple(homes[name]))
    }
    assert reaches == PERMITTED.keys()
