"""How programs read the head of a response: its fields, and its status."""

import copy
import email
import http
import http.client
import http.cookiejar
import http.cookies
import json
import pickle
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

from .calls import read
from .observe import Case, attempt

Style = Callable[[Any], Any]


def _jar(response: Any) -> list[Any]:
    jar = http.cookiejar.CookieJar()
    jar.extract_cookies(response, urllib.request.Request("https://localhost.local/"))
    return sorted((one.name, one.value, one.path, one.secure) for one in jar)


def _simple_cookies(response: Any) -> list[Any]:
    cookies: http.cookies.SimpleCookie = http.cookies.SimpleCookie()
    for value in response.headers.get_all("Set-Cookie"):
        cookies.load(value)
    return sorted((name, morsel.value, morsel["path"]) for name, morsel in cookies.items())


def _changed(headers: Any) -> list[Any]:
    headers["X-New"] = "1"
    headers.add_header("Content-Disposition", "inline", filename="b.txt")
    headers.replace_header("ETag", '"2"')
    del headers["Set-Cookie"]
    headers.set_param("charset", "ascii")
    return headers.items()


def _grouped(response: Any) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in response.getheaders():
        grouped.setdefault(name, []).append(value)
    return grouped


def _without(pairs: Any) -> list[Any]:
    """Leave out what belongs to one HTTP/1.1 connection."""
    return [pair for pair in pairs if pair[0].lower() not in ("connection", "transfer-encoding")]


HEADS: dict[str, Style] = {
    "dict(getheaders())": lambda r: dict(r.getheaders()),
    "dict(getheaders())[name]": lambda r: [dict(r.getheaders())[n] for n in ("Content-Type", "ETag", "DAV")],
    "dict(getheaders()).get(lower)": lambda r: dict(r.getheaders()).get("content-type"),
    "dict(headers)": lambda r: dict(r.headers),
    "dict(headers.items())": lambda r: dict(r.headers.items()),
    "lower-case dict": lambda r: {name.lower(): value for name, value in r.getheaders()},
    "grouped": _grouped,
    "CaseInsensitive by title()": lambda r: [name.title() for name, _ in r.getheaders()],
    "x-amz-meta by prefix": lambda r: [n for n in r.headers if n.startswith(("x-amz-", "x-goog-", "x-ms-"))],
    "X- by prefix": lambda r: [name for name in r.headers.keys() if name.startswith("X-")],  # noqa: SIM118  (as programs do)
    "getheader": lambda r: [r.getheader("Content-Type"), r.getheader("content-type"), r.getheader("ETAG")],
    "getheader, repeated": lambda r: [r.getheader("Vary"), r.getheader("set-cookie")],
    "getheader, absent": lambda r: [
        r.getheader("X-None"),
        r.getheader("X-None", ""),
        r.getheader("X-None", 5),
    ],
    "getheader, a list by default": lambda r: r.getheader("X-None", ["a", "b"]),
    "getheader, empty": lambda r: [r.getheader("X-Empty"), r.getheader("X-Empty", "default")],
    "getheader of bytes": lambda r: attempt(lambda: r.getheader(b"ETag")),
    "getheader of None": lambda r: attempt(lambda: r.getheader(None)),
    "int(getheader)": lambda r: int(r.getheader("Content-Length", 0)),
    "headers[name]": lambda r: [r.headers["etag"], r.headers["ETag"], r.headers["X-None"]],
    "headers.get": lambda r: [r.headers.get("ETag"), r.headers.get("X-None"), r.headers.get("X-None", "d")],
    "headers.get_all": lambda r: [
        r.headers.get_all("vary"),
        r.headers.get_all("X-None"),
        r.headers.get_all("x", []),
    ],
    "name in headers": lambda r: ["etag" in r.headers, "ETAG" in r.headers, "X-None" in r.headers],
    "keys": lambda r: r.headers.keys(),
    "values": lambda r: r.headers.values(),
    "items": lambda r: r.headers.items(),
    "list(headers)": lambda r: list(r.headers),
    "len(headers)": lambda r: [len(r.headers), bool(r.headers)],
    "sorted(headers)": lambda r: sorted(set(r.headers)),
    "str(headers)": lambda r: str(r.headers),
    "str(msg)": lambda r: str(r.msg).splitlines()[:3],
    "bytes(headers)": lambda r: attempt(lambda: bytes(r.headers)),
    "as_string": lambda r: r.headers.as_string(maxheaderlen=40),
    "raw_items": lambda r: list(r.headers.raw_items()),
    "_headers": lambda r: r.headers._headers,
    "get_content_type": lambda r: [
        r.headers.get_content_type(),
        r.msg.get_content_maintype(),
        r.msg.get_content_subtype(),
    ],
    "get_content_charset": lambda r: [
        r.headers.get_content_charset(),
        r.headers.get_content_charset("ascii"),
    ],
    "get_charsets": lambda r: [r.headers.get_charsets(), r.headers.get_charset()],
    "get_param": lambda r: [
        r.msg.get_param("charset"),
        r.msg.get_param("boundary"),
        r.msg.get_param("x", "none"),
    ],
    "get_params": lambda r: [r.msg.get_params(), r.msg.get_params(header="content-disposition")],
    "get_filename": lambda r: [r.headers.get_filename(), r.info().get_content_disposition()],
    "get_boundary": lambda r: [
        r.headers.get_boundary(),
        r.headers.is_multipart(),
        r.headers.get_default_type(),
    ],
    "get_payload": lambda r: [
        r.headers.get_payload(),
        r.headers.preamble,
        r.headers.epilogue,
        r.headers.defects,
    ],
    "policy": lambda r: [type(r.headers.policy).__name__, r.headers.get_unixfrom()],
    "walk": lambda r: [part.get_content_type() for part in r.headers.walk()],
    "info()": lambda r: [r.info()["ETag"], r.info() is r.msg],
    "msg": lambda r: [r.msg["etag"], r.msg.get("content-type").split(";")[0]],
    "msg assigned": lambda r: [setattr(r, "msg", "OK"), r.msg, r.headers["ETag"]],
    "headers assigned": lambda r: [
        setattr(r, "headers", {"ETag": "9"}),
        attempt(lambda: r.getheader("ETag")),
        r.info(),
    ],
    "changed": lambda r: _changed(r.headers),
    "changed, then getheaders": lambda r: [_changed(r.msg), r.getheaders(), r.getheader("ETag")],
    "copied": lambda r: [copy.copy(r.headers).items(), copy.deepcopy(r.headers).keys()],
    "pickled": lambda r: pickle.loads(pickle.dumps(r.headers)).items(),
    "json.dumps": lambda r: json.dumps(dict(r.getheaders()), sort_keys=True),
    "joined": lambda r: "\r\n".join(f"{name}: {value}" for name, value in r.getheaders()),
    "% formatted": lambda r: "HTTP %d %s\n%s" % (r.status, r.reason, r.msg),  # noqa: UP031  (as programs do)
    "another message": lambda r: email.message_from_string(
        str(r.headers), _class=http.client.HTTPMessage
    ).items(),
    "SimpleCookie": _simple_cookies,
    "CookieJar": _jar,
    "get_all of cookies": lambda r: [value.split("=")[0] for value in r.msg.get_all("Set-Cookie", [])],
    "Last-Modified": lambda r: email.utils.parsedate(r.getheader("last-modified")),
    "Link": lambda r: [one.strip("<>") for one in r.headers["link"].split("; ")],
    "Latin-1": lambda r: [r.getheader("X-Latin"), r.headers["x-latin"].encode("latin-1")],
    "status": lambda r: [r.status, r.code, r.getcode(), r.reason, r.status == r.code],
    "status of the enum": lambda r: [
        http.HTTPStatus(r.status).name,
        r.status in (http.HTTPStatus.OK,),
        r.status // 100,
    ],
    "responses[status]": lambda r: [http.client.responses[r.status], r.status == http.client.OK],
    "begun": lambda r: [r.begin(), r.status, r._method, r.debuglevel, r.chunked, r.length],
    "geturl, url": lambda r: [attempt(r.geturl), attempt(lambda: r.url), hasattr(r, "url")],
    "url assigned": lambda r: [setattr(r, "url", "https://x/"), r.geturl()],
    "attributes of a program's own": lambda r: [setattr(r, "mine", 1), r.mine],
    "class and module": lambda r: [type(r).__name__, type(r).__module__, type(r.headers).__module__],
}

CODES = (
    203,
    205,
    207,
    208,
    226,
    300,
    302,
    303,
    305,
    307,
    308,
    402,
    403,
    406,
    407,
    408,
    409,
    410,
    411,
    412,
    413,
    414,
    415,
    416,
    417,
    421,
    422,
    423,
    424,
    425,
    426,
    428,
    431,
    451,
    499,
    501,
    502,
    504,
    505,
    506,
    507,
    508,
    510,
    511,
    520,
    598,
    700,
    999,
)


def cases() -> Iterator[Case]:
    for style, how in HEADS.items():
        yield Case(f"head by {style}", read("/fields", how))
    for style in ("getheader", "dict(getheaders())", "str(headers)", "get_content_type", "status"):
        yield Case(f"HEAD, head by {style}", read("/fields", HEADS[style], "HEAD"))
    for style in (
        "get_content_type",
        "get_content_charset",
        "get_param",
        "get_filename",
        "getheader, absent",
    ):
        yield Case(f"few fields, head by {style}", read("/lines", HEADS[style]))
    for code in CODES:
        yield Case(f"status {code}", read(f"/status?n={code}", lambda r: r.read()))
    for code in (301, 401, 404, 500):
        yield Case(f"POST, status {code}", read(f"/status?n={code}", lambda r: r.read(), "POST"))
        yield Case(f"HEAD, status {code}", read(f"/status?n={code}", lambda r: r.read(), "HEAD"))
