"""Every case, on every engine, over every transport that matters."""

import pytest

from hyperlite.testing.hostile.case import Case

from .catalogue import combinations
from .known import known
from .run import run


def parameters() -> list[object]:
    made = []
    for case, engine, over in combinations():
        marks = []
        reason = known(case.name, engine, over)
        if reason:
            marks.append(pytest.mark.xfail(strict=True, reason=reason))
        made.append(pytest.param(case, engine, over, id=f"{case.name}-{engine}-{over}", marks=marks))
    return made


@pytest.mark.parametrize(("case", "engine", "over"), parameters())
def test_case(case: Case, engine: str, over: str) -> None:
    """What the server does must end as it should, in time, in little memory, and well-behaved on the wire."""
    result = run(case, engine, over)
    assert not result.problems, "\n".join(result.problems)
