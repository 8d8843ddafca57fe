"""hyperlite: a synchronous HTTP/2 client that is a drop-in for http.client.

>>> conn = hyperlite.HTTP20Connection("localhost", 8443)
>>> ids = [conn.request("GET", f"/book?id={n}") for n in range(100)]
>>> books = [conn.getresponse(stream_id).read() for stream_id in ids]
"""

from typing import TYPE_CHECKING, Any

from .connection import HTTP20Connection
from .errors import (
    BodyReset,
    BodyTooLarge,
    BufferLimitExceeded,
    ConnectionGoingAway,
    ConnectionLost,
    DecodingError,
    ErrorCode,
    HTTP2Error,
    InadequateSecurity,
    IncompleteBody,
    MalformedBody,
    MalformedResponse,
    NotHTTP2,
    ProtocolError,
    RedirectError,
    RequestTimeout,
    StreamReset,
    TooManyRedirects,
)
from .install import install
from .response import HTTP20Push, HTTP20Response
from .transport import create_context

if TYPE_CHECKING:
    from .fetching import FetchRequest, FetchResponse, Outcome
    from .pool import ConnectionPool, fetch, fetch_many
    from .tasks import Retries

__version__ = "0.1.0"

__all__ = [
    "BodyReset",
    "BodyTooLarge",
    "BufferLimitExceeded",
    "ConnectionGoingAway",
    "ConnectionLost",
    "ConnectionPool",
    "DecodingError",
    "ErrorCode",
    "FetchRequest",
    "FetchResponse",
    "HTTP2Error",
    "HTTP20Connection",
    "HTTP20Push",
    "HTTP20Response",
    "InadequateSecurity",
    "IncompleteBody",
    "MalformedBody",
    "MalformedResponse",
    "NotHTTP2",
    "Outcome",
    "ProtocolError",
    "RedirectError",
    "RequestTimeout",
    "Retries",
    "StreamReset",
    "TooManyRedirects",
    "create_context",
    "fetch",
    "fetch_many",
    "install",
]

# What a program that only wants a connection does not need: imported when it is first asked for.
_LATER = {
    "ConnectionPool": "pool",
    "FetchRequest": "fetching",
    "FetchResponse": "fetching",
    "Outcome": "fetching",
    "Retries": "tasks",
    "fetch": "pool",
    "fetch_many": "pool",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib  # noqa: PLC0415

    value = globals()[name] = getattr(importlib.import_module(f".{_LATER[name]}", __name__), name)
    return value
