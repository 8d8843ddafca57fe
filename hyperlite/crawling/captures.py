"""Heads of requests and responses in the style of HTTP/1.1, as archives have them.

HTTP/2 has no text of its own.  Archives agree to write its messages as HTTP/1.1, and to name the protocol in
`WARC-Protocol`: https://iipc.github.io/warc-specifications/.  The status line has the standard phrase for
its status, as the example there has it, because readers drop the space behind a status without one.
"""

import contextlib
import ipaddress
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple
from weakref import WeakKeyDictionary

from ..fetching.response import FetchResponse
from ..observing import Observer, RequestInfo

# Fields of the connection, that a block which has no chunks does not agree with: its name is changed.
_TRANSFER_ENCODING = "transfer-encoding"
_RENAMED = "X-Crawl-Transfer-Encoding"
_VERSIONS = {"HTTP/2": "h2", "HTTP/1.1": "http/1.1", "HTTP/1.0": "http/1.0"}


class Capture(NamedTuple):
    """A request and its response, as records have them.

    Attributes:
        url: what was asked for.
        date: when that began, in the form of `WARC-Date`.
        network: what records say of the connection: (name, value) pairs.
        request: the head of the request; empty: it is unknown.
        response: the head of the response.
    """

    url: str
    date: str
    network: list[tuple[str, str]]
    request: bytes
    response: bytes


class Requests(Observer):
    """Remembers of each response which request it answers."""

    def __init__(self) -> None:
        self._infos: WeakKeyDictionary[FetchResponse, RequestInfo] = WeakKeyDictionary()

    def head(self, request: RequestInfo) -> None:
        """See `Observer`."""
        if (response := request.response) is not None:
            self._infos[response] = request

    def capture(self, response: FetchResponse) -> Capture:
        """Return the request and the response."""
        info = self._infos.get(response)
        url = response.url.partition("#")[0]
        if info is None:
            return Capture(url, warc_date(time.time()), [], b"", _response_head(response))
        began = time.time() - (time.monotonic() - info.began)
        network = list(_network(info, response))
        return Capture(url, warc_date(began), network, _request_head(info), _response_head(response))


def warc_date(seconds: float) -> str:
    """Return a time since 1970 in the form of `WARC-Date`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _network(info: RequestInfo, response: FetchResponse) -> Iterator[tuple[str, str]]:
    """Yield what is known of the connection; the server's address is not, behind a proxy."""
    protocol, connection = _VERSIONS[response.http_version], info.connection
    if connection is None:
        yield "WARC-Protocol", protocol
        return
    forwarded = "://" in _target(info).partition("?")[0]  # the proxy is asked for a whole URL
    if connection.proxy is None and not forwarded and connection.address is not None:
        address = str(connection.address[0]).partition("%")[0]
        with contextlib.suppress(ValueError):  # a socket of another family
            yield "WARC-IP-Address", str(ipaddress.ip_address(address))
    yield "WARC-Protocol", "h2c" if protocol == "h2" and connection.tls is None else protocol
    if connection.tls is not None:
        yield "WARC-Protocol", connection.tls.lower().replace("tlsv", "tls/")
        if connection.cipher is not None and connection.cipher.startswith("TLS_"):  # IANA's name, and not
            yield "WARC-Cipher-Suite", connection.cipher  # that which OpenSSL has for older suites


def _request_head(info: RequestInfo) -> bytes:
    """Return the head of a request, without credentials for a proxy."""
    fields = info.fields
    lines = [f"{info.method} {_target(info)} HTTP/1.1"]
    cookies = "; ".join([value for name, value in fields if name == "cookie"])  # RFC 9113 section 8.2.3
    for name, value in fields:
        if name == ":authority":
            lines.append(f"host: {value}")
        elif name == "cookie":
            if cookies:
                lines.append(f"cookie: {cookies}")
            cookies = ""
        elif name[:1] != ":" and name.lower() != "proxy-authorization":
            lines.append(f"{name}: {value}")
    return _head(lines)


def _target(info: RequestInfo) -> str:
    return next((value for name, value in info.fields if name == ":path"), "*")


def _response_head(response: FetchResponse) -> bytes:
    lines = [f"HTTP/1.1 {response.status} {response.reason}"]
    if response.http_version == "HTTP/1.0":
        lines[0] = lines[0].replace("1.1", "1.0", 1)
    for name, value in response.headers.raw_items():
        shown = _RENAMED if name.lower() == _TRANSFER_ENCODING else name
        lines.append(f"{shown}: {value}")
    return _head(lines)


def _head(lines: Iterable[str]) -> bytes:
    """Return lines as a head; no value can begin a line of its own."""
    safe = [line.replace("\r", " ").replace("\n", " ") for line in lines]
    return "\r\n".join([*safe, "", ""]).encode("latin-1", "replace")
