"""http.client, and the clients that are written in Python."""

# ruff: noqa: PLC0415  a client's imports are a part of making it

import http.client
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .base import BLOCK, DEADLINE, HOST, JSON, LOOKED_AT, Client, Sink, Target, Zeros, check
from .ours import LOOKS, Hyperlite


class HttpClient(Client):
    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.look = LOOKS[target.headers]
        self.conn = http.client.HTTPSConnection(HOST, target.port, context=target.context(), timeout=DEADLINE)

    def _finish(self, sink: Sink) -> None:
        response = self.conn.getresponse()
        sink(response.read())
        assert response.status == 200
        if self.look is not None:
            assert self.look(response)

    def get(self, paths: Sequence[str], sink: Sink) -> None:
        for path in paths:
            self.conn.request("GET", path)
            self._finish(sink)

    def post(self, path: str, bodies: Sequence[bytes]) -> None:
        for body in bodies:
            self.conn.request("POST", path, body, JSON)
            self._finish(check)

    download, upload = Hyperlite.download, Hyperlite.upload


class Requests(Client):
    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.fits_headers()
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
            check(response.content)

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
        wanted = self.target.headers
        for path in paths:
            response = self.client.get(path)
            sink(response.content)
            assert (response.status_code, response.http_version) == (200, "HTTP/2")
            if wanted != "none":
                assert response.headers[LOOKED_AT] if wanted == "one" else response.headers.multi_items()

    def post(self, path: str, bodies: Sequence[bytes]) -> None:
        for body in bodies:
            response = self.client.post(path, content=body, headers=JSON)
            assert response.status_code == 200
            check(response.content)

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
        self.fits_headers()
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

        self._all(one, bodies, check)

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
        self.fits_headers()
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
            self._all([lambda body=body: send(body) for body in chunk], check)


class Niquests(Client):
    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.fits_headers()
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
            self._finish([self.session.post(url, data=body, headers=JSON) for body in chunk], check)
