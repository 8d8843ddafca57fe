"""libcurl: pycurl in the two ways in which programs use it, and curl_cffi."""

# ruff: noqa: PLC0415  a client's imports are a part of making it

import io
from collections.abc import Sequence
from typing import Any

from .base import DEADLINE, JSON, LOOKED_AT, Client, Sink, Target, Unfit, Zeros, check
from .rust import Gathered

# Seconds, at the most, between two looks at what libcurl has to do.
GLANCE = 0.02


class Pycurl(Client):
    """One multi handle, one connection, and an easy handle for each request under way, used again and again.

    It is tuned: bodies are collected by `list.append`, without a call of a Python function, and the loop asks
    `timeout()` whether libcurl has something to do, since records that are decrypted make no socket readable.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        import pycurl

        self.curl = pycurl
        self.multi = pycurl.CurlMulti()
        self.multi.setopt(pycurl.M_PIPELINING, 2)  # CURLPIPE_MULTIPLEX
        self.multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, 1)
        self.handles = [self._handle() for _ in range(target.chunk)]
        self.bodies: list[list[bytes]] = [[] for _ in self.handles]
        self.lines: list[list[bytes]] = [[] for _ in self.handles]
        self.checked = False
        self._collect()

    def _handle(self) -> Any:
        handle = self.curl.Curl()
        handle.setopt(self.curl.CAINFO, self.target.ca)
        handle.setopt(self.curl.HTTP_VERSION, self.curl.CURL_HTTP_VERSION_2TLS)
        handle.setopt(self.curl.PIPEWAIT, 1)
        return handle

    def _collect(self) -> None:
        for handle, body, lines in zip(self.handles, self.bodies, self.lines, strict=True):
            handle.setopt(self.curl.WRITEFUNCTION, body.append)
            if self.target.headers == "all":
                handle.setopt(self.curl.HEADERFUNCTION, lines.append)

    def _perform(self, handles: Sequence[Any]) -> None:
        if len(handles) == 1:
            handles[0].perform()
        else:
            for handle in handles:
                self.multi.add_handle(handle)
            self._loop()
            self.multi.info_read()
            for handle in handles:
                self.multi.remove_handle(handle)
        if not self.checked:
            self._check(handles)

    def _loop(self) -> None:
        while self.multi.perform()[1]:
            if wait := self.multi.timeout():  # milliseconds, or -1
                self.multi.select(min(wait / 1000, GLANCE) if wait > 0 else GLANCE)

    def _check(self, handles: Sequence[Any]) -> None:
        """Make sure that this is what it is to be compared with: HTTP/2, on one connection."""
        versions = {handle.getinfo(self.curl.INFO_HTTP_VERSION) for handle in handles}
        if versions != {self.curl.CURL_HTTP_VERSION_2_0}:
            raise Unfit(f"no HTTP/2: {versions}")
        connections = sum(handle.getinfo(self.curl.NUM_CONNECTS) for handle in handles)
        if connections != 1:
            raise Unfit(f"{connections} connections")
        self.checked = True

    def _chunk(self, urls: Sequence[str], sink: Sink, bodies: Sequence[bytes] = ()) -> None:
        handles = self.handles[: len(urls)]
        for handle, url in zip(handles, urls, strict=True):
            handle.setopt(self.curl.URL, url)
        for handle, body in zip(handles, bodies, strict=False):
            handle.setopt(self.curl.POSTFIELDS, body)
        self._perform(handles)
        wanted = self.target.headers
        for handle, parts, lines in zip(handles, self.bodies, self.lines, strict=False):
            sink(b"".join(parts))
            parts.clear()
            assert handle.getinfo(self.curl.RESPONSE_CODE) == 200
            if wanted == "one":
                assert handle.getinfo(self.curl.CONTENT_TYPE)
            elif wanted == "all":
                assert [line.partition(b": ") for line in lines]
                lines.clear()

    def get(self, paths: Sequence[str], sink: Sink) -> None:
        for chunk in self.target.chunks(paths):
            self._chunk([self.target.origin + path for path in chunk], sink)

    def post(self, path: str, bodies: Sequence[bytes]) -> None:
        for handle in self.handles:
            handle.setopt(self.curl.HTTPHEADER, [": ".join(field) for field in JSON.items()])
        for chunk in self.target.chunks(bodies):
            self._chunk([self.target.origin + path] * len(chunk), check, chunk)

    def download(self, path: str) -> int:
        total = 0

        def write(data: bytes) -> None:
            nonlocal total
            total += len(data)

        handle = self.handles[0]
        handle.setopt(self.curl.URL, self.target.origin + path)
        handle.setopt(self.curl.WRITEFUNCTION, write)
        self._perform([handle])
        return total

    def upload(self, path: str, size: int) -> None:
        handle = self.handles[0]
        handle.setopt(self.curl.URL, self.target.origin + path)
        handle.setopt(self.curl.UPLOAD, 1)
        handle.setopt(self.curl.INFILESIZE_LARGE, size)
        handle.setopt(self.curl.READFUNCTION, Zeros(size).read)
        self._perform([handle])
        assert handle.getinfo(self.curl.RESPONSE_CODE) in (201, 204)


class PycurlUntuned(Pycurl):
    """The same as pycurl's own examples do it: a BytesIO for each body, and a select after each perform()."""

    def _collect(self) -> None:
        if self.target.headers != "none":
            raise Unfit("its headers are not looked at here")

    def _loop(self) -> None:
        while self.multi.perform()[1]:
            self.multi.select(1.0)

    def _chunk(self, urls: Sequence[str], sink: Sink, bodies: Sequence[bytes] = ()) -> None:
        buffers = [io.BytesIO() for _ in urls]
        for handle, buffer in zip(self.handles, buffers, strict=False):
            handle.setopt(self.curl.WRITEDATA, buffer)
        super()._chunk(urls, lambda _: None, bodies)
        for buffer in buffers:
            sink(buffer.getvalue())


class CurlCffi(Gathered):
    """One at a time by its Session, many by its AsyncSession; it impersonates no browser."""

    def open(self, target: Target) -> None:
        from curl_cffi import requests

        kind = requests.AsyncSession if self.many else requests.Session
        options = {"max_clients": target.chunk} if self.many else {}
        self.client = kind(verify=target.ca, http_version="v2", trust_env=False, timeout=DEADLINE, **options)

    def read(self, response: Any) -> bytes:
        assert (response.status_code, response.http_version) == (200, 3)  # CURL_HTTP_VERSION_2_0
        return response.content

    def send_get(self, url: str) -> Any:
        return self.client.get(url)

    def send_post(self, url: str, body: bytes) -> Any:
        return self.client.post(url, data=body, headers=JSON)

    def header(self, response: Any, wanted: str) -> Any:
        return response.headers[LOOKED_AT] if wanted == "one" else response.headers.multi_items()

    def download(self, path: str) -> int:
        response = self.client.get(self.target.origin + path, stream=True)
        return sum(map(len, response.iter_content()))
