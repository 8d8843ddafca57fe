"""What is known of the tries of a request, and how long the pauses between them are."""

import http.client as http_client

import pytest

from hyperlite import ConnectionLost, HTTP2Error, Retries
from hyperlite.fetching.retries import HopTries
from hyperlite.messages.replay import BACKOFF, FIRST, MAX_TRIES, Tried, Tries, for_all_tries, is_unprocessed

REFUSED = ConnectionLost("refused", retry_safe=True)
LOST = ConnectionLost("lost")


def test_pauses_grow_until_it_was_too_often() -> None:
    tries, pauses = FIRST, []
    while (pause := tries.pause(progress=False)) is not None:
        pauses.append(pause)
        tries = tries.after(REFUSED, progress=False)
    assert pauses == [0.0, BACKOFF, BACKOFF * 2, BACKOFF * 4, BACKOFF * 8]
    assert tries.repeats == MAX_TRIES == len(pauses)
    assert not tries.doubtful


def test_progress_begins_the_count_anew() -> None:
    tries = Tries(MAX_TRIES, again_at=5.0)
    assert tries.pause(progress=True) == 0.0
    assert tries.after(REFUSED, progress=True) == Tries(1)


@pytest.mark.parametrize(("error", "doubtful"), [(REFUSED, False), (LOST, True), (None, True)])
def test_a_doubt_stays(error: BaseException | None, doubtful: bool) -> None:
    tries = FIRST.after(error, progress=False)
    assert tries.doubtful is doubtful
    assert tries.after(REFUSED, progress=False).doubtful is doubtful


def test_what_a_failed_renewal_says_of_the_request() -> None:
    """NotConnected tells that a request was not sent again; its cause tells of the try before."""
    error = http_client.NotConnected()
    assert is_unprocessed(error)
    error.__cause__ = LOST
    assert not is_unprocessed(error)
    error.__cause__ = REFUSED
    assert is_unprocessed(error)


@pytest.mark.parametrize("doubtful", [False, True])
def test_the_error_of_all_tries(doubtful: bool) -> None:
    error = HTTP2Error("the last", retry_safe=True)
    for_all_tries(error, doubtful=doubtful)
    assert error.retry_safe is not doubtful
    for_all_tries(OSError("no error of ours"), doubtful=doubtful)


class TestRetries:
    """`Retries.again()`: the same for fetch(), fetch_many() and HTTP20Adapter."""

    @pytest.fixture(autouse=True)
    def _longest_pauses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("hyperlite.fetching.retries.between", lambda _, most: most)

    def again(
        self,
        error: BaseException,
        tries: HopTries = HopTries(),  # noqa: B008  a value
        method: str = "GET",
        *,
        reused: bool = False,
        sent: bool = True,
    ) -> tuple[float, HopTries] | None:
        return Retries(total=2, backoff=1.0).again(error, tries, method, Tried(reused=reused, sent=sent))

    def test_what_may_have_been_processed_is_counted(self) -> None:
        first = self.again(LOST)
        assert first == (1.0, HopTries(Tries(doubtful=True), 1))
        second = self.again(LOST, first[1])
        assert second == (2.0, HopTries(Tries(doubtful=True), 2))
        assert self.again(LOST, second[1]) is None

    def test_what_was_not_sent_leaves_no_doubt(self) -> None:
        assert self.again(ConnectionRefusedError(), sent=False) == (1.0, HopTries(counted=1))

    def test_a_kept_connection_that_broke_is_not_counted_once(self) -> None:
        first = self.again(LOST, reused=True)
        assert first == (0.0, HopTries(Tries(doubtful=True), stale=True))
        assert self.again(LOST, first[1], reused=True) == (1.0, HopTries(Tries(doubtful=True), 1, stale=True))

    def test_what_was_not_processed_is_sent_again_whatever_its_method(self) -> None:
        assert self.again(LOST, method="POST") is None
        assert self.again(REFUSED, method="POST") == (0.0, HopTries(Tries(1)))

    @pytest.mark.parametrize("error", [TimeoutError(), ValueError(), KeyboardInterrupt()])
    def test_what_would_only_come_again(self, error: BaseException) -> None:
        assert self.again(error) is None
