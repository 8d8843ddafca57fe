"""Type variables, protocols and containers of connections and responses."""

import contextlib
import http.client as http_client
import queue
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, Protocol, TypeVar

C = TypeVar("C", bound=http_client.HTTPConnection)


class Answer(NamedTuple):
    response: http_client.HTTPResponse
    body: bytes


class Makes(Protocol):
    def __call__(self, host: str, port: int | None = None) -> http_client.HTTPConnection: ...


class Speaks(Protocol):
    def request(self, method: str, url: str) -> None: ...
    def getresponse(self) -> http_client.HTTPResponse: ...


@dataclass
class Pool(Generic[C]):
    make: Callable[[], C]
    idle: "queue.LifoQueue[C]" = field(default_factory=queue.LifoQueue)

    @contextlib.contextmanager
    def lend(self) -> Iterator[C]:
        try:
            conn = self.idle.get_nowait()
        except queue.Empty:
            conn = self.make()
        yield conn
        self.idle.put(conn)


def get(conn: Speaks, url: str) -> Answer:
    conn.request("GET", url)
    response = conn.getresponse()
    return Answer(response, response.read())


makes: Makes = http_client.HTTPSConnection
pool = Pool(lambda: http_client.HTTPSConnection("localhost"))
with pool.lend() as lent, contextlib.closing(http_client.HTTPConnection("localhost")) as plain:
    lent.set_tunnel("proxy", 3128, {"A": "b"})
    print(get(lent, "/"), get(plain, "/"))
    context = lent.sock.getsockname()
with ThreadPoolExecutor() as executor:
    futures: "list[Future[Answer]]" = [executor.submit(get, plain, "/") for _ in range(3)]
