"""An observer that keeps what it is told."""

from typing import Any

from hyperlite import Observer
from hyperlite.observing import ConnectionInfo, Frame, RequestInfo


class Recorder(Observer):
    """Keeps each event: its name, and what it was about."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []
        self.requests: list[RequestInfo] = []
        self.connections: list[ConnectionInfo] = []
        self.frames: list[Frame] = []

    @property
    def names(self) -> list[str]:
        """The names of the events."""
        return [name for name, _ in self.events]

    def dialled(self, connection: ConnectionInfo) -> None:
        self.connections.append(connection)
        self.events.append(("dialled", connection.port))

    def frame(self, connection: ConnectionInfo, frame: Frame) -> None:
        assert connection in self.connections
        self.frames.append(frame)

    def sent(self, request: RequestInfo) -> None:
        self.requests.append(request)
        self.events.append(("sent", request.url))

    def head(self, request: RequestInfo) -> None:
        self.events.append(("head", request.status))

    def body(self, request: RequestInfo, size: int) -> None:
        self.events.append(("body", size))

    def done(self, request: RequestInfo) -> None:
        self.events.append(("done", request.received))

    def retried(self, request: RequestInfo, reason: Exception | int, pause: float) -> None:
        self.events.append(("retried", reason))

    def redirected(self, request: RequestInfo, url: str) -> None:
        self.events.append(("redirected", url))

    def failed(self, request: RequestInfo, error: Exception) -> None:
        self.events.append(("failed", error))
