"""Wrong arguments: what the caller reads, which is what the argument takes, before anything is sent."""

import http.client
import re
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import hyperlite
from hyperlite import ConnectionPool, FetchRequest, Retries

URL = "https://example.org/"
TOKEN = "Bearer s3cret"


@pytest.fixture(autouse=True)
def _no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def dial(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr("hyperlite.origins.origin.dial", dial)


@pytest.fixture
def pool() -> Iterator[ConnectionPool]:
    with ConnectionPool() as pool:
        yield pool


FETCH: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"body": {"a": 1}}, TypeError, "body is a dict: use json="),
    ({"body": [{"a": 1}]}, TypeError, "body is a list of dict: use json=, or give pieces of bytes"),
    ({"body": ["a"]}, TypeError, "body is a list of str: use json=, or give pieces of bytes"),
    (
        {"body": 5},
        TypeError,
        "body is bytes, a str, a file or an iterable of bytes, not int: use json= for JSON",
    ),
    ({"body": b"", "json": 1}, TypeError, "either body= or json=, not both"),
    ({"json": {1, 2}}, TypeError, "json is no JSON: Object of type set is not JSON serializable"),
    ({"json": float("nan")}, ValueError, "json is no JSON: Out of range float values"),
    ({"data": b"x"}, TypeError, "'data' is no option of fetch(): use body= or json="),
    ({"tiemout": 5}, TypeError, "'tiemout' is no option of fetch(): use timeout="),
    ({"follow_redirects": True}, TypeError, "'follow_redirects' is no option of fetch(): use redirects="),
    ({"xyzzy": 1}, TypeError, "'xyzzy' is no option of fetch()"),
    ({"auth": ("a", "b")}, TypeError, "no option of fetch(): use ConnectionPool(base_url=…, auth=…)"),
    ({"cookies": {}}, TypeError, "'cookies' is no option of fetch(): use ConnectionPool(cookies=…)"),
    ({"files": {}}, TypeError, "use body= with what urllib3.encode_multipart_formdata() makes"),
    ({"body": Path("a")}, TypeError, 'body is a PosixPath, which is no file yet: use open(path, "rb")'),
    ({"timeout": (1, 2)}, TypeError, "timeout is one number of seconds, or None for no limit, not (1, 2)"),
    ({"timeout": "5"}, TypeError, "timeout is a number of seconds, or None for no limit, not '5'"),
    ({"timeout": -1}, ValueError, "timeout is a number of seconds, or None for no limit, not -1"),
    ({"deadline": (1, 2)}, TypeError, "deadline is one number of seconds, or None for no limit, not (1, 2)"),
    ({"headers": "X: y"}, TypeError, "headers should be a mapping or (name, value) pairs, not str"),
    ({"headers": 5}, TypeError, "headers should be a mapping or (name, value) pairs, not int"),
    ({"headers": ["X"]}, TypeError, "headers should be a mapping or (name, value) pairs; among them is 'X'"),
    ({"headers": {"X Y": "z"}}, ValueError, "Invalid header name b'X Y'"),
    ({"headers": {"X-Name": "Łódź"}}, UnicodeEncodeError, "the header 'X-Name' goes out as Latin-1; quote"),
    ({"headers": {"X": 1.5}}, TypeError, "the header 'X' has a value that is str, bytes or int, not float"),
    ({"headers": {"X": ["a"]}}, TypeError, "the header 'X' has a value that is str, bytes or int, not list"),
    (
        {"headers": {"Authorization": f"{TOKEN}\n"}},
        ValueError,
        "the header 'Authorization' has a line break, or another control character, in its value",
    ),
    ({"params": 5}, TypeError, "params is a mapping, (name, value) pairs or a str, not int"),
    ({"params": ["a"]}, TypeError, "params is a mapping, (name, value) pairs or a str, not list"),
    (
        {"verify": "/nosuch.pem"},
        FileNotFoundError,
        "verify= cannot be read: No such file or directory: '/nosuch.pem'",
    ),
    ({"verify": __file__}, ssl.SSLError, f"verify={__file__!r} holds no authority"),
    ({"verify": ""}, ValueError, "verify is empty: it names no file or directory of authorities"),
    ({"verify": 0}, TypeError, "verify is True, False, or the path of a file or directory, not int"),
    (
        {"verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)},
        TypeError,
        "verify is True, False or a path: use context= for an ssl.SSLContext",
    ),
    (
        {"cert": "/nosuch.pem"},
        FileNotFoundError,
        "cert= cannot be read: No such file or directory: '/nosuch.pem'",
    ),
    ({"cert": ["a"]}, TypeError, "cert is a file, (file, key file) or (file, key file, password), not list"),
    ({"context": "x"}, TypeError, "context is an ssl.SSLContext, not str"),
    ({"redirects": True}, TypeError, "redirects is how many to follow (0: none), not True"),
    ({"redirects": None}, TypeError, "redirects is a whole number, not None"),
    ({"redirects": "5"}, TypeError, "redirects is a whole number, not '5'"),
    ({"redirects": -1}, ValueError, "redirects must be at least 0, not -1"),
    ({"retries": -1}, ValueError, "retries must be at least 0, not -1"),
    ({"retries": "3"}, TypeError, "retries is how often to try again, or a hyperlite.Retries, not '3'"),
    ({"retries": True}, TypeError, "retries is how often to try again, or a hyperlite.Retries, not True"),
    ({"max_body": None}, TypeError, "max_body is a whole number, not None"),
    ({"max_body": 1.5}, TypeError, "max_body is a whole number, not 1.5"),
    ({"decode": "gzip"}, TypeError, "decode is True or False, not 'gzip'"),
    ({"stream": 1}, TypeError, "stream is True or False, not 1"),
    ({"allow_downgrade": "no"}, TypeError, "allow_downgrade is True or False, not 'no'"),
    ({"proxies": 5}, TypeError, "proxies is None, False, a URL or a mapping, not int"),
    ({"proxies": {"ftp": "x"}}, ValueError, "proxies has no key 'ftp'"),
    ({"protocols": "h2"}, ValueError, 'protocols is a tuple such as ("h2", "http/1.1"), not \'h2\''),
    ({"protocols": ("h3",)}, ValueError, "'h3' is not among the protocols"),
    ({"url": None}, TypeError, "url is a str, not None"),
    ({"url": b"https://example.org/"}, TypeError, "url is a str, not bytes"),
    ({"url": Path("/")}, TypeError, "url is a str, not PosixPath"),
    ({"url": "example.org"}, http.client.InvalidURL, "'example.org': a URL begins with https:// or http://"),
    ({"method": None}, TypeError, 'method is a str such as "GET", not None'),
    (
        {"method": "GE T"},
        ValueError,
        "method can't contain control characters or spaces, or be empty. 'GE T'",
    ),
    ({"url": "GET", "method": URL}, ValueError, "method is a URL: that is another argument"),
]


def says(expected: type[Exception], text: str, call: Callable[..., object], **arguments: Any) -> None:
    with pytest.raises(expected, match=re.escape(text)) as caught:
        call(**arguments)
    assert type(caught.value) is expected or expected is ssl.SSLError
    assert "s3cret" not in str(caught.value)
    assert "Requesting" not in str(caught.value)


@pytest.mark.parametrize(("arguments", "expected", "text"), FETCH)
def test_of_fetch(arguments: dict[str, Any], expected: type[Exception], text: str, pool: ConnectionPool):
    says(expected, text, pool.fetch, **{"url": URL} | arguments)
    says(expected, text, hyperlite.fetch, **{"url": URL} | arguments)


@pytest.mark.parametrize(
    ("arguments", "expected", "text"),
    [one for one in FETCH if not one[0].keys() & {"redirects", "decode", "stream", "follow_redirects"}],
)
def test_of_request(arguments: dict[str, Any], expected: type[Exception], text: str, pool: ConnectionPool):
    text = text.replace("option of fetch()", "option of ConnectionPool.request()")
    says(expected, text, pool.request, **{"url": URL, "method": "GET"} | arguments)


def test_of_request_alone(pool: ConnectionPool):
    text = "'redirects' is no option of ConnectionPool.request()"
    says(TypeError, text, pool.request, method="GET", url=URL, redirects=3)


OF_AN_ITEM = {field for field in FetchRequest.__dataclass_fields__ if field not in {"tag", "url"}}


@pytest.mark.parametrize(
    ("arguments", "expected", "text"),
    [one for one in FETCH if one[0].keys() <= OF_AN_ITEM and one[0] != {"redirects": None}],
)
def test_of_an_item_of_fetch_many(
    arguments: dict[str, Any], expected: type[Exception], text: str, pool: ConnectionPool
):
    if arguments != {"method": None}:
        for item in (FetchRequest(URL, **arguments), {"url": URL, **arguments}):
            (outcome,) = pool.fetch_many([item])
            assert type(outcome.error) is expected
            assert text in str(outcome.error)


def test_an_item_that_is_none(pool: ConnectionPool):
    items: list[Any] = [5, None, {"url": URL, "data": b""}, {"url": URL, "verify": False}, {}, b"https://a/"]
    said = [str(outcome.error) for outcome in pool.fetch_many(items, ordered=True)]
    assert said == [
        "a request is a URL, a FetchRequest or a mapping, not int",
        "a request is a URL, a FetchRequest or a mapping, not None",
        "'data' is no option of a request of fetch_many(): use body= or json=",
        "'verify' is no option of one request: give it to fetch_many(), for all of them",
        "a request of fetch_many() has no url",
        "a request is a URL, a FetchRequest or a mapping, not bytes",
    ]


MANY: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    (URL, {}, TypeError, "fetch_many() takes an iterable of URLs, not one URL: put it in a list"),
    (FetchRequest(URL), {}, TypeError, "fetch_many() takes an iterable of URLs, not one URL"),
    ({"url": URL}, {}, TypeError, "fetch_many() takes an iterable of URLs, not one URL"),
    (None, {}, TypeError, "fetch_many() takes an iterable of URLs, not None"),
    (5, {}, TypeError, "fetch_many() takes an iterable of URLs, not int"),
    ([URL], {"concurrency": 0}, ValueError, "concurrency must be at least 1, not 0"),
    ([URL], {"concurrency": "5"}, TypeError, "concurrency is a whole number, not '5'"),
    ([URL], {"max_buffered": 0}, ValueError, "max_buffered must be at least 1, not 0"),
    ([URL], {"ordered": "yes"}, TypeError, "ordered is True or False, not 'yes'"),
    ([URL], {"progress": True}, TypeError, "progress is a function, not bool"),
    ([URL], {"tiemout": 5}, TypeError, "'tiemout' is no option of fetch_many(): use timeout="),
    ([URL], {"data": 5}, TypeError, "'data' is no option of fetch_many(): use body= or json="),
    ([URL], {"max_workers": 5}, TypeError, "'max_workers' is no option of fetch_many(): use concurrency="),
    ([URL], {"headers": {}}, TypeError, "use ConnectionPool(headers=…), or a FetchRequest for each"),
    ([URL], {"timeout": (1, 2)}, TypeError, "timeout is one number of seconds"),
    ([URL], {"redirects": True}, TypeError, "redirects is how many to follow (0: none), not True"),
    ([URL], {"verify": "/nosuch.pem"}, FileNotFoundError, "verify= cannot be read"),
]


@pytest.mark.parametrize(("requests", "arguments", "expected", "text"), MANY)
def test_of_fetch_many(
    requests: Any, arguments: dict[str, Any], expected: type[Exception], text: str, pool: ConnectionPool
):
    says(expected, text, pool.fetch_many, requests=requests, **arguments)
    says(expected, text, hyperlite.fetch_many, requests=requests, **arguments)


POOL: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"timeout": (1, 2)}, TypeError, "timeout is one number of seconds, or None for no limit, not (1, 2)"),
    ({"max_connections_per_origin": 0}, ValueError, "max_connections_per_origin must be at least 1, not 0"),
    (
        {"max_http1_connections_per_origin": "1"},
        TypeError,
        "max_http1_connections_per_origin is a whole number",
    ),
    ({"max_idle": -1}, ValueError, "max_idle must be at least 0, not -1"),
    ({"idle_timeout": "1"}, TypeError, "idle_timeout is a number of seconds, or None for no limit, not '1'"),
    ({"retries": None}, TypeError, "retries is how often to try again, or a hyperlite.Retries, not None"),
    ({"headers": "X: y"}, TypeError, "headers should be a mapping or (name, value) pairs, not str"),
    ({"headers": {"X-Name": "Łódź"}}, UnicodeEncodeError, "the header 'X-Name' goes out as Latin-1"),
    ({"max_body": "1"}, TypeError, "max_body is a whole number, not '1'"),
    ({"allow_downgrade": 1}, TypeError, "allow_downgrade is True or False, not 1"),
    ({"source_address": "127.0.0.1"}, TypeError, "source_address is (host, port), not '127.0.0.1'"),
    ({"keepalive_idle": "1"}, TypeError, "keepalive_idle is a number of seconds"),
    ({"ping_timeout": "1"}, TypeError, "ping_timeout is a number of seconds"),
    ({"verify": 0}, TypeError, "verify is True, False, or the path of a file or directory, not int"),
    ({"verify": "/nosuch.pem"}, FileNotFoundError, "verify= cannot be read: No such file or directory"),
    ({"cert": ["a"]}, TypeError, "cert is a file, (file, key file) or (file, key file, password), not list"),
    ({"context": "x"}, TypeError, "context is an ssl.SSLContext, not str"),
    ({"protocols": "h2"}, ValueError, 'protocols is a tuple such as ("h2", "http/1.1")'),
]


@pytest.mark.parametrize(("arguments", "expected", "text"), POOL)
def test_of_a_pool(arguments: dict[str, Any], expected: type[Exception], text: str):
    says(expected, text, ConnectionPool, **arguments)


@pytest.mark.parametrize(
    ("arguments", "expected", "text"),
    [
        ({"total": -1}, ValueError, "total must be at least 0, not -1"),
        ({"total": "2"}, TypeError, "total is a whole number, not '2'"),
        ({"backoff": (1, 2)}, TypeError, "backoff is one number of seconds"),
        ({"longest": "1"}, TypeError, "longest is a number of seconds"),
    ],
)
def test_of_retries(arguments: dict[str, Any], expected: type[Exception], text: str):
    says(expected, text, Retries, **arguments)
