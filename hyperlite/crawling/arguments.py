"""The types of those arguments of `crawl()` that say how it treats hosts, and of those for its pool."""

import os
import ssl
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, TypeAlias, TypedDict

from ..fetching.headers import Headers
from ..fetching.proxy_rules import Proxies
from ..fetching.response import FetchResponse
from ..fetching.retries import Retries
from ..net.resolving import Resolver
from ..net.trust import Cert, Verify
from ..observing import Observer
from .scope import CrawlScope

if TYPE_CHECKING:
    from ..fetching.handled import Handler

Follow: TypeAlias = Callable[[FetchResponse], Iterable[str]]


class PoolArguments(TypedDict, total=False):
    """Arguments of a `ConnectionPool` that `crawl()` takes: see there."""

    timeout: float | None
    deadline: float | None
    retries: int | Retries
    verify: Verify
    cert: Cert
    context: ssl.SSLContext | None
    proxies: Proxies
    headers: Headers | None
    allow_downgrade: bool
    source_address: tuple[str, int] | None
    protocols: Sequence[str] | None
    resolver: Resolver | None
    handler: "Handler | None"
    observers: Iterable[Observer]


class CrawlArguments(PoolArguments, total=False):
    """How `crawl()` treats hosts, and where it goes; and the arguments of its pool.

    Attributes:
        rate: how many requests to a site (scheme, host and port) begin in a second at most.
        delay: seconds from the beginning of one to the beginning of the next, at least.
        contact: a URL, or a mail address, where the crawler's operator is found: it is sent with User-Agent.
        ignore_robots: do not ask for robots.txt; noted in the state.
        allow_private: links and redirects may lead from a public address to a private one.
        follow: a `CrawlScope`: links are followed; or a function, which is called with each response and
            returns the URLs that are to be fetched besides, absolute or relative to that of the response.
        stop_after: seconds after which nothing further is asked for; the next call goes on.
        stop_after_bytes: bytes of bodies, the same.
        executor: where URLs are fetched: a `concurrent.futures.Executor`, or a function that makes one, which
            is made anew when it breaks; None: in this process.
        storage: with an executor, where workers write: a folder that all of them share, or a URL that fsspec
            knows, such as "s3://bucket/crawl"; by default, a folder in the state.
        lease: with an executor, seconds (300) after which a worker that was given URLs asks for nothing any
            more.  If it is lost, they are given to another one then.
    """

    rate: float | None
    delay: float | None
    contact: str | None
    ignore_robots: bool
    allow_private: bool
    follow: CrawlScope | Follow | None
    stop_after: float | None
    stop_after_bytes: int | None
    executor: Executor | Callable[[], Executor] | None
    storage: str | os.PathLike[str] | None
    lease: float
