"""What the connections of a server have in common: what they answer, their limits, and their threads."""

import threading
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from h2.settings import SettingCodes

from hyperlite.testing.exchange import Handler, PlainHandler
from hyperlite.testing.faults import Faults
from hyperlite.testing.messages import Protocol, Request, Response
from hyperlite.testing.records import Records

Routes = Mapping[str, Handler] | Handler
"""The handler of each path, or one for every path."""


class Service:
    """One for each server; its methods may be called from any thread."""

    def __init__(
        self,
        routes: Routes,
        *,
        settings: Mapping[SettingCodes, int],
        delay: float,
        requests_per_connection: int | None,
        faults: Faults,
        records: Records | None,
    ) -> None:
        """Take what `hyperlite.testing.server.Server` has been given under the same names."""
        self.routes = routes
        self.records = records
        self._faults = faults
        self.settings = settings
        self.delay = delay
        self.requests_per_connection = requests_per_connection
        self.log: list[tuple[Protocol, int, str, str]] = []
        self.closed: threading.Event = threading.Event()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def take(self, request: Request) -> Handler:
        """Log a request and return its handler."""
        self.log.append((request.protocol, request.connection, request.method, request.target))
        handler = self.routes
        if isinstance(handler, Mapping):
            handler = handler.get(request.path, _not_found)
        handler = self._faults.meet(request, handler)
        if self.records is not None:
            self.records.add_request(request)
        return handler

    def answer(self, handler: PlainHandler, request: Request) -> Response:
        """Call a handler; when it fails the response is a 500 (Internal Server Error)."""
        try:
            return handler(request)
        except Exception:
            traceback.print_exc()
            return _text(500, "The handler has failed.")

    def spawn(self, target: Callable[..., None], *arguments: Any) -> None:
        """Run a function in a thread that `join` waits for."""
        # A daemon, because a handler that never returns must not keep the process from ending.
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        with self._lock:
            self._threads = [other for other in self._threads if other.is_alive()]
            self._threads.append(thread)
            thread.start()

    def join(self, seconds: float) -> None:
        """Wait for the threads to end, this long at most."""
        deadline = time.monotonic() + seconds
        with self._lock:
            threads = [thread for thread in self._threads if thread is not threading.current_thread()]
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))


def _not_found(request: Request) -> Response:
    return _text(404, f"There is nothing at {request.path}.")


def _text(status: int, message: str) -> Response:
    return Response(status, [("content-type", "text/plain; charset=utf-8")], f"{message}\n".encode())
