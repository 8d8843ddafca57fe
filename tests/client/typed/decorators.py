"""Decorators, overloads and asyncio."""

import asyncio
import functools
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from http import client
from typing import Concatenate, ParamSpec, TypeAlias, TypeVar, overload

P = ParamSpec("P")
R = TypeVar("R")
Connection: TypeAlias = "client.HTTPConnection | client.HTTPSConnection"
Hook: TypeAlias = Callable[[client.HTTPResponse], client.HTTPResponse | None]


def again(call: Callable[Concatenate[Connection, P], R]) -> Callable[Concatenate[Connection, P], R]:
    @functools.wraps(call)
    def wrapped(conn: Connection, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return call(conn, *args, **kwargs)
        except (client.HTTPException, OSError):
            logging.exception("again")
            time.sleep(1)
            conn.close()
            return call(conn, *args, **kwargs)

    return wrapped


@again
def get(conn: Connection, url: str, hooks: list[Hook]) -> client.HTTPResponse:
    conn.request("GET", url)
    response = conn.getresponse()
    for hook in hooks:
        response = hook(response) or response
    return response


@overload
def make(secure: None) -> client.HTTPConnection: ...
@overload
def make(secure: str) -> client.HTTPSConnection: ...
def make(secure: str | None) -> client.HTTPConnection:
    return client.HTTPSConnection("a") if secure else client.HTTPConnection("a")


async def main() -> AsyncIterator[bytes]:
    response = await asyncio.to_thread(get, make(None), "/", [])
    yield await asyncio.get_running_loop().run_in_executor(None, response.read)


async def status(response: Awaitable[client.HTTPResponse]) -> int:
    return (await response).status
