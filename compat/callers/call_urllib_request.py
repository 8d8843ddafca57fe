"""urllib.request: all sorts of requests, each on a connection of its own, as is its way."""

import http.client
import io
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any


def _report(response: Any) -> dict[str, Any]:
    with response:
        return {"status": response.status, "url": response.geturl(), "seen": json.load(response)}


def _pieces() -> Iterator[bytes]:
    yield b"one "
    yield b"two "
    yield b"three"


def _missing(base: str, context: ssl.SSLContext) -> dict[str, Any]:
    try:
        urllib.request.urlopen(f"{base}/missing", context=context)
    except urllib.error.HTTPError as error:
        with error:
            return {
                "code": error.code,
                "reason": error.reason,
                "why": error.headers["X-Why"],
                "body": error.read().decode(),
            }
    raise AssertionError("no HTTPError")


def _stream(base: str, context: ssl.SSLContext) -> dict[str, Any]:
    """Read a body in all the ways in which a file is read."""
    with urllib.request.urlopen(f"{base}/chunks", context=context) as response:
        first = response.read(10).decode()
        line = response.readline().decode()
        into = bytearray(10)
        response.readinto(into)
        rest = [text.decode() for text in response]
        return {"first": first, "line": line, "into": into.decode(), "lines": len(rest), "last": rest[-1]}


def _large(base: str, context: ssl.SSLContext) -> int:
    with urllib.request.urlopen(f"{base}/large", context=context) as response:
        return sum(len(piece) for piece in iter(lambda: response.read(65536), b""))


def _opener(options: dict[str, Any], context: ssl.SSLContext) -> urllib.request.OpenerDirector:
    https = urllib.request.HTTPSHandler(context=context)
    proxy = options.get("proxy")
    return urllib.request.build_opener(https, urllib.request.ProxyHandler({"https": proxy} if proxy else {}))


def _broken_off(base: str, context: ssl.SSLContext) -> list[Any]:
    """Read a body that ends before its end."""
    with urllib.request.urlopen(f"{base}/half", context=context) as response:
        try:
            response.read()
        except http.client.IncompleteRead as error:
            return [error.partial.decode(), error.expected]
    raise AssertionError("no IncompleteRead")


def _refused(options: dict[str, Any]) -> str:
    """Trust only the system's authorities: the certificate does not hold."""
    try:
        urllib.request.urlopen(f"{options['url']}/")
    except urllib.error.URLError as error:
        return type(error.reason).__name__
    raise AssertionError("no URLError")


def call(options: dict[str, Any]) -> dict[str, Any]:
    """Make the requests; with a `proxy` among the options, one through that; with `broken`, one in vain."""
    context = ssl.create_default_context(cafile=options["ca_file"])
    base = options["url"]
    if "broken" in options:
        return {"broken off": _broken_off(base, context)}
    if "proxy" in options:
        return _report(_opener(options, context).open(f"{base}/report?by=proxy"))

    def post(data: Any, path: str = "/report", **headers: str) -> dict[str, Any]:
        request = urllib.request.Request(f"{base}{path}", data=data, headers=headers)
        return _report(urllib.request.urlopen(request, context=context))

    def get(target: str) -> dict[str, Any]:
        return _report(urllib.request.urlopen(f"{base}{target}", context=context))

    with urllib.request.urlopen(f"{base}/cookies", context=context) as response:
        cookies = response.headers.get_all("set-cookie")
    put = urllib.request.Request(
        f"{base}/report", b"put", {"X-Mark": "here", "Content-Type": "text/plain"}, method="PUT"
    )
    return {
        "get": get("/report?n=1"),
        "bytes": post(b"a=1&b=2"),
        "file": post(io.BytesIO(b"f" * 100_000)),
        "sized file": post(io.BytesIO(b"f" * 300), **{"Content-Length": "300"}),
        "iterable": post(_pieces()),
        "put": _report(urllib.request.urlopen(put, context=context)),
        "redirect": get("/found"),
        "post redirected": post(b"x=1", "/found"),
        "kept": get("/temporary"),
        "missing": _missing(base, context),
        "cookies": cookies,
        "stream": _stream(base, context),
        "large": _large(base, context),
        "several": [get(f"/report?n={number}")["status"] for number in range(20)],
        "refused": _refused(options),
    }
