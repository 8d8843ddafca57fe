"""http2/liveness.py: what the peer's silence says, at times that the test makes up."""

import math

import pytest

from hyperlite.http2.liveness import SHORT_SILENCE, Liveness


@pytest.fixture
def liveness() -> Liveness:
    return Liveness(100.0, keepalive_idle=30.0, ping_timeout=5.0)


class TestAnIdleConnection:
    @pytest.mark.parametrize(("now", "doubtful"), [(100.0, False), (130.0, False), (130.1, True)])
    def test_is_doubtful_after_a_long_silence(self, liveness: Liveness, now: float, doubtful: bool) -> None:
        assert liveness.is_doubtful(now) is doubtful

    def test_is_not_doubtful_once_it_was_asked(self, liveness: Liveness) -> None:
        liveness.challenge()
        assert not liveness.is_doubtful(1000.0)

    def test_is_never_doubtful_without_a_limit(self) -> None:
        liveness = Liveness(0.0, keepalive_idle=None, ping_timeout=5.0)
        assert liveness.keepalive_idle == math.inf
        assert not liveness.is_doubtful(1e9)

    def test_any_byte_is_a_sign_of_life(self, liveness: Liveness) -> None:
        liveness.received(125.0)
        assert not liveness.is_doubtful(150.0)


class TestGrace:
    def test_nothing_is_used_up_where_nothing_was_asked(self, liveness: Liveness) -> None:
        assert not liveness.unheard(1000.0)
        assert liveness.grace is None

    def test_only_polling_uses_it_up(self, liveness: Liveness) -> None:
        liveness.challenge()
        assert not liveness.unheard(4.9)
        assert liveness.grace == pytest.approx(0.1)
        assert liveness.unheard(0.1 + 1e-9)

    def test_a_poll_that_began_before_the_ping_does_not_count(self, liveness: Liveness) -> None:
        liveness.challenge()
        assert not liveness.polled(100.0, 110.0, came=False, challenged=False)
        assert liveness.grace == 5.0

    def test_a_poll_in_which_something_came_does_not_count(self, liveness: Liveness) -> None:
        liveness.challenge()
        assert not liveness.polled(100.0, 110.0, came=True, challenged=True)
        assert liveness.polled(110.0, 115.0, came=False, challenged=True)

    def test_any_byte_ends_it(self, liveness: Liveness) -> None:
        liveness.challenge()
        liveness.received(101.0)
        assert liveness.grace is None


class TestWhatWasPolledInVain:
    def test_polls_add_up(self, liveness: Liveness) -> None:
        liveness.polled(100.0, 102.0, came=False, challenged=False)
        liveness.polled(105.0, 106.0, came=False, challenged=False)
        assert (liveness.waited, liveness.quiet) == (3.0, 3.0)

    def test_only_what_followed_the_last_move_counts(self, liveness: Liveness) -> None:
        liveness.stir(104.0)  # another thread has sent something meanwhile
        liveness.polled(100.0, 105.0, came=False, challenged=False)
        assert liveness.waited == 1.0

    def test_bytes_that_mean_nothing_are_no_answer(self, liveness: Liveness) -> None:
        liveness.polled(100.0, 103.0, came=True, challenged=False)
        liveness.received(103.0)
        assert (liveness.waited, liveness.quiet) == (3.0, 0.0)

    def test_what_means_something_ends_it(self, liveness: Liveness) -> None:
        liveness.polled(100.0, 103.0, came=True, challenged=False)
        liveness.received(103.0)
        liveness.answered()
        assert (liveness.waited, liveness.moved) == (0.0, 103.0)

    def test_a_request_ends_it(self, liveness: Liveness) -> None:
        liveness.polled(100.0, 103.0, came=False, challenged=False)
        liveness.request(104.0)
        assert (liveness.waited, liveness.quiet) == (0.0, 0.0)

    @pytest.mark.parametrize(("told", "silence"), [(0.0, 3.0), (2.0, 1.0), (3.0, 0.0), (9.0, 3.0)])
    def test_a_response_counts_it_once(self, liveness: Liveness, told: float, silence: float) -> None:
        """More than there is was of another silence."""
        liveness.polled(100.0, 103.0, came=False, challenged=False)
        assert liveness.silence(told) == silence


class TestAfterATimeout:
    def test_silence_counts_from_the_first_request_without_an_answer(self, liveness: Liveness) -> None:
        liveness.request(200.0)
        liveness.request(209.0)
        assert not liveness.is_silent(205.0, 10.0)
        assert liveness.is_silent(205.1, 10.0)

    def test_an_answer_ends_it(self, liveness: Liveness) -> None:
        liveness.request(200.0)
        liveness.received(204.0)
        liveness.answered()
        assert not liveness.is_silent(209.0, 10.0)
        liveness.request(300.0)
        assert not liveness.is_silent(305.0, 10.0)

    def test_a_short_silence_says_nothing(self, liveness: Liveness) -> None:
        liveness.request(200.0)
        assert not liveness.is_silent(200.0 + SHORT_SILENCE, 0.1)
        assert liveness.is_silent(200.01 + SHORT_SILENCE, 0.1)
