"""Counts what a pool does for Prometheus: python metrics.py URL [CA].

It wants the package prometheus_client.
"""

import sys
import urllib.parse

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

import hyperlite
from hyperlite.observing import ConnectionInfo, RequestInfo


class Metrics(hyperlite.Observer):
    """Counts requests, further tries, connections, bytes and seconds, each by host.

    Each host that a program asks makes time series of its own: a crawler should leave this label out.

    Args:
        registry: has the counters.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "http_client_requests",
            "Requests that have ended: status, or the error",
            ["method", "status", "host"],
            registry=registry,
        )
        self._retries = Counter("http_client_retries", "Further tries", ["host", "reason"], registry=registry)
        self._connections = Counter(
            "http_client_connections",
            "Connections that were opened",
            ["host", "protocol"],
            registry=registry,
        )
        self._received = Counter(
            "http_client_received_bytes", "Bytes of bodies, decoded", ["host"], registry=registry
        )
        self._seconds = Histogram(
            "http_client_request_seconds",
            "Seconds until the whole response had come",
            ["method", "host"],
            registry=registry,
        )

    def dialled(self, connection: ConnectionInfo) -> None:
        """Count a connection."""
        self._connections.labels(connection.host, connection.protocol).inc()

    def body(self, request: RequestInfo, size: int) -> None:
        """Count bytes of a body."""
        self._received.labels(host(request)).inc(size)

    def done(self, request: RequestInfo) -> None:
        """Count a request that was answered, and its time."""
        self._requests.labels(request.method, str(request.status), host(request)).inc()
        if (last := request.timings.last_byte) is not None:
            self._seconds.labels(request.method, host(request)).observe(last)

    def retried(self, request: RequestInfo, reason: Exception | int, pause: float) -> None:
        """Count a further try; the one before it has ended, with a status that was counted, or an error."""
        if isinstance(reason, Exception):
            self.failed(request, reason)
        why = type(reason).__name__ if isinstance(reason, Exception) else str(reason)
        self._retries.labels(host(request), why).inc()

    def failed(self, request: RequestInfo, error: Exception) -> None:
        """Count a request that has failed."""
        self._requests.labels(request.method, type(error).__name__, host(request)).inc()


def host(request: RequestInfo) -> str:
    """Return the host of a request."""
    return urllib.parse.urlsplit(request.url).hostname or ""


def main() -> None:
    """Fetch a URL, and print the counters; a second argument is the file of an authority to trust."""
    registry = CollectorRegistry()
    with hyperlite.ConnectionPool(
        verify=sys.argv[2] if len(sys.argv) > 2 else True, observers=[Metrics(registry)]
    ) as pool:
        try:
            pool.fetch(sys.argv[1])
        except hyperlite.FetchError as error:
            print(error, file=sys.stderr)
    print(generate_latest(registry).decode(), end="")


if __name__ == "__main__":
    main()
