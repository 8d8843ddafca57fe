"""The examples in docs/testing.md run as they stand: programs, and tests with the plugin for pytest."""

from pathlib import Path

import pytest

from tests.testing.test_plugin import run_pytest

from .test_documents import examples

PROGRAMS = [example for example in examples("testing") if "def test_" not in example[0]]
TESTS = [example for example, _ in examples("testing") if "def test_" in example]


def test_programs(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    assert len(PROGRAMS) == 2
    for example, expected in PROGRAMS:
        exec(example, names)
        assert capsys.readouterr().out == expected


@pytest.mark.parametrize(("number", "passed"), [(0, 2), (1, 1), (2, 6)])
def test_tests(tmp_path: Path, number: int, passed: int) -> None:
    assert len(TESTS) == 3
    status, output = run_pytest(tmp_path, TESTS[number])
    assert status == 0, output
    assert f"{passed} passed" in output
