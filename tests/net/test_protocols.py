"""The choice of protocols: what a caller or the environment gives, and what of it ALPN offers."""

from typing import Any

import pytest

from hyperlite.net.protocols import VARIABLE, Protocols, checked_protocols, environment, narrowed


@pytest.mark.parametrize(
    ("given", "checked"),
    [
        (None, None),
        (("h2",), ("h2",)),
        (["http/1.1"], ("http/1.1",)),
        (("h2", "http/1.1"), ("h2", "http/1.1")),
        (["http/1.1", "h2"], ("h2", "http/1.1")),
    ],
)
def test_one_or_both_in_any_order(given: Any, checked: Any) -> None:
    assert checked_protocols(given) == checked


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("h2", "not 'h2'"),
        (True, "not True"),
        ({"h2"}, r"not \{'h2'\}"),
        ((), "no protocol is left"),
        (("h2", "h2"), "comes twice"),
        (("h3",), "'h3' is not among"),
        (("h2", "http/1.0"), "'http/1.0' is not among"),
        ((b"h2",), "b'h2' is not among"),
        (([],), r"\[\] is not among"),
    ],
)
def test_anything_else_is_an_error_that_names_it(given: Any, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        checked_protocols(given)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", None),
        (" ", None),
        ("h2", ("h2",)),
        ("http/1.1", ("http/1.1",)),
        ("http/1.1, h2", ("h2", "http/1.1")),
    ],
)
def test_the_environment(monkeypatch: pytest.MonkeyPatch, text: str, found: Any) -> None:
    monkeypatch.setenv(VARIABLE, text)
    assert environment() == found


@pytest.mark.parametrize("text", ["h3", "h2,", "h2,h2", "HTTP/1.1", "h2 http/1.1"])
def test_an_error_in_the_environment_names_the_variable(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(ValueError, match=f"HYPERLITE_PROTOCOLS='{text}'"):
        environment()


def test_the_environment_speaks_for_tls_where_the_caller_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "http/1.1")
    assert Protocols(None, secure=True).offer() == ("http/1.1",)
    assert Protocols(("h2",), secure=True).offer() == ("h2",)
    assert Protocols(None, secure=False).offer() == ("h2", "http/1.1")


@pytest.mark.parametrize(
    ("own", "alpn", "offered"),
    [
        (None, ("h2",), ("h2",)),
        (["h2", "http/1.1"], ("h2",), ("h2",)),
        (["http/1.1"], ("h2",), ("h2",)),
        (["foo", "h2"], ("h2",), ("h2",)),
        (["h2", "foo"], ("http/1.1",), ("foo",)),
        (["h2"], ("http/1.1",), ("http/1.1",)),
        (["foo"], ("h2", "http/1.1"), ("foo",)),
    ],
)
def test_what_a_context_offers_is_narrowed(own: Any, alpn: Any, offered: Any) -> None:
    assert narrowed(own, alpn) == offered
