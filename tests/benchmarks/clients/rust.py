"""The clients that are written in Rust, each by its own Python interface.

One at a time they are asked by their blocking calls; many at once by their coroutines, gathered, and so over
one HTTP/2 connection.  The CPU time of their own threads is counted, as it belongs to the process.
"""

# ruff: noqa: PLC0415  a client's imports are a part of making it

import asyncio
import datetime as dt
import importlib
import inspect
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from .base import DEADLINE, JSON, LOOKED_AT, Client, Sink, Target, Unfit, check


class Gathered(Client):
    """A client with two interfaces: what is sent returns a response, or a coroutine of one."""

    client: Any

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.many = target.chunk > 1
        self.loop = asyncio.new_event_loop() if self.many else None
        self.connected = False
        if self.loop is None:
            self.open(target)
        else:

            async def opened() -> None:  # some want a loop that runs
                self.open(target)

            self.loop.run_until_complete(opened())

    def open(self, target: Target) -> None:
        """Make the client."""
        raise NotImplementedError

    def send_get(self, url: str) -> Any:
        raise NotImplementedError

    def send_post(self, url: str, body: bytes) -> Any:
        raise NotImplementedError

    def read(self, response: Any) -> Any:
        """Return the body, or a coroutine of it, after a look at status and version."""
        raise NotImplementedError

    def header(self, response: Any, wanted: str) -> Any:
        raise Unfit("its headers are not looked at here")

    async def _await(self, send: Callable[[], Any], sink: Sink) -> None:
        response = await send()
        body = self.read(response)
        sink(await body if inspect.isawaitable(body) else body)
        if self.target.headers != "none":
            assert self.header(response, self.target.headers)

    def _all(self, sends: Sequence[Callable[[], Any]], sink: Sink) -> None:
        if self.loop is None:
            for send in sends:
                response = send()
                sink(self.read(response))
                if self.target.headers != "none":
                    assert self.header(response, self.target.headers)
            return
        if not self.connected:  # so that one connection is there before a chunk looks for one
            self.loop.run_until_complete(self._await(sends[0], check))
            self.connected = True

        async def run() -> None:
            for chunk in self.target.chunks(sends):
                await asyncio.gather(*[self._await(send, sink) for send in chunk])

        self.loop.run_until_complete(run())

    def get(self, paths: Sequence[str], sink: Sink) -> None:
        origin = self.target.origin
        self._all([lambda path=path: self.send_get(origin + path) for path in paths], sink)

    def post(self, path: str, bodies: Sequence[bytes]) -> None:
        url = self.target.origin + path
        self._all([lambda body=body: self.send_post(url, body) for body in bodies], check)

    def download(self, path: str) -> int:
        return sum(map(len, self.stream(self.target.origin + path)))

    def stream(self, url: str) -> Iterable[Any]:
        """Yield the pieces of a body, by the blocking interface."""
        raise Unfit("no downloads")


class Ry(Gathered):
    def open(self, target: Target) -> None:
        import ry

        kind = ry.Client if self.many else ry.BlockingClient
        self.client = kind(tls_certs_only=[ry.Certificate.from_pem(target.pem())])

    def send_get(self, url: str) -> Any:
        return self.client.get(url)

    def send_post(self, url: str, body: bytes) -> Any:
        return self.client.post(url, body=body, headers=JSON)

    def read(self, response: Any) -> Any:
        assert (response.status, response.version) == (200, "HTTP/2")
        return response.bytes()

    def header(self, response: Any, wanted: str) -> Any:
        return response.headers[LOOKED_AT] if wanted == "one" else list(response.headers.items())

    def stream(self, url: str) -> Iterable[Any]:
        return self.client.get(url).stream()


class Wreq(Gathered):
    def open(self, target: Target) -> None:
        import wreq
        import wreq.blocking

        self.version = wreq.Version.HTTP_2
        kind = wreq.Client if self.many else wreq.blocking.Client
        self.client = kind(tls_verify=Path(target.ca), no_proxy=True, timeout=dt.timedelta(seconds=DEADLINE))

    def send_get(self, url: str) -> Any:
        return self.client.get(url)

    def send_post(self, url: str, body: bytes) -> Any:
        return self.client.post(url, body=body, headers=JSON)

    def read(self, response: Any) -> Any:
        assert response.status.as_int() == 200
        assert response.version == self.version
        return response.bytes()

    def header(self, response: Any, wanted: str) -> Any:
        return response.headers[LOOKED_AT] if wanted == "one" else list(response.headers)

    def stream(self, url: str) -> Iterable[Any]:
        return self.client.get(url).stream()


class Pyreqwest(Gathered):
    def open(self, target: Target) -> None:
        from pyreqwest.client import ClientBuilder, SyncClientBuilder

        builder = ClientBuilder() if self.many else SyncClientBuilder()
        builder = builder.http2(True).add_root_certificate_pem(target.pem()).no_proxy()
        self.client = builder.timeout(dt.timedelta(seconds=DEADLINE)).build()

    def send_get(self, url: str) -> Any:
        return self.client.get(url).build().send()

    def send_post(self, url: str, body: bytes) -> Any:
        return self.client.post(url).headers(JSON).body_bytes(body).build().send()

    def read(self, response: Any) -> Any:
        assert (response.status, response.version) == (200, "HTTP/2.0")
        return response.bytes()

    def header(self, response: Any, wanted: str) -> Any:
        return response.get_header(LOOKED_AT) if wanted == "one" else list(response.headers.items())

    def stream(self, url: str) -> Iterable[Any]:
        with self.client.get(url).build_streamed() as response:
            while piece := response.body_reader.read_chunk():
                yield piece


class Primp(Gathered):
    package = "primp"

    def open(self, target: Target) -> None:
        package = importlib.import_module(self.package)
        kind = package.AsyncClient if self.many else package.Client
        self.client = kind(ca_cert_file=target.ca, http2_only=True, timeout=DEADLINE)

    def send_get(self, url: str) -> Any:
        return self.client.get(url)

    def send_post(self, url: str, body: bytes) -> Any:
        return self.client.post(url, content=body, headers=JSON)

    def read(self, response: Any) -> Any:
        assert response.status_code == 200
        return response.aread() if self.many else response.content

    def header(self, response: Any, wanted: str) -> Any:
        return response.headers[LOOKED_AT] if wanted == "one" else dict(response.headers)

    def stream(self, url: str) -> Iterable[Any]:
        return self.client.get(url, stream=True).iter_bytes()


class Httpr(Primp):
    """It has primp's interface, but for how a body is read.

    Its coroutines are threads that make blocking calls, a few at a time; that is its own choice.
    """

    package = "httpr"

    def read(self, response: Any) -> bytes:
        assert response.status_code == 200
        return response.content

    def stream(self, url: str) -> Iterable[Any]:
        with self.client.stream("GET", url) as response:
            yield from response.iter_bytes()
