"""What the fuzzer has found the engines to disagree about, one test each."""

import itertools

from .pair import Pair
from .test_both_engines import BAD_SETTINGS


def test_of_several_settings_that_are_wrong_the_first_says_which_error_it_is() -> None:
    wrong = [pair for one in BAD_SETTINGS for pair in one.items()]
    for chosen in itertools.permutations(wrong, 2):
        pair = Pair()
        pair.receive(pair.frames.settings(chosen))
