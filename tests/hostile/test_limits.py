"""A limit that can hit an honest user is named by its error, as the argument that raises it."""

import inspect
import re
from collections.abc import Callable

import pytest

import hyperlite
from hyperlite.testing.hostile.case import BODY, Case
from hyperlite.testing.hostile.cases_headers import block_of
from hyperlite.testing.hostile.line import Line, Stage
from tests.http2.engine.conftest import ENGINES

PARAMETERS = set(inspect.signature(hyperlite.HTTP20Connection).parameters)


def fetch(script: Callable[[Line], None], **options: object) -> bytes:
    case = Case("limit", "limits", "ok", "", script)
    stage = Stage(case, tls=False)
    try:
        conn = hyperlite.HTTP20Connection("127.0.0.1", stage.port, secure=False, timeout=5, **options)
        with conn:
            return conn.getresponse(conn.request("GET", "/")).read()
    finally:
        stage.close()


def many_fields(line: Line) -> None:
    line.ok(line.open(), fields=[("x", "y")] * 1500)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "script",
    [
        pytest.param(
            block_of(75, 4000),
            id="header list",
        ),
        pytest.param(
            many_fields,
            id="fields",
        ),
    ],
)
def test_the_error_names_the_argument_that_helps(
    script: Callable[[Line], None], engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYPERLITE_ENGINE", engine)
    with pytest.raises(hyperlite.HTTP2Error) as caught:
        fetch(script)
    named = PARAMETERS & set(re.findall(r"\w+", str(caught.value)))
    assert named, f"{caught.value} names no argument"
    assert fetch(script, **dict.fromkeys(named, 10 << 20)) == BODY
