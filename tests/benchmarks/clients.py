"""The clients that are measured: the same few calls, as each of them is meant to be used.

Those that multiplex send a whole chunk before they read; the others go one by one on a kept connection.  Each
is imported when it is made, in a process of its own: connecting and importing are not measured.
"""

# ruff: noqa: PLC0415  a client's imports are a part of making it

import contextlib
import http.client
import io
import os
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Sink = Callable[[bytes], Any]

BLOCK = 1 << 16
HOST = "localhost"
JSON = {"content-type": "application/json"}
DEADLINE = 300.0


class Unfit(Exception):
    """A client that cannot do a workload, or that does not do it the way it is to be measured."""


@dataclass(frozen=True)
class Target:
    """Where to connect to, and how much to have under way at once."""

    port: int
    ca: str
    chunk: int

    @property
    def origin(self) -> str:
        return f"https://{HOST}:{self.port}"

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca)

    def chunks(self, items: Sequence[Any]) -> Iterator[Sequence[Any]]:
        for start in range(0, len(items), self.chunk):
            yield items[start : start + self.chunk]


class Zeros(io.RawIOBase):
    """A file of zeros to upload."""

    def __init__(self, size: int) -> None:
        self._left = self.len = size  # requests asks for `len`

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        size = self._left if size < 0 else min(size, self._left)
        self._left -= size
        return bytes(size)

    def blocks(self) -> Iterator[bytes]:
        while block := self.read(BLOCK):
            yield block


class Client:
    """What a client is asked for. `sink` gets each body; what a client cannot do raises Unfit."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def get(self, paths: Sequence[str], sink: Sink) -> None:
        raise Unfit("no GETs")

    def post(self, path: str, bodies: Sequence[bytes]) -> None:
        raise Unfit("no POSTs")

    def download(self, path: str) -> int:
        raise Unfit("no downloads")

    def upload(self, path: str, size: int) -> None:
        raise Unfit("no uploads")


class Hyperlite(Client):
    many = False

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        import hyperlite
        from hyperlite.http2.engine import make_engine

        try:
            make_engine()
        except ValueError as error:
            raise Unfit(str(error)) from None
        self.conn = hyperlite.HTTP20Connection(HOST, target.port, context=target.context(), timeout=DEADLINE)

    def _finish(self, ids: Iterable[int], sink: Sink) -> None:
        for stream_id in ids:
            response = self.conn.getresponse(stream_id)
            sink(response.read())
            assert response.status == 200
            assert response.version == 20

    def get(self, paths: Sequence[str], sink: Sink) -> None:
        for chunk in self.target.chunks(paths):
            if self.many:
                ids = self.conn.request_many(("GET", path) for path in chunk)
            else:
                ids = [self.conn.request("GET", path) for path in chunk]
            self._finish(ids, sink)

    def post(self, path: str, bodies: Sequence[bytes]) -> None:
        for chunk in self.target.chunks(bodies):
            if self.many:
                ids = self.conn.request_many(("POST", path, body, JSON) for body in chunk)
            else:
                ids = [self.conn.request("POST", path, body, JSON) for body in chunk]
            self._finish(ids, _check)

    def download(self, path: str) -> int:
        self.conn.request("GET", path)
        return _read_all(self.conn.getresponse())

    def upload(self, path: str, size: int) -> None:
        self.conn.request("PUT", path, Zeros(size), {"content-length": str(size)})
        response = self.conn.getresponse()
        response.read()
        assert response.status in (201, 204)


class HyperliteMany(Hyperlite):
    many = True


class HttpClient(Client):
    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.conn = http.client.HTTPSConnection(HOST, target.port, context=target.context(), timeout=DEADLINE)

    def _finish(self, sink: Sink) -> None:
        response = self.conn.getresponse()
        sink(response.read())
        assert response.status == 200

    def get(self, paths: Sequence[str], sink: Sink) -> None:
        for path in paths:
            self.conn.request("GET", path)
            self._finish(sink)

    def post(self, path: str, bodies: Sequence[bytes]) -> None:
        for body in bodies:
            self.conn.request("POST", path, body, JSON)
            self._finish(_check)

    download, upload = Hyperlite.download, Hyperlite.upload


class Requests(Client):
    def __init__(self, target: Target) -> None:
        super().__init__(target)
        import requests

        self.session = requests.Session()
        self.session.verify, self.session.trust_env = target.ca, False

    def get(self, paths: Sequence[str], sink: Sink) -> None:
        for path in paths:
            response = self.session.get(self.target.origin + path)
            sink(response.content)
            assert response.status_code == 200

    def post(self, path: str, bodies: Sequence[bytes]) -> None:
        for body in bodies:
            response = self.session.post(self.target.origin + path, data=body, headers=JSON)
            assert response.status_code == 200
            _check(response.content)

    def download(self, path: str) -> int:
        with self.session.get(self.target.origin + path, stream=True) as response:
            return sum(map(len, response.iter_content(BLOCK)))

    def upload(self, path: str, size: int) -> None:
        assert self.session.put(self.target.origin + path, data=Zeros(size)).status_code in (201, 204)


class Httpx(Client):
    def __init__(self, target: Target) -> None:
        super().__init__(target)
        import httpx

        self.client = httpx.Client(
            http2=True, verify=target.context(), trust_env=False, base_url=target.origin, timeout=DEADLINE
        )

    def get(self, paths: Sequence[str], sink: Sink) -> None:
        for path in paths:
            response = self.client.get(path)
            sink(response.content)
            assert (response.status_code, response.http_version) == (200, "HTTP/2")

    def post(self, path: str, bodies: Sequence[bytes]) -> None:
        for body in bodies:
            response = self.client.post(path, content=body, headers=JSON)
            assert response.status_code == 200
            _check(response.content)

    def download(self, path: str) -> int:
        with self.client.stream("GET", path) as response:
            return sum(map(len, response.iter_bytes()))

    def upload(self, path: str, size: int) -> None:
        length = {"content-length": str(size)}
        response = self.client.put(path, content=Zeros(size).blocks(), headers=length)
        assert response.status_code in (201, 204)
        assert response.http_version == "HTTP/2"


class Aiohttp(Client):
    def __init__(self, target: Target) -> None:
        super().__init__(target)
        import asyncio

        import aiohttp

        self.loop, self.gather = asyncio.new_event_loop(), asyncio.gather

        async def make() -> aiohttp.ClientSession:
            connector = aiohttp.TCPConnector(limit=target.chunk, ssl=target.context())
            return aiohttp.ClientSession(target.origin, connector=connector)

        self.session = self.loop.run_until_complete(make())

    def _all(self, one: Callable[[Any], Any], items: Sequence[Any], sink: Sink) -> None:
        async def run() -> None:
            for chunk in self.target.chunks(items):
                for body in await self.gather(*[one(item) for item in chunk]):
                    sink(body)

        self.loop.run_until_complete(run())

    def get(self, paths: Sequence[str], sink: Sink) -> None:
        async def one(path: str) -> bytes:
            async with self.session.get(path) as response:
                assert response.status == 200
                return await response.read()

        self._all(one, paths, sink)

    def post(self, path: str, bodies: Sequence[bytes]) -> None:
        async def one(body: bytes) -> bytes:
            async with self.session.post(path, data=body, headers=JSON) as response:
                assert response.status == 200
                return await response.read()

        self._all(one, bodies, _check)

    def download(self, path: str) -> int:
        async def run() -> int:
            total = 0
            async with self.session.get(path) as response:
                async for block in response.content.iter_any():
                    total += len(block)
            return total

        return self.loop.run_until_complete(run())


class Urllib3Future(Client):
    def __init__(self, target: Target) -> None:
        super().__init__(target)
        import urllib3_future

        self.pool = urllib3_future.PoolManager(ca_certs=target.ca)

    def _all(self, requests: Iterable[Callable[[], Any]], sink: Sink) -> None:
        for promise in [send() for send in requests]:
            response = self.pool.get_response(promise=promise)
            sink(response.data)
            assert response.status == 200

    def get(self, paths: Sequence[str], sink: Sink) -> None:
        for chunk in self.target.chunks(paths):
            urls = [self.target.origin + path for path in chunk]
            self._all([lambda url=url: self.pool.request("GET", url, multiplexed=True) for url in urls], sink)

    def post(self, path: str, bodies: Sequence[bytes]) -> None:
        def send(body: bytes) -> Any:
            return self.pool.request(
                "POST", self.target.origin + path, body=body, headers=JSON, multiplexed=True
            )

        for chunk in self.target.chunks(bodies):
            self._all([lambda body=body: send(body) for body in chunk], _check)


class Niquests(Client):
    def __init__(self, target: Target) -> None:
        super().__init__(target)
        import niquests

        self.session = niquests.Session(multiplexed=True, disable_http3=True)
        self.session.verify, self.session.trust_env = target.ca, False

    def _finish(self, responses: Sequence[Any], sink: Sink) -> None:
        self.session.gather()
        for response in responses:
            sink(response.content)
            assert response.status_code == 200

    def get(self, paths: Sequence[str], sink: Sink) -> None:
        for chunk in self.target.chunks(paths):
            self._finish([self.session.get(self.target.origin + path) for path in chunk], sink)

    def post(self, path: str, bodies: Sequence[bytes]) -> None:
        url = self.target.origin + path
        for chunk in self.target.chunks(bodies):
            self._finish([self.session.post(url, data=body, headers=JSON) for body in chunk], _check)


class Pycurl(Client):
    """libcurl: one multi handle, one connection, as many easy handles as there are requests under way."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        import pycurl

        self.curl = pycurl
        self.multi = pycurl.CurlMulti()
        self.multi.setopt(pycurl.M_PIPELINING, 2)  # CURLPIPE_MULTIPLEX
        self.multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, 1)
        self.handles = [self._handle() for _ in range(target.chunk)]
        self.checked = False

    def _handle(self) -> Any:
        handle = self.curl.Curl()
        handle.setopt(self.curl.CAINFO, self.target.ca)
        handle.setopt(self.curl.HTTP_VERSION, self.curl.CURL_HTTP_VERSION_2TLS)
        handle.setopt(self.curl.PIPEWAIT, 1)
        return handle

    def _perform(self, handles: Sequence[Any]) -> None:
        if len(handles) == 1:
            handles[0].perform()
        else:
            for handle in handles:
                self.multi.add_handle(handle)
            while self.multi.perform()[1]:
                self.multi.select(0.02)
            self.multi.info_read()
            for handle in handles:
                self.multi.remove_handle(handle)
        if not self.checked:
            self._check(handles)

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
        buffers = [io.BytesIO() for _ in urls]
        for handle, url, buffer in zip(handles, urls, buffers, strict=True):
            handle.setopt(self.curl.URL, url)
            handle.setopt(self.curl.WRITEDATA, buffer)
        for handle, body in zip(handles, bodies, strict=False):
            handle.setopt(self.curl.POSTFIELDS, body)
        self._perform(handles)
        for handle, buffer in zip(handles, buffers, strict=True):
            sink(buffer.getvalue())
            assert handle.getinfo(self.curl.RESPONSE_CODE) == 200

    def get(self, paths: Sequence[str], sink: Sink) -> None:
        for chunk in self.target.chunks(paths):
            self._chunk([self.target.origin + path for path in chunk], sink)

    def post(self, path: str, bodies: Sequence[bytes]) -> None:
        for handle in self.handles:
            handle.setopt(self.curl.HTTPHEADER, ["content-type: application/json"])
        for chunk in self.target.chunks(bodies):
            self._chunk([self.target.origin + path] * len(chunk), _check, chunk)

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


class Floor(Client):
    """No client: the bytes that hyperlite exchanged before, by bare ssl calls, with no parsing."""

    many = False

    def get(self, paths: Sequence[str], sink: Sink) -> None:
        raise Unfit("only by `prepare`")

    def prepare(self, warm_up: Sequence[str], paths: Sequence[str]) -> Callable[[], None]:
        """Exchange the warm-up; return what exchanges the rest."""
        from .tape import call, floor, play, record

        tape = record(
            self.target.port, self.target.context(), [*warm_up, *paths], self.target.chunk, many=self.many
        )
        first = -(-len(warm_up) // self.target.chunk)
        self.stack = contextlib.ExitStack()  # which ends with this process
        sock = call(self.stack.enter_context(play(tape)))
        floor(sock, tape[:first])
        return lambda: floor(sock, tape[first:])

    def upload(self, path: str, size: int) -> None:
        from .tape import call, swallow

        with swallow(size) as port, call(port) as sock:
            for block in Zeros(size).blocks():
                sock.sendall(block)
            assert sock.recv(1)


class FloorMany(Floor):
    many = True


def _check(body: bytes) -> None:
    assert body


def _read_all(response: http.client.HTTPResponse) -> int:
    buffer, total = bytearray(4 * BLOCK), 0
    while count := response.readinto(buffer):
        total += count
    return total


# By name: the class, the engine if it is one of ours, and whether it has an environment of its own.
CLIENTS: dict[str, tuple[type[Client], str | None]] = {
    "native": (Hyperlite, "native"),
    "native-many": (HyperliteMany, "native"),
    "h2": (Hyperlite, "h2"),
    "h2-many": (HyperliteMany, "h2"),
    "pycurl": (Pycurl, None),
    "http.client": (HttpClient, None),
    "aiohttp": (Aiohttp, None),
    "urllib3.future": (Urllib3Future, None),
    "niquests": (Niquests, None),
    "requests": (Requests, None),
    "httpx": (Httpx, None),
    "floor": (Floor, None),
    "floor-many": (FloorMany, None),
}
# urllib3-future takes urllib3's place, so these two have an environment of their own.
ELSEWHERE = {"urllib3.future", "niquests"}
# Those that speak HTTP/1.1 alone, and those that have one request under way at a time.
HTTP1_ONLY = {"http.client", "requests", "aiohttp"}
ONE_BY_ONE = {"http.client", "requests", "httpx"}


def make(name: str, target: Target) -> Client:
    """Return a client; its engine is chosen for this process.

    Raises ImportError or Unfit when it cannot be had.
    """
    kind, engine = CLIENTS[name]
    if engine:
        os.environ["HYPERLITE_ENGINE"] = engine
    return kind(target)
