"""What the fuzzer has found the engines to disagree about, one test each."""

import itertools

from hyperlite.errors import ErrorCode
from hyperlite.http2.engine.events import ConnectionFailed

from .pair import Pair
from .script import GET
from .test_both_engines import BAD_SETTINGS


def test_of_several_settings_that_are_wrong_the_first_says_which_error_it_is() -> None:
    wrong = [pair for one in BAD_SETTINGS for pair in one.items()]
    for chosen in itertools.permutations(wrong, 2):
        pair = Pair()
        pair.receive(pair.frames.settings(chosen))


def test_a_second_header_block_that_is_no_hpack_fails_the_connection() -> None:
    pair = Pair()
    wire_id = pair.open(GET, end_stream=True)
    pair.receive(pair.frames.settings() + pair.frames.raw(1, 4, wire_id, b"\x88"))
    events = pair.receive(pair.frames.raw(1, 4, wire_id, b"\xff"))
    assert [(type(event), event.error_code) for event in events] == [
        (ConnectionFailed, ErrorCode.COMPRESSION_ERROR)
    ]
