"""Which requests a connection serves that NTLM or Negotiate has authenticated."""

import gc
import threading
from typing import Any

import pytest

from hyperlite.origins.bonds import Bond, Claim, goes_on

FIRST, LAST = "NTLM TlRMTVNTUAABAAAA", "NTLM TlRMTVNTUAADAAAA"


class Auth:
    """Stands for credentials."""


def claim(value: str = "", auth: Any = None) -> Claim:
    return Claim(auth, [("Authorization", value)] if value else [])


@pytest.mark.parametrize(
    ("status", "fields", "expected"),
    [
        (401, [("WWW-Authenticate", "NTLM TlRM")], True),
        (401, [("www-authenticate", "negotiate oYG2")], True),
        (401, [("WWW-Authenticate", 'Basic realm="x", NTLM TlRM')], True),
        (401, [("WWW-Authenticate", "Negotiate"), ("WWW-Authenticate", "NTLM TlRM")], True),
        (407, [("Proxy-Authenticate", "Negotiate oYG2")], True),
        (401, [("WWW-Authenticate", "NTLM")], False),
        (401, [("WWW-Authenticate", "Negotiate, NTLM")], False),
        (401, [("WWW-Authenticate", "")], False),
        (401, [("WWW-Authenticate", 'Basic realm="NTLM"')], False),
        (401, [("Proxy-Authenticate", "NTLM TlRM")], False),
        (407, [("WWW-Authenticate", "NTLM TlRM")], False),
        (200, [("WWW-Authenticate", "Negotiate oYG2")], False),  # the server's proof of its own identity
        (401, [], False),
    ],
)
def test_a_challenge_with_a_token_wants_a_further_message(status: int, fields: Any, expected: bool) -> None:
    assert goes_on(status, fields) is expected


@pytest.mark.parametrize(
    ("value", "begins"),
    [
        (FIRST, True),
        (LAST, False),
        ("Negotiate TlRMTVNTUAABAAAA", True),
        ("Negotiate YIIFzwYGKwYBBQUCoIIFwzCCBb+", True),
        ("Negotiate oYIBkDCCAYyg", False),
        ("Negotiate YXV0aGVudGljYXRl", False),
    ],
)
def test_a_first_message_is_known(value: str, begins: bool) -> None:
    assert claim(value).begins is begins


def test_an_exchange_is_that_of_its_thread_and_credentials() -> None:
    ann = Auth()
    bond = Bond(claim(FIRST, ann))
    bond.note_answer(goes_on=True)
    assert bond.is_continued_by(claim(LAST, ann))
    assert bond.is_held
    assert not bond.is_continued_by(claim(FIRST, ann))
    assert not bond.is_continued_by(claim("", ann))
    assert not bond.is_continued_by(claim(LAST))
    assert not bond.is_continued_by(claim(LAST, Auth()))
    assert not any(bond.serves(claim(value, ann)) for value in ("", FIRST, LAST))
    found: list[bool] = []
    other = threading.Thread(target=lambda: found.append(bond.is_continued_by(claim(LAST, ann))))
    other.start()
    other.join()
    assert found == [False]


def test_after_it_the_connection_is_that_of_the_credentials() -> None:
    ann = Auth()
    bond = Bond(claim(FIRST, ann))
    bond.note_answer(goes_on=False)
    assert all(bond.serves(claim(value, ann)) for value in ("", FIRST, LAST))
    assert not any(bond.serves(claim(value, auth)) for value in ("", LAST) for auth in (None, Auth()))
    assert not bond.is_spent
    del ann
    gc.collect()
    assert bond.is_spent


def test_without_an_object_it_is_that_of_the_value() -> None:
    bond = Bond(claim(FIRST))
    bond.note_answer(goes_on=True)
    bond.begin(claim(LAST))
    bond.note_answer(goes_on=False)
    assert bond.serves(claim(LAST))
    assert not any(bond.serves(claim(value)) for value in ("", FIRST, LAST + "x"))
    assert not bond.serves(claim(LAST, Auth()))
    assert not bond.is_spent
    bond.begin(claim(FIRST))
    bond.note_answer(goes_on=False)
    assert bond.is_spent  # no request can show that it has the same credentials


def test_an_auth_object_that_cannot_be_referred_to_weakly() -> None:
    class Slotted:
        __slots__ = ()

    ann = Slotted()
    bond = Bond(claim(FIRST, ann))
    bond.note_answer(goes_on=False)
    assert bond.serves(claim("", ann))
    assert not bond.is_spent
