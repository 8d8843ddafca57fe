"""hyperlite: a synchronous HTTP/2 client that is a drop-in for http.client.

>>> conn = hyperlite.HTTP20Connection("localhost", 8443)
>>> ids = [conn.request("GET", f"/book?id={n}") for n in range(100)]
>>> books = [conn.getresponse(stream_id).read() for stream_id in ids]

PYTEST_DONT_REWRITE: pytest would warn that it is too late for that, where it is imported after hyperlite.
"""

from importlib import import_module

TYPE_CHECKING = False  # instead of typing's, whose import takes longer than this whole module
if TYPE_CHECKING:
    from . import client as client, errors as errors
    from .crawling.crawl import crawl
    from .crawling.progress import CrawlProgress
    from .crawling.refusals import CrawlRefusal
    from .crawling.scope import CrawlScope
    from .crawling.summary import CrawlSummary
    from .connection import HTTP20Connection
    from .errors import (
        BodyReset,
        BodyTooLarge,
        BufferLimitExceeded,
        ConnectionGoingAway,
        ConnectionLost,
        DecodingError,
        ErrorCode,
        FetchError,
        HTTP2Error,
        HTTPStatusError,
        InadequateSecurity,
        IncompleteBody,
        MalformedBody,
        MalformedResponse,
        NotHTTP1,
        NotHTTP2,
        ProtocolError,
        RedirectError,
        RequestTimeout,
        StreamReset,
        TooManyRedirects,
        UnvalidatedResumeWarning,
    )
    from .fetching.event_stream import ServerSentEvent
    from .fetching.outcome import Failed, Fetched, Outcome
    from .fetching.request import FetchRequest
    from .fetching.response import FetchResponse
    from .installing import install
    from .many.run import FetchRun
    from .observing import Observer
    from .pool import ConnectionPool, fetch, fetch_many
    from .messages.response import HTTP20Response
    from .http2.push import HTTP20Push
    from .fetching.retries import Retries
    from .fetching.saving import SavedFile
    from .net.trust import create_context
    from .origins.limits import Limits

__version__ = "1.0.0"

__all__ = [
    "BodyReset",
    "BodyTooLarge",
    "BufferLimitExceeded",
    "ConnectionGoingAway",
    "ConnectionLost",
    "ConnectionPool",
    "CrawlProgress",
    "CrawlRefusal",
    "CrawlScope",
    "CrawlSummary",
    "DecodingError",
    "ErrorCode",
    "Failed",
    "FetchError",
    "FetchRequest",
    "FetchResponse",
    "FetchRun",
    "Fetched",
    "HTTP2Error",
    "HTTP20Connection",
    "HTTP20Push",
    "HTTP20Response",
    "HTTPStatusError",
    "InadequateSecurity",
    "IncompleteBody",
    "Limits",
    "MalformedBody",
    "MalformedResponse",
    "NotHTTP1",
    "NotHTTP2",
    "Observer",
    "Outcome",
    "ProtocolError",
    "RedirectError",
    "RequestTimeout",
    "Retries",
    "SavedFile",
    "ServerSentEvent",
    "StreamReset",
    "TooManyRedirects",
    "UnvalidatedResumeWarning",
    "crawl",
    "create_context",
    "fetch",
    "fetch_many",
    "install",
]

# The modules that define these names; all others are in `errors`. Each module is imported when a name of it
# is first used: a program that uses connections does not wait for the import of the pool.
_ELSEWHERE = {
    "ConnectionPool": "pool",
    "CrawlProgress": "crawling.progress",
    "CrawlRefusal": "crawling.refusals",
    "CrawlScope": "crawling.scope",
    "CrawlSummary": "crawling.summary",
    "Failed": "fetching.outcome",
    "FetchRequest": "fetching.request",
    "FetchResponse": "fetching.response",
    "FetchRun": "many.run",
    "Fetched": "fetching.outcome",
    "HTTP20Connection": "connection",
    "HTTP20Push": "http2.push",
    "HTTP20Response": "messages.response",
    "Limits": "origins.limits",
    "Observer": "observing",
    "Outcome": "fetching.outcome",
    "Retries": "fetching.retries",
    "SavedFile": "fetching.saving",
    "ServerSentEvent": "fetching.event_stream",
    "crawl": "crawling.crawl",
    "create_context": "net.trust",
    "fetch": "pool",
    "fetch_many": "pool",
    "install": "installing",
}
# Modules that are attributes after `import hyperlite`.
_MODULES = frozenset({"client", "errors"})

if not TYPE_CHECKING:  # hidden from type checkers, which then report unknown names

    def __getattr__(name: str) -> object:
        if name in _MODULES:
            return import_module(f".{name}", __name__)
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f".{_ELSEWHERE.get(name, 'errors')}", __name__), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    dunder = [name for name in globals() if name.startswith("__")]
    return sorted([*dunder, *__all__, *_MODULES])
