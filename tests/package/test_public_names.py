"""What a program may import: these modules and names, and no others."""

import http.client
import importlib
import pkgutil

import pytest

import hyperlite

ERRORS = {
    "BodyReset",
    "BodyTooLarge",
    "BufferLimitExceeded",
    "ConnectionGoingAway",
    "ConnectionLost",
    "DecodingError",
    "ErrorCode",
    "FetchError",
    "HTTP2Error",
    "HTTPStatusError",
    "InadequateSecurity",
    "IncompleteBody",
    "MalformedBody",
    "MalformedResponse",
    "NotHTTP1",
    "NotHTTP2",
    "ProtocolError",
    "RedirectError",
    "RequestTimeout",
    "StreamReset",
    "TooManyRedirects",
    "UnvalidatedResumeWarning",
}
SERVER = {
    "Exchange",
    "Faults",
    "Frame",
    "Handler",
    "Headers",
    "PlainHandler",
    "Protocol",
    "Request",
    "Response",
    "Routes",
    "Server",
    "StreamingHandler",
    "streaming",
}
PUBLIC = {
    "hyperlite": ERRORS
    | {
        "ConnectionPool",
        "CrawlProgress",
        "CrawlRefusal",
        "CrawlScope",
        "CrawlSummary",
        "Failed",
        "FetchRequest",
        "FetchResponse",
        "FetchRun",
        "Fetched",
        "HTTP20Connection",
        "HTTP20Push",
        "HTTP20Response",
        "Limits",
        "Observer",
        "Outcome",
        "Retries",
        "SavedFile",
        "ServerSentEvent",
        "crawl",
        "create_context",
        "fetch",
        "fetch_many",
        "install",
    },
    "hyperlite.adapters.requests": {"HTTP20Adapter", "session"},
    "hyperlite.adapters.urllib": {"HTTP20Handler"},
    "hyperlite.client": set(http.client.__all__),
    "hyperlite.errors": ERRORS,
    "hyperlite.testing": SERVER | {"books"},
    "hyperlite.testing.server": SERVER,
}


@pytest.mark.parametrize("module", PUBLIC)
def test_a_module_exports_these_names_and_no_others(module: str) -> None:
    names = importlib.import_module(module).__all__
    assert len(set(names)) == len(names)
    assert set(names) == PUBLIC[module]


@pytest.mark.parametrize("module", PUBLIC)
def test_each_name_is_there(module: str) -> None:
    found = importlib.import_module(module)
    assert [name for name in PUBLIC[module] if not hasattr(found, name)] == []


def test_the_package_itself_shows_nothing_else() -> None:
    names = {name for name in dir(hyperlite) if not name.startswith("_")}
    assert names == PUBLIC["hyperlite"] | {"client", "errors"}


def test_no_module_has_the_name_of_a_function() -> None:
    """`import hyperlite.fetch` would put the module where the function is."""
    modules = {module.name for module in pkgutil.iter_modules(hyperlite.__path__)}
    assert modules & PUBLIC["hyperlite"] == set()
