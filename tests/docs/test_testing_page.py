"""The examples in docs/testing.md run as they stand."""

import pytest

from .test_documents import run


def test_programs(capsys: pytest.CaptureFixture[str]) -> None:
    run("testing", lambda: capsys.readouterr().out)
