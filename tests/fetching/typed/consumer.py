# ruff: noqa: B018, SIM115
"""A program that uses the pool as its users do; a comment marks each line that a type checker must refuse."""

import http.cookiejar
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, assert_type

import hyperlite
from hyperlite.testing import Frame, Request, Response, Server


def pieces() -> Iterator[bytes]:
    yield b"piece"


url = "https://example.org/"
response = hyperlite.fetch(url, json={"a": 1}, timeout=5, params={"page": 2}, headers={"a": "b", "c": None})
assert_type(response, hyperlite.FetchResponse)
hyperlite.fetch(url, "PUT", body=Path("file").open("rb"), headers=[("a", "b"), ("a", b"c"), ("n", 1)])
hyperlite.fetch(url, "PUT", body=pieces(), verify=Path("ca.pem"), cert=("file", "key"), redirects=0)
hyperlite.fetch(url, body="text", retries=hyperlite.Retries(total=3), proxies={"https": None}, deadline=None)
hyperlite.fetch(url, tiemout=5)  # error
hyperlite.fetch(url, timeout="5")  # error
hyperlite.fetch(url, headers=5)  # error
hyperlite.fetch(url, headers="X: y")  # error
hyperlite.fetch(url, body={"a": "b"})  # error
hyperlite.fetch(url, redirects="3")  # error
hyperlite.fetch(None)  # error

for outcome in hyperlite.fetch_many([url, url], timeout=3, concurrency=5, ordered=True):
    assert_type(outcome.request, str)
    assert_type(outcome.index, int)
    assert_type(outcome.result(), hyperlite.FetchResponse)
    if outcome.ok:
        print(outcome.response.status, outcome.response.text.upper())
    else:
        print(outcome.error.args, outcome.request.upper())
    print(outcome.error or outcome.response.status)
    if outcome.response is not None:
        print(outcome.response.status.bit_length())
    if isinstance(outcome, hyperlite.Failed):
        assert_type(outcome.error, Exception)
        continue
    assert_type(outcome.response, hyperlite.FetchResponse)
    outcome.response.statos  # error

for tagged in hyperlite.fetch_many(hyperlite.FetchRequest(url, tag=n) for n in range(3)):
    assert_type(tagged.request, hyperlite.FetchRequest)
    match tagged:
        case hyperlite.Fetched(response=found):
            assert_type(found, hyperlite.FetchResponse)
        case hyperlite.Failed(error=error):
            assert_type(error, Exception)

for mapped in hyperlite.fetch_many([{"url": url, "method": "POST"}]):
    print(mapped.request["url"])
hyperlite.fetch_many([1, 2])  # error
hyperlite.fetch_many([url], tiemout=5)  # error
hyperlite.fetch_many([url], concurrency="5")  # error

with hyperlite.fetch_many([url]) as run:
    assert_type(run, hyperlite.FetchRun[str])
    for one in run:
        assert_type(one.request, str)
        run.add(url)
        run.add(5)  # error
        if run.idle:
            run.close()

gentle = hyperlite.ConnectionPool(limits=hyperlite.Limits(per_second=0.5, under_way=3), origin_limits=None)
gentle.set_limits(hyperlite.Limits(delay=1), url)
gentle.set_limits(5)  # error
hyperlite.ConnectionPool(limits=5)  # error
hyperlite.Limits(per_minute=5)  # error

fed: hyperlite.FetchRun[hyperlite.FetchRequest] = hyperlite.fetch_many(ordered=True)
fed.add(hyperlite.FetchRequest(url))
fed.add(url)  # error
assert_type(next(fed).request, hyperlite.FetchRequest)

hyperlite.FetchRequest(url, "POST", json=[1], timeout=3, redirects=0)
hyperlite.FetchRequest(url, tiemout=5)  # error
hyperlite.FetchRequest(url, timeout="5")  # error
hyperlite.FetchRequest(url, headers=5)  # error


def status(outcome: "hyperlite.Outcome[str]") -> int:
    return outcome.response.status if outcome.ok else 0


with hyperlite.ConnectionPool(timeout=3, context=ssl.create_default_context(), headers={"a": "b"}) as pool:
    assert_type(pool.fetch(url, stream=True), hyperlite.FetchResponse)
    with pool.fetch(url, stream=True) as streamed:
        assert_type(next(iter(streamed)), bytes)
        assert_type(streamed.read1(5), bytes)
        assert_type(streamed.readline(), bytes)
        assert_type(next(streamed.iter_lines(max_line=80)), str)
        for event in streamed.iter_events():
            assert_type(event, hyperlite.ServerSentEvent)
            assert_type((event.event, event.data, event.id), tuple[str, str, str])
            assert_type(event.retry, int | None)
            event.data = ""  # error
        saved = streamed.save(Path("file"), resume=True)
        assert_type((saved.path, saved.size, saved.resumed_at), tuple[str, int, int])
        streamed.save(5)  # error
        streamed.save("file", resume="yes")  # error
        streamed.iter_lines(max_line="80")  # error
        streamed.iter_events(max_line=80)  # error
    assert_type(pool.request("GET", url, json=1, timeout=3), hyperlite.FetchResponse)
    done: list[int] = [status(one) for one in pool.fetch_many([url], decode=False, max_body=10)]
    stats: dict[str, Any] = pool.stats()
    pool.fetch(url, tiemout=5)  # error
    pool.fetch(url, timeout="5")  # error
    pool.fetch(url, headers=5)  # error
    pool.request("GET", url, redirects=3)  # error
    pool.request("GET", url, timeout="5")  # error
    pool.fetch_many([url], ordered="yes")  # error


def sign(request: hyperlite.FetchRequest) -> dict[str, str]:
    return {"Authorization": request.url}


with hyperlite.ConnectionPool(
    base_url=url, params={"a": 1}, auth=("me", "secret"), cookies=http.cookiejar.CookieJar()
) as api:
    assert_type(api.fetch("/a").raise_for_status(), hyperlite.FetchResponse)
    assert_type(api.fetch("/a").links["next"]["url"], str)
    assert_type(api.fetch("/a").request, hyperlite.FetchRequest)
    assert_type(api.fetch("/a").ok, bool)
hyperlite.ConnectionPool(base_url=url, auth=sign, retries=hyperlite.Retries(statuses=[500], backoff=1))
hyperlite.ConnectionPool(base_url=url, auth="me")  # error
hyperlite.ConnectionPool(base_url=url, auth=len)  # error
hyperlite.ConnectionPool(cookies={"a": "b"})  # error
hyperlite.ConnectionPool(base_url=5)  # error
try:
    hyperlite.fetch(url)
except hyperlite.HTTPStatusError as status_error:
    print(status_error.response)
except hyperlite.FetchError as failure:
    assert_type(failure.url, str)
    assert_type(failure.port, int)
hyperlite.ConnectionPool(tiemout=5)  # error
hyperlite.ConnectionPool(timeout="5")  # error
hyperlite.ConnectionPool(headers=5)  # error


def answer(request: hyperlite.FetchRequest) -> Response:
    return Response(201, [("x-url", request.url)], pieces())


def tell(request: Request) -> Response:
    return Response(body=request.body)


hyperlite.ConnectionPool(handler=answer)
hyperlite.ConnectionPool(handler=lambda request: Response(body=request.method.encode()))
hyperlite.ConnectionPool(handler=tell)  # error
hyperlite.ConnectionPool(handler=lambda request: b"body")  # error
with Server({"/": tell}, record=True) as server:
    server.route("/tell")(tell)
    assert_type(server.route("/tell")(tell)(server.requests[0]), Response)
    assert_type(server.frames, list[Frame])
    assert_type(server.requests[0].header("a"), str | None)
    server.faults.reset("/", after=3, times=None)
    server.faults.slow("/")  # error
    server.faults.reset("/", "once")  # error
    server.route("/")(answer)  # error
