# ruff: noqa: F405
"""Several bases, and names by a star."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from http.client import HTTPConnection as Base
else:
    Base = object

from http.client import *  # noqa: F403
from http.client import HTTPMessage


class Counting(Base):
    count = 0

    def putrequest(
        self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = False
    ) -> None:
        self.count += 1
        super().putrequest(method, url, skip_host, skip_accept_encoding)


class Plain(Counting, HTTPConnection):
    pass


class Secure(Counting, HTTPSConnection):
    def putheader(self, header: str | bytes, *values: Any) -> None:
        if header != "Accept-Encoding":
            super().putheader(header, *values)


class Both(HTTPSConnection, HTTPConnection):
    pass


def show(message: HTTPMessage) -> list[tuple[str, str]]:
    return message.items()


def copy(response: HTTPResponse) -> dict[str, str]:
    return dict(response.getheaders())


def part(problem: HTTPException) -> bytes:
    return problem.partial if isinstance(problem, IncompleteRead) else b""


for made in (Plain("a"), Secure("b"), Both("c")):
    made.request("GET", "/", headers={"a": "b"}, encode_chunked=True)
    show(made.getresponse().msg)
