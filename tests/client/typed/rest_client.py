"""A small client of a REST service."""

import base64
import http.client
import json
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from http.client import OK, responses
from types import TracebackType
from typing import Any, Literal, TypedDict


class Book(TypedDict):
    id: int


class RestError(http.client.HTTPException):
    pass


class Rest:
    connection: http.client.HTTPConnection | None
    kinds: Mapping[str, type[http.client.HTTPConnection]] = {
        "http": http.client.HTTPConnection,
        "https": http.client.HTTPSConnection,
    }

    def __init__(self, url: str) -> None:
        parts = urllib.parse.urlsplit(url)
        kind = self.kinds[parts.scheme]
        self.connection = kind(parts.hostname or "", parts.port, timeout=10)

    def __enter__(self) -> "Rest":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self.connection is not None:
            self.connection.close()

    def call(
        self, method: Literal["GET", "PUT"], path: str, body: Iterable[bytes] | str | None = None
    ) -> Any:
        assert self.connection is not None
        headers = {"Authorization": "Basic " + base64.b64encode(b"a:b").decode()}
        for _ in range(3):
            try:
                self.connection.request(method, path, body, headers)
                response = self.connection.getresponse()
            except (http.client.RemoteDisconnected, http.client.CannotSendRequest, ConnectionError) as error:
                self.connection.close()
                last: Exception = error
                continue
            except http.client.InvalidURL:
                raise
            with response:
                if response.status != OK:
                    raise RestError(responses[response.status], response.reason, response.msg)
                return json.loads(response.read())
        raise last

    def book(self, number: int) -> Book:
        found: Book = self.call("GET", f"/{number}")
        return found

    def stream(self, response: http.client.HTTPResponse) -> Iterator[bytes]:
        while chunk := response.read1(100):
            yield chunk
        buffer = bytearray(10)
        view = memoryview(buffer)
        print(
            response.readinto(buffer),
            response.readinto(view),
            response.peek(1),
            response.fileno(),
            response.readable(),
        )
        yield from iter(lambda: response.read(8), b"")
