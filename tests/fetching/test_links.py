"""The Link fields of a response (RFC 8288)."""

import time

import pytest

from hyperlite import ConnectionPool
from hyperlite.fetching.links import links
from hyperlite.messages.urls import parse
from hyperlite.testing.server import Response
from tests.conftest import Serve

BASE = parse("https://example.org/list?page=2#part")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('</list?page=3>; rel="next"', {"next": {"url": "https://example.org/list?page=3", "rel": "next"}}),
        ("<?page=3>;rel=next", {"next": {"url": "https://example.org/list?page=3", "rel": "next"}}),
        (
            '<https://a.example/>; rel="NEXT last"; title="a, \\"b\\"; c"',
            {
                name: {"url": "https://a.example/", "rel": "NEXT last", "title": 'a, "b"; c'}
                for name in ("next", "last")
            },
        ),
        (
            "</a>; rel=a, </b>; rel=b; type=text/html , </c>",
            {
                "a": {"url": "https://example.org/a", "rel": "a"},
                "b": {"url": "https://example.org/b", "rel": "b", "type": "text/html"},
            },
        ),
        ("</1>; rel=a, </2>; rel=a", {"a": {"url": "https://example.org/1", "rel": "a"}}),
        ("</1>; rel=a; rel=b", {"a": {"url": "https://example.org/1", "rel": "a"}}),
        (
            "</1>; rel=a; title=x; title*=UTF-8'de'n%c3%a4chstes",
            {"a": {"url": "https://example.org/1", "rel": "a", "title": "nächstes"}},
        ),
        ("</1>; rel=a; crossorigin", {"a": {"url": "https://example.org/1", "rel": "a", "crossorigin": ""}}),
        ("</1>; rel=a; url=/2; url*=UTF-8''ftp%3A//x/", {"a": {"url": "https://example.org/1", "rel": "a"}}),
        ('</1>; rel=a; anchor="#x"', {}),
        ("<ftp://a/>; rel=a", {}),
        ("</1>", {}),
        ("nonsense", {}),
        ("<", {}),
        ("", {}),
    ],
)
def test_values(value: str, expected: dict[str, dict[str, str]]):
    assert links([value], BASE) == expected


def test_of_a_response(pool: ConnectionPool, serve: Serve):
    headers = [("link", "</2>; rel=next"), ("link", "</0>; rel=prev")]
    server = serve(routes={"/1": lambda _: Response(headers=headers), "/2": lambda _: Response(body=b"two")})
    response = pool.fetch(server.url("/1"))
    assert {name: link["url"] for name, link in response.links.items()} == {
        "next": server.url("/2"),
        "prev": server.url("/0"),
    }
    assert pool.fetch(response.links["next"]["url"]).body == b"two"
    assert pool.fetch(server.url("/2")).links == {}


@pytest.mark.parametrize(
    "piece", ["<", "<a>", "<a>;", '<a>;x="', '<a>;x="\\', ",", " ", "<a>;x=y,", ";", '"']
)
def test_time_grows_with_the_length_alone(piece: str):
    def cost(count: int) -> float:
        start = time.thread_time()
        links([piece * count], BASE)
        return time.thread_time() - start

    assert cost(20_000) < 100 * max(cost(2_000), 1e-4)
