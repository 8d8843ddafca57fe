"""The ways to make requests, each against a proxy with a fault: a POST, two GETs, and one more at the end."""

import http.client
import json
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import requests

import hyperlite
import hyperlite.client as http_client
from hyperlite.adapters.requests import HTTP20Adapter
from hyperlite.testing.certificates import certificates
from hyperlite.testing.server import Request, Response

FAILURES = (http.client.HTTPException, OSError, requests.RequestException)
TARGETS = ("/one", "/two")
UPLOAD = b"a line of the upload\n" * 8


def content(target: str) -> bytes:
    """Return the body that belongs to a target: lines, so that HTTP/1.1 is cut within it, too."""
    return f"{target} is the answer\n".encode() * 6


class Site:
    """What the server does: it counts the POSTs, by their target."""

    def __init__(self) -> None:
        self.posts: Counter[str] = Counter()

    def answer(self, request: Request) -> Response:
        """Answer any request."""
        if request.method == "POST":
            self.posts[request.target] += 1
            if request.body != UPLOAD:
                return Response(400, body=b"another body")
        body = content(request.target)
        return Response(body=[body[:40], body[40:]])


class Done(NamedTuple):
    """What became of a request: the body, or the error."""

    method: str
    target: str
    body: bytes | None
    error: BaseException | None


class Place(NamedTuple):
    """Where requests go, and how.

    Attributes:
        port: of the proxy.
        secure: over TLS.
        protocol: "h2" or "http/1.1".
        timeout: seconds that each step may last.
    """

    port: int
    secure: bool
    protocol: str
    timeout: float

    def url(self, target: str) -> str:
        """Return the URL of a target."""
        return f"{'https' if self.secure else 'http'}://localhost:{self.port}{target}"


def one(method: str, target: str, call: Callable[[], tuple[int, bytes]]) -> Done:
    """Make a request."""
    try:
        status, body = call()
    except FAILURES as error:
        return Done(method, target, None, error)
    assert status == 200, status
    return Done(method, target, body, None)


def connection(place: Place) -> list[Done]:
    """HTTP20Connection."""
    context = hyperlite.create_context(cafile=certificates().ca_file) if place.secure else None
    done = []
    with hyperlite.HTTP20Connection(
        "localhost",
        place.port,
        secure=place.secure,
        context=context,
        timeout=place.timeout,
        protocols=[place.protocol],
    ) as conn:

        def ask(method: str, target: str) -> tuple[int, bytes]:
            body = UPLOAD if method == "POST" else None
            with conn.getresponse(conn.request(method, target, body)) as response:
                return response.status, response.read()

        done.append(one("POST", "/posted", lambda: ask("POST", "/posted")))
        done += [one("GET", target, lambda target=target: ask("GET", target)) for target in TARGETS]
        done.append(one("GET", "/after", lambda: ask("GET", "/after")))
    return done


def client(place: Place) -> list[Done]:
    """hyperlite.client."""
    done = []
    if place.secure:
        context = certificates().client_context()
        conn = http_client.HTTPSConnection("localhost", place.port, timeout=place.timeout, context=context)
    else:
        conn = http_client.HTTPConnection("localhost", place.port, timeout=place.timeout)

    def ask(method: str, target: str) -> tuple[int, bytes]:
        try:
            conn.request(method, target, UPLOAD if method == "POST" else None)
            response = conn.getresponse()
            return response.status, response.read()
        except FAILURES:
            conn.close()  # as its users do
            raise

    done.append(one("POST", "/posted", lambda: ask("POST", "/posted")))
    done += [one("GET", target, lambda target=target: ask("GET", target)) for target in TARGETS]
    done.append(one("GET", "/after", lambda: ask("GET", "/after")))
    conn.close()
    return done


def pool_of(place: Place) -> hyperlite.ConnectionPool:
    """Return a pool."""
    return hyperlite.ConnectionPool(
        timeout=place.timeout, verify=certificates().ca_file, proxies=False, protocols=[place.protocol]
    )


def fetch(place: Place) -> list[Done]:
    """fetch()."""
    with pool_of(place) as pool:

        def ask(method: str, target: str) -> tuple[int, bytes]:
            response = pool.fetch(place.url(target), method, body=UPLOAD if method == "POST" else None)
            return response.status, response.body

        done = [one("POST", "/posted", lambda: ask("POST", "/posted"))]
        done += [one("GET", target, lambda target=target: ask("GET", target)) for target in TARGETS]
        return [*done, one("GET", "/after", lambda: ask("GET", "/after"))]


def fetch_many(place: Place) -> list[Done]:
    """fetch_many()."""
    done = []
    with pool_of(place) as pool:
        asked = [hyperlite.FetchRequest(place.url("/posted"), "POST", body=UPLOAD)]
        asked += [hyperlite.FetchRequest(place.url(target)) for target in TARGETS]
        for outcome in pool.fetch_many(asked):
            target = outcome.request.url.rpartition("/")[2]
            body = None if outcome.error is not None else outcome.response.body
            assert outcome.error is None or isinstance(outcome.error, FAILURES)
            done.append(Done(outcome.request.method, f"/{target}", body, outcome.error))

        def after() -> tuple[int, bytes]:
            response = pool.fetch(place.url("/after"))
            return response.status, response.body

        return [*done, one("GET", "/after", after)]


def adapter(place: Place) -> list[Done]:
    """HTTP20Adapter."""
    with requests.Session() as session:
        session.trust_env = False
        session.verify = certificates().ca_file
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTP20Adapter(protocols=[place.protocol]))

        def ask(method: str, target: str) -> tuple[int, bytes]:
            body = UPLOAD if method == "POST" else None
            response = session.request(method, place.url(target), data=body, timeout=place.timeout)
            return response.status_code, response.content

        done = [one("POST", "/posted", lambda: ask("POST", "/posted"))]
        done += [one("GET", target, lambda target=target: ask("GET", target)) for target in TARGETS]
        return [*done, one("GET", "/after", lambda: ask("GET", "/after"))]


def crawl(place: Place) -> list[Done]:
    """crawl(), which makes GETs alone."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "out.jsonl"
        hyperlite.crawl(
            [place.url(target) for target in (*TARGETS, "/after")],
            output=output,
            timeout=place.timeout,
            verify=certificates().ca_file,
            proxies=False,
            protocols=[place.protocol],
            allow_private=True,
            ignore_robots=True,
        )
        lines = [json.loads(line) for line in output.read_text().splitlines()]
    done = []
    for line in lines:
        target = "/" + line["url"].rpartition("/")[2]
        text = line.get("error")
        error = None if text is None else TimeoutError(text) if "Timeout" in text else OSError(text)
        done.append(Done("GET", target, line["body"].encode() if error is None else None, error))
    return done


WAYS: dict[str, Callable[[Place], list[Done]]] = {
    "HTTP20Connection": connection,
    "hyperlite.client": client,
    "fetch": fetch,
    "fetch_many": fetch_many,
    "HTTP20Adapter": adapter,
    "crawl": crawl,
}
