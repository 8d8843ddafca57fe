"""Writes what a pool does to a file in the format HAR 1.2: python har.py URL FILE [CA]."""

import datetime as dt
import http.cookies
import json
import sys
import time
import urllib.parse
from collections.abc import Iterable
from typing import Any

import hyperlite
from hyperlite.observing import RequestInfo, Timings

Entry = dict[str, Any]
# What the format wants where something is not known.
UNKNOWN = -1


class HarWriter(hyperlite.Observer):
    """Keeps an entry for each request, try and redirect.

    Entries hold header fields as they are, cookies and credentials included, but no bodies.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def done(self, request: RequestInfo) -> None:
        """Keep an entry of a request that was answered."""
        self.entries.append(entry(request))

    def retried(self, request: RequestInfo, reason: Exception | int, pause: float) -> None:
        """Keep an entry of a request without an answer; one with an answer is done already."""
        if isinstance(reason, Exception):
            self.failed(request, reason)

    def failed(self, request: RequestInfo, error: Exception) -> None:
        """Keep an entry of a request that has failed; browsers write the error into `_error`."""
        self.entries.append({**entry(request), "_error": str(error)})

    def write(self, path: str) -> None:
        """Write all entries to a file, in the order in which the requests began."""
        log = {
            "version": "1.2",
            "creator": {"name": "hyperlite", "version": hyperlite.__version__},
            "entries": sorted(self.entries, key=lambda one: str(one["startedDateTime"])),
        }
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"log": log}, file, indent=1)


def entry(request: RequestInfo) -> Entry:
    """Return the entry of a request."""
    connection = request.connection
    version = "HTTP/2" if connection is not None and connection.protocol == "h2" else "HTTP/1.1"
    spent = milliseconds(request.timings)
    made: Entry = {
        "startedDateTime": moment(request.began),
        "time": sum(value for step, value in spent.items() if value != UNKNOWN and step != "ssl"),
        "request": asked(request, version),
        "response": answered(request, version if request.status else ""),
        "cache": {},
        "timings": spent,
    }
    if connection is not None:
        made["connection"] = str(connection.number)
        if connection.proxy is None and isinstance(connection.address, tuple):
            made["serverIPAddress"] = connection.address[0]
    return made


def moment(monotonic: float) -> str:
    """Return the date and time of a monotonic time."""
    seconds = time.time() - (time.monotonic() - monotonic)
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="microseconds")


def milliseconds(times: Timings) -> dict[str, float]:
    """Return the times of a request as the format wants them: `connect` includes `ssl`."""
    opening = sum(one or 0.0 for one in (times.dns, times.connect, times.tls))
    sent = times.sent or 0.0
    first = sent if times.first_byte is None else times.first_byte
    last = first if times.last_byte is None else times.last_byte
    steps = {
        "blocked": None if times.sent is None else max(0.0, sent - opening),
        "dns": times.dns,
        "connect": None if times.connect is None else times.connect + (times.tls or 0.0),
        "ssl": times.tls,
        "send": 0.0,  # a header is written in one step
        "wait": max(0.0, first - sent),
        "receive": max(0.0, last - first),
    }
    return {step: UNKNOWN if took is None else round(1000 * took, 3) for step, took in steps.items()}


def asked(request: RequestInfo, version: str) -> Entry:
    """Return what was asked."""
    query = urllib.parse.urlsplit(request.url).query
    sent = {name.lower(): value for name, value in request.headers}
    length = sent.get("content-length", "" if "transfer-encoding" in sent else "0")
    return {
        "method": request.method,
        "url": request.url,
        "httpVersion": version,
        "cookies": cookies([sent["cookie"]] if "cookie" in sent else []),
        "headers": pairs(request.headers),
        "queryString": pairs(urllib.parse.parse_qsl(query, keep_blank_values=True)),
        "headersSize": UNKNOWN,
        "bodySize": int(length) if length.isdigit() else UNKNOWN,
    }


def answered(request: RequestInfo, version: str) -> Entry:
    """Return what was answered; a status of 0 says that nothing was."""
    response = request.response
    fields = [] if response is None else list(response.headers.items())
    found = {name.lower(): value for name, value in fields}
    return {
        "status": request.status,
        "statusText": "" if response is None else response.reason,
        "httpVersion": version,
        "cookies": cookies(value for name, value in fields if name.lower() == "set-cookie"),
        "headers": pairs(fields),
        "content": {"size": request.received, "mimeType": found.get("content-type", "")},
        "redirectURL": found.get("location", ""),
        "headersSize": UNKNOWN,
        "bodySize": UNKNOWN,  # `received` counts bytes that may have been decoded
    }


def pairs(fields: Iterable[tuple[str, str]]) -> list[Entry]:
    """Return names and values as the format wants them."""
    return [{"name": name, "value": value} for name, value in fields]


def cookies(values: Iterable[str]) -> list[Entry]:
    """Return the cookies in the values of Cookie or Set-Cookie fields."""
    found: list[tuple[str, str]] = []
    for value in values:
        try:
            found += [(name, morsel.value) for name, morsel in http.cookies.SimpleCookie(value).items()]
        except http.cookies.CookieError:
            continue  # the field is among the headers all the same
    return pairs(found)


def main() -> None:
    """Fetch a URL, and write what was done; a third argument is the file of an authority to trust."""
    har = HarWriter()
    with hyperlite.ConnectionPool(verify=sys.argv[3] if len(sys.argv) > 3 else True, observers=[har]) as pool:
        try:
            pool.fetch(sys.argv[1])
        except hyperlite.FetchError as error:
            print(error)
    har.write(sys.argv[2])
    print(f"{len(har.entries)} entries in {sys.argv[2]}")


if __name__ == "__main__":
    main()
