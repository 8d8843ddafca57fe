"""What the threads that wait for a dial are told."""

import pytest

from hyperlite.origins import dials as module
from hyperlite.origins.dials import Dials


def test_only_what_has_waited_for_a_dial_gets_its_failure() -> None:
    dials, failure = Dials(), OSError("refused")
    dials.under_way += 1
    joined = dials.ended
    assert dials.failure_since(joined) is None
    dials.end(failure)
    assert dials.under_way == 0
    assert dials.failure_since(joined) is failure
    assert dials.failure_since(dials.ended) is None, "it has come later"
    assert dials.failure_since(None) is None, "it has not waited"
    dials.under_way += 1
    dials.end(None)
    assert dials.failure_since(joined) is None, "a later one was successful"


def test_a_refusal_beside_others_counts_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    dials = Dials()
    assert not dials.are_refused
    dials.refuse_more()
    assert dials.are_refused
    monkeypatch.setattr(module, "FULL", -1.0)
    dials.refuse_more()
    assert not dials.are_refused
