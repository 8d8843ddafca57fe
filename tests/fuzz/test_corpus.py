"""Each input of the corpora, without a fuzzer: none breaks a promise any more."""

import pytest

from .corpus import load
from .targets import TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_no_input_breaks_a_promise(target: str):
    inputs = load(target)
    assert inputs, f"{target} has no inputs: python -m tests.fuzz.seeds"
    for name, data in inputs.items():
        try:
            TARGETS[target].run(data)
        except BaseException as error:
            error.add_note(f"the input {name} of {target}")
            raise
