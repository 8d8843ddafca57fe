"""The requests of a connection object, as its observers see them."""

import time
from collections.abc import Sequence
from typing import Any

from .errors import StreamReset
from .messages.exchange import Exchange, standing
from .messages.request import Request
from .net.dialer import info_of
from .observing import RequestInfo
from .telling import Observers, Telling, Watch


class Watched:
    """Tells observers of the requests of one connection object.

    Args:
        observers: of the connection object.

    Attributes:
        observers: the same.
        tell: what is told of requests; None: neither an observer nor the log wants it.
        pending: those whose response no thread has taken, by id.
    """

    def __init__(self, observers: Observers) -> None:
        self.observers: Observers = observers
        self.tell: Telling | None = observers.of("requests")
        self._latest = 0  # the number of the connection that carried the latest request
        self.pending: dict[int, Watch] = {}

    def look(self) -> None:
        """Look whether the log is on: when a connection is opened, because each request would pay for it."""
        self.tell = self.observers.of("requests")

    def sent(self, beginning: "Beginning", exchanges: Sequence[Any]) -> None:
        """Tell that requests were sent, or queued."""
        for pending in exchanges:
            exchange, watch = standing(pending), beginning.watch(pending.request)
            self.pending[pending.stream_id] = watch
            self._note(exchange, watch)
            watch.tell("sent", watch.info)

    def answered(self, pending: Exchange, response: Any) -> None:
        """Tell that the caller gets a response."""
        watch = self.pending.pop(pending.stream_id, None)
        if watch is not None:
            self._note(standing(pending), watch)
            watch.head(response, response._marks)
            watch.follow(response)

    def failed(self, pending: Exchange, error: BaseException) -> None:
        """Tell that a request has failed, or was cancelled."""
        watch = self.pending.pop(pending.stream_id, None)
        if watch is not None:
            watch.failed(error)

    def dropped(self, watches: Sequence[Watch]) -> None:
        """Tell that requests were cancelled because the connection object was closed."""
        for watch in watches:
            watch.failed(StreamReset("the connection was closed, and the request with it"))

    def _note(self, exchange: Any, watch: Watch) -> None:
        """Note which connection carries a request: it may have been sent again on another one."""
        info = info_of(getattr(exchange, "sock", None) or getattr(exchange.transport, "sock", None))
        if info is not None:
            if info is not watch.info.connection:
                watch.info.reused = self._latest == info.number
            self._latest = info.number
        watch.info.carried(info, exchange)


class Beginning:
    """Requests that began at one moment.

    Args:
        tell: the observers.
    """

    def __init__(self, tell: Telling) -> None:
        self._tell = tell
        self._began = time.monotonic()

    def watch(self, request: Request) -> Watch:
        """Return what tells of one of the requests."""
        texts = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.fields]
        named = dict(texts)
        url = f"{named.get(':scheme', '')}://{named.get(':authority', '')}{named.get(':path', request.url)}"
        fields = [(name, value) for name, value in texts if not name.startswith(":")]
        return Watch(self._tell, RequestInfo(request.method, url, fields, self._began))

    def refused(self, requests: Sequence[Request], error: BaseException) -> None:
        """Tell that requests could not be sent."""
        for request in requests:
            self.watch(request).failed(error)
