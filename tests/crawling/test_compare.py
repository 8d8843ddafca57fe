"""The programs that `make compare-crawls` runs beside one another: each writes down each URL once."""

import sys
from pathlib import Path

import pytest

from .compare import HOSTS, NAMES, Found, Sites, program, table
from .lines import code_lines


@pytest.mark.parametrize("name", NAMES)
def test_each_url_is_written_down_once(name: str, tmp_path: Path) -> None:
    if name != "hyperlite":
        pytest.importorskip(name, reason=f"{name} is not installed (pip install {name})")
    with Sites(tmp_path, 4 * HOSTS) as sites, program(name, sys.executable, sites) as one:
        used = one.run()
        assert one.found() == Found(records=200, failed=0, missing=0, twice=0, torn=0)
        assert sites.asked().total() == 200
        assert f"| {name} | " in table({name: [used]}, {name: ""}, 200)


def test_lines_of_code(tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(
        '"""Text.\n\nMore.\n"""\n\n# why\nx = (\n    1\n)\n\n\ndef f():\n    """Text."""\n    return x\n'
    )
    assert code_lines(path) == 5
