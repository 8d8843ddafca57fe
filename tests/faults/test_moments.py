"""A small part of `make faults`: some moments, in each way, on each protocol."""

import pytest

from .matrix import Setting, attempt, judge, moments, settings

# Of each setting, so many moments, spread over its connection.
FEW = 2


@pytest.mark.parametrize("setting", settings(), ids=str)
def test_some_moments(setting: Setting):
    plain = attempt(setting, None)
    assert not judge(plain)
    every = list(moments(plain.units))
    first = settings().index(setting)
    for number in range(FEW):
        moment = every[(first * 7 + number * len(every) // FEW) % len(every)]
        trial = attempt(setting, moment)
        assert not judge(trial), moment


def test_each_kind_and_place_is_among_them():
    every = list(moments((3, 4)))
    assert len(every) == len(set(every)) == 7 * 3 * 5
