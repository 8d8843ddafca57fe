"""The types of the arguments that `crawl()` hands on to its pool."""

import ssl
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypedDict

from ..fetching.headers import Headers
from ..fetching.proxy_rules import Proxies
from ..fetching.retries import Retries
from ..net.resolving import Resolver
from ..net.trust import Cert, Verify
from ..observing import Observer

if TYPE_CHECKING:
    from ..fetching.handled import Handler


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
