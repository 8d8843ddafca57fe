"""waiters.py: what is posted to a thread that waits for any of many exchanges."""

import gc

from hyperlite.messages.waiters import Arrivals, Waiter, wake


class Letter:
    """An exchange, as far as `Arrivals` knows one."""

    def __init__(self, stream_id: int, transport: object) -> None:
        self.stream_id = stream_id
        self.transport = transport
        self.settled = False
        self.waiters: tuple[Waiter, ...] = ()

    def settle(self) -> None:
        self.settled = True
        wake(self)


class Sleeper:
    """A waiter that counts."""

    def __init__(self) -> None:
        self.woken = 0

    def release(self) -> None:
        self.woken += 1
        if self.woken > 1:
            raise RuntimeError("release unlocked lock")


HERE, THERE = object(), object()


def enlisted(count: int) -> tuple[Arrivals[Letter], list[Letter]]:
    arrivals: Arrivals[Letter] = Arrivals(HERE)
    letters = [Letter(number, HERE) for number in range(count)]
    for letter in letters:
        arrivals.add(letter)
    assert arrivals.enlist() == letters
    return arrivals, letters


def test_those_that_settle_are_posted_in_their_order() -> None:
    arrivals, letters = enlisted(4)
    for number in (2, 0):
        letters[number].settle()
    assert list(arrivals.posted) == [2, 0]
    assert arrivals.take() == [2, 0]
    assert (list(arrivals.posted), list(arrivals.exchanges)) == ([], [1, 3])
    assert [len(letter.waiters) for letter in letters] == [0, 1, 0, 1]


def test_what_happens_before_that_is_not_posted() -> None:
    arrivals, (letter,) = enlisted(1)
    wake(letter)  # a 1xx response has come, for example
    assert not arrivals.posted
    letter.settle()
    wake(letter)
    assert list(arrivals.posted) == [0]


def test_one_that_had_settled_before() -> None:
    arrivals: Arrivals[Letter] = Arrivals(HERE)
    letter = Letter(7, HERE)
    letter.settle()
    arrivals.add(letter)
    arrivals.enlist()
    assert arrivals.take() == [7]


def test_one_that_another_transport_has_by_now() -> None:
    arrivals: Arrivals[Letter] = Arrivals(HERE)
    arrivals.add(Letter(7, THERE))
    arrivals.enlist()
    assert arrivals.take() == [7]


def test_one_that_was_taken_is_posted_again_only_if_it_is_added_again() -> None:
    """A request that failed, and was sent again."""
    arrivals, (letter,) = enlisted(1)
    letter.settle()
    assert arrivals.take() == [0]
    letter.settled = False
    letter.settle()
    assert arrivals.take() == []
    letter.settled = False
    arrivals.add(letter)
    arrivals.add(letter)
    assert arrivals.enlist() == [letter]
    letter.settle()
    assert arrivals.take() == [0]


def test_one_that_is_forgotten_is_not_taken() -> None:
    arrivals, letters = enlisted(2)
    del arrivals.exchanges[0]
    for letter in letters:
        letter.settle()
    assert arrivals.take() == [1]


def test_a_sleeping_thread_is_woken_once() -> None:
    arrivals, letters = enlisted(3)
    sleeper = Sleeper()
    arrivals.waiters = (sleeper,)
    letters[0].settle()
    assert sleeper.woken == 1
    letters[1].settle()  # it is awake: a second release of its lock is an error, which is passed over
    assert arrivals.take() == [0, 1]


def test_other_waiters_stay() -> None:
    arrivals, (letter,) = enlisted(1)
    sleeper = Sleeper()
    letter.waiters = (sleeper, *letter.waiters)
    letter.settle()
    assert letter.waiters == (sleeper,)
    assert (sleeper.woken, arrivals.take()) == (1, [0])


def test_a_wait_that_has_ended_leaves_nothing_behind() -> None:
    """Neither when the exchange settles, nor when the next wait begins."""
    arrivals, letters = enlisted(2)
    del arrivals
    gc.collect()
    letters[0].settle()
    assert letters[0].waiters == ()
    later: Arrivals[Letter] = Arrivals(HERE)
    later.add(letters[1])
    later.enlist()
    assert len(letters[1].waiters) == 1
