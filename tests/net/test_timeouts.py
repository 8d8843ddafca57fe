"""timeouts.py: what a caller gives is made into seconds."""

import http.client
import itertools
import socket

import pytest

from hyperlite.net import timeouts
from hyperlite.net.timeouts import deadline_after, remaining, resolve_timeout, soonest


@pytest.mark.parametrize(("given", "expected"), [(None, None), (5, 5.0), (0.5, 0.5), (0, 0.0)])
def test_a_number_is_itself(given: float | None, expected: float | None) -> None:
    assert resolve_timeout(given) == expected


def test_none_is_no_limit_whatever_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getdefaulttimeout", lambda: 7.0)
    assert resolve_timeout(None) is None


@pytest.mark.parametrize("default", [None, 7.0])
def test_http_clients_default_is_the_socket_modules(
    monkeypatch: pytest.MonkeyPatch, default: float | None
) -> None:
    monkeypatch.setattr(socket, "getdefaulttimeout", lambda: default)
    sentinel = http.client.HTTPConnection("host").timeout
    assert resolve_timeout(sentinel) == default


def test_no_limit() -> None:
    assert deadline_after(None) is None
    assert remaining(None) is None


def test_what_is_left_shrinks_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(100)
    monkeypatch.setattr(timeouts.time, "monotonic", lambda: float(next(clock)))
    deadline = deadline_after(3)
    assert [remaining(deadline) for _ in range(4)] == [2.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("one", "other", "least"),
    [
        (None, None, None),
        (None, 2.0, 2.0),
        (1.0, None, 1.0),
        (1.0, 2.0, 1.0),
        (2.0, 1.0, 1.0),
        (0.0, None, 0.0),
    ],
)
def test_the_sooner_of_two_limits(one: float | None, other: float | None, least: float | None) -> None:
    assert soonest(one, other) == least
