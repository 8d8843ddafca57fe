"""How fast one host is asked: arithmetic, without a clock."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperlite import Limits
from hyperlite.crawling import pace
from hyperlite.crawling.pace import LONGEST_DELAY, ROUNDS, Pace, with_crawl_delay

USUAL = Limits(under_way=8, per_second=20)


def test_it_slows_down_and_speeds_up():
    made = Pace(USUAL)
    made.slow_down("503", 8.0, 7.0)
    assert made.limits == USUAL, "a page may be broken"
    made.slow_down("503", 10.0, 9.0)
    assert made.limits == Limits(under_way=1, per_second=20, delay=1)
    made.slow_down("503", 12.0, 11.0)
    assert made.limits.delay == 2
    delays = []
    while made.limits != USUAL:
        made.speed_up(13.0)
        delays.append(made.limits.delay)
    assert delays == [1, 0.5, 0.25, None]


def test_requests_that_were_under_way_together_are_one_round():
    made = Pace(USUAL)
    for _ in range(8):
        made.slow_down("503", 10.0, 9.0)
    assert made.limits == USUAL
    for _ in range(8):
        made.slow_down("503", 12.0, 11.0)
    assert made.limits.delay == 1
    made.speed_up(11.5)
    assert made.limits.delay == 1, "an answer from before says nothing"
    assert made.given_up is None


def test_pages_that_are_broken_slow_nothing_down():
    made = Pace(USUAL)
    for n in range(100):
        made.slow_down("503", 10.0 * n, 10.0 * n - 1)
        made.speed_up(10.0 * n + 1)
        assert made.limits == USUAL


def test_it_gives_up():
    made = Pace(USUAL)
    for n in range(ROUNDS):
        assert made.given_up is None
        made.slow_down("503 Service Unavailable", 10.0 * n + 5, 10.0 * n)
    text = "the host was overloaded 6 times in a row: 503 Service Unavailable"
    assert str(made.given_up) == text
    assert str(pickle.loads(pickle.dumps(made.given_up))) == text
    made.slow_down("timeout", 1000.0, 999.0)
    assert str(made.given_up) == text


def test_an_answer_between_begins_anew():
    made = Pace(USUAL)
    for n in range(3 * ROUNDS):
        made.slow_down("429", 10.0 * n + 5, 10.0 * n)
        made.speed_up(10.0 * n + 6)
    assert made.given_up is None


def test_what_the_host_asks_for():
    made = Pace(USUAL)
    made.slow_down("429", 1.0, 0.0, asked=120.0)
    assert made.limits.delay == 120
    made.slow_down("429", 200.0, 150.0, asked=1e9)
    assert made.limits.delay == LONGEST_DELAY
    made = Pace(USUAL)
    made.slow_down("429", 1.0, 0.0, asked=0.0)
    assert made.limits == USUAL


def test_it_is_never_faster_than_usual():
    usual = Limits(under_way=2, delay=10.0)
    made = Pace(usual)
    made.slow_down("503", 1.0, 0.0)
    made.slow_down("503", 12.0, 11.0)
    assert made.limits == Limits(under_way=1, delay=10.0)
    made.slow_down("503", 20.0, 19.0)
    assert made.limits.delay == 20


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1e6)), max_size=60), st.floats(0, 50))
def test_delays_are_bounded(events: list[tuple[bool, float]], delay: float):
    usual = Limits(delay=delay)
    made = Pace(usual)
    for n, (good, asked) in enumerate(events):
        if good:
            made.speed_up(float(n))
        else:
            made.slow_down("x", n + 0.5, float(n), asked)
        assert usual.delay is not None
        assert made.limits == usual or usual.delay <= (made.limits.delay or 0) <= LONGEST_DELAY
        assert (made.limits.under_way == 1) == (made.limits != usual)


@pytest.mark.parametrize(
    ("limits", "delay", "expected"),
    [
        (Limits(), None, Limits()),
        (Limits(under_way=4), 2.0, Limits(under_way=4, delay=2.0)),
        (Limits(delay=3), 2.0, Limits(delay=3)),
        (Limits(delay=1), 2.0, Limits(delay=2.0)),
        (Limits(), 0.0, Limits()),
    ],
)
def test_a_crawl_delay(limits: Limits, delay: float | None, expected: Limits):
    assert with_crawl_delay(limits, delay) == expected


def test_answers_that_mean_later():
    assert {429, 503} == pace.LATER
