"""isinstance(), match and except."""

import ssl
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
    IncompleteRead,
    responses,
)
from typing import Any


class Oops(HTTPException):
    def __init__(self, response: HTTPResponse) -> None:
        super().__init__(f"{response.status} {responses.get(response.status, response.reason)}")
        self.response = response


def context_of(conn: HTTPConnection | HTTPSConnection) -> ssl.SSLContext | None:
    if isinstance(conn, HTTPSConnection):
        return conn._context  # type: ignore[attr-defined, no-any-return]
    return None


def handle(found: "HTTPResponse | IncompleteRead | bytes") -> bytes:
    match found:
        case HTTPResponse(status=200):
            return found.read()
        case HTTPResponse():
            raise Oops(found)
        case IncompleteRead(partial=part):
            return part
        case bytes():
            return found


def anything(value: Any) -> int:
    if isinstance(value, HTTPResponse):
        return value.status
    if issubclass(type(value), HTTPConnection):
        return 0
    return 1
