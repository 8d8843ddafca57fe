"""The same calls on http.client, and on hyperlite.client over HTTP/1.1 and HTTP/2: the outcomes agree.

A case that fails here and is not in `differences` is a defect of hyperlite.
"""

import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import hyperlite
from hyperlite import client
from hyperlite.testing.server import Server

from .cases import CASES, READS
from .differences import DIFFERENCES, GROUPS, row
from .observe import Case, summary
from .service import ROUTES
from .ways import Way

PINNED = json.loads(Path(__file__).with_name("pinned.json").read_text(encoding="utf-8"))
DOCUMENT = Path(__file__).parents[2] / "docs" / "explanation" / "differences.md"


class Ways(NamedTuple):
    """The three ways in which a case is run."""

    old: Way
    new_http1: Way
    new_http2: Way

    def run(self, case: Case) -> list[dict[str, Any]]:
        """Return what a case shows in each way."""
        if not case.hangs:
            return [way(case) for way in self]
        with ThreadPoolExecutor(len(self)) as executor:  # they wait side by side
            return list(executor.map(lambda way: way(case), self))


@pytest.fixture(scope="module")
def ways() -> Iterator[Ways]:
    with (
        Server(ROUTES, alpn=("http/1.1",)) as http1,
        Server(ROUTES) as http2,
        closing(Way(http.client, http1)) as old,
        closing(Way(client, http1)) as new_http1,
        closing(Way(client, http2)) as new_http2,
    ):
        yield Ways(old, new_http1, new_http2)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_agrees(case: Case, ways: Ways) -> None:
    expected, new_http1, new_http2 = ways.run(case)
    assert new_http1 == expected
    if case.name in DIFFERENCES:
        assert new_http2 != expected, "no difference any more: take it from differences.py"
        assert summary(new_http2) == PINNED[case.name], "it differs in another way than it did: see pin.py"
    else:
        assert new_http2 == expected


def test_the_servers_speak_the_protocols_meant(ways: Ways) -> None:
    case = next(case for case in CASES if case.name == "version")
    assert [seen["result"] for seen in ways.run(case)] == [11, 11, 20]


def test_no_response_to_a_request_that_was_refused() -> None:
    with Server(ROUTES) as server:
        context = server.context()
        with closing(
            client.HTTPSConnection("localhost", server.port, context=context, timeout=5)
        ) as connection:
            with pytest.raises(ValueError, match="method"):
                connection.request("G(T", "/")
            with pytest.raises(http.client.ImproperConnectionState):
                connection.getresponse()


def test_read_to_the_end_carries_what_had_come() -> None:
    with Server(ROUTES) as server:
        context = server.context()
        with closing(
            client.HTTPSConnection("localhost", server.port, context=context, timeout=5)
        ) as connection:
            connection.request("GET", "/cut-sized")
            response = connection.getresponse()
            with pytest.raises(http.client.IncompleteRead) as caught:
                response.read()
            assert (caught.value.partial, caught.value.expected) == (b"half", 4)
            assert isinstance(caught.value, hyperlite.StreamReset)
            assert response.read1() == b""


@pytest.mark.parametrize("style", ["read(5)", "readinto", "readline", "iteration"])
def test_what_came_of_a_body_that_was_cut_off_is_not_lost(style: str) -> None:
    with Server(ROUTES) as server:
        context = server.context()
        with closing(
            client.HTTPSConnection("localhost", server.port, context=context, timeout=5)
        ) as connection:
            connection.request("GET", "/cut-sized")
            response = connection.getresponse()
            with pytest.raises(ConnectionResetError):
                READS[style](response)
            assert response.read1() == b"half"
            response.close()


def test_list_is_long_and_its_names_are_unique() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names)) >= 1000


def test_every_difference_is_a_case_and_has_one_reason() -> None:
    listed = [case for group in GROUPS for case in group.cases]
    assert len(listed) == len(set(listed))
    assert set(listed) <= {case.name for case in CASES}


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.reason)
def test_every_difference_is_documented(group: Any) -> None:
    assert row(group) in DOCUMENT.read_text(encoding="utf-8").splitlines()
