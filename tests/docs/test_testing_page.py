"""The examples in docs/howto/testing.md and test-server.md run: programs, and tests with the plugin."""

from pathlib import Path
from typing import Any

import pytest

from hyperlite import ConnectionPool
from hyperlite.testing import Response, Server
from tests.testing.test_plugin import run_pytest

from .test_documents import examples

EXAMPLES = [*examples("howto/testing"), *examples("howto/test-server")]
PROGRAMS = [example for example in EXAMPLES if "def test_" not in example[0]]
TESTS = [example for example, _ in EXAMPLES if "def test_" in example]


def test_programs(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    assert len(PROGRAMS) == 3
    for example, expected in PROGRAMS:
        exec(example, names)
        assert capsys.readouterr().out == (expected or "")


def test_a_handler_that_records(tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    exec(PROGRAMS[2][0], names)
    routes = {
        "/old": lambda _: Response(302, [("location", "/new")]),
        "/new": lambda _: Response(body=b"new"),
    }
    bodies = []
    with Server(routes) as server:
        for _ in range(2):
            with (
                ConnectionPool(verify=server.ca_file) as real,
                ConnectionPool(handler=names["recorded"](tmp_path, real)) as pool,
            ):
                bodies.append(pool.fetch(server.url("/old")).body)
        assert bodies == [b"new", b"new"]
        assert [target for *_, target in server.log] == ["/old", "/new"]


@pytest.mark.parametrize(("number", "passed"), [(0, 2), (1, 1), (2, 6)])
def test_tests(tmp_path: Path, number: int, passed: int) -> None:
    assert len(TESTS) == 3
    status, output = run_pytest(tmp_path, TESTS[number])
    assert status == 0, output
    assert f"{passed} passed" in output
