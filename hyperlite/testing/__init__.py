"""A server for tests, over HTTP/2 and HTTP/1.1, with faults on demand; a bookstore; a plugin for pytest.

>>> with Server({"/": lambda request: Response(body=b"Hello")}) as server:
...     hyperlite.fetch(server.url("/"), context=server.context()).text
'Hello'

Nothing here imports the client: the server judges it from outside.
"""

from importlib import import_module

TYPE_CHECKING = False  # instead of typing's, whose import takes longer than this whole module
if TYPE_CHECKING:
    from .bookstore import books
    from .server import (
        Exchange,
        Faults,
        Frame,
        Handler,
        Headers,
        PlainHandler,
        Protocol,
        Request,
        Response,
        Routes,
        Server,
        StreamingHandler,
        streaming,
    )

__all__ = [
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
    "books",
    "streaming",
]

if not TYPE_CHECKING:  # hidden from type checkers, which then report unknown names

    def __getattr__(name: str) -> object:
        # Imported when a name is first used: pytest imports this package at its start, for the plugin.
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = ".bookstore" if name == "books" else ".server"
        value = globals()[name] = getattr(import_module(module, __name__), name)
        return value


def __dir__() -> list[str]:
    return sorted({*(name for name in globals() if name.startswith("__")), *__all__})
