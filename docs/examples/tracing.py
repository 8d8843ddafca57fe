"""Makes an OpenTelemetry span of each request: python tracing.py URL [CA].

It wants the package opentelemetry-sdk. The names are those of the semantic conventions for HTTP clients.
"""

import sys
import time
import urllib.parse

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer

import hyperlite
from hyperlite.observing import RequestInfo
from hyperlite.telling import redacted

METHODS = {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"}


class Tracing(hyperlite.Observer):
    """Makes a span of each request, try and redirect when it ends.

    The thread that makes the request calls its observers, so the span has the parent that is current there.

    Args:
        tracer: makes the spans.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def done(self, request: RequestInfo) -> None:
        """Make a span of a request that was answered; from 400 on, the status is the error."""
        self._make(request, str(request.status) if request.status >= 400 else None)

    def retried(self, request: RequestInfo, reason: Exception | int, pause: float) -> None:
        """Make a span of a request without an answer; one with an answer is done already."""
        if isinstance(reason, Exception):
            self.failed(request, reason)

    def failed(self, request: RequestInfo, error: Exception) -> None:
        """Make a span of a request that has failed."""
        self._make(request, f"{type(error).__module__}.{type(error).__qualname__}", redacted(str(error)))

    def _make(self, request: RequestInfo, error: str | None, description: str | None = None) -> None:
        url = urllib.parse.urlsplit(request.url)
        method = request.method if request.method in METHODS else "_OTHER"
        attributes: dict[str, str | int] = {
            "http.request.method": method,
            "url.full": redacted(request.url),
            "server.address": url.hostname or "",
            "server.port": url.port or (443 if url.scheme == "https" else 80),
        }
        if method != request.method:
            attributes["http.request.method_original"] = request.method
        if (resent := request.attempt - 1 + request.redirects) > 0:
            attributes["http.request.resend_count"] = resent
        if request.status:
            attributes["http.response.status_code"] = request.status
        if error is not None:
            attributes["error.type"] = error
        if (connection := request.connection) is not None:
            attributes["network.protocol.name"] = "http"
            attributes["network.protocol.version"] = "2" if connection.protocol == "h2" else "1.1"
            if isinstance(connection.address, tuple):  # and no path of a Unix socket
                attributes["network.peer.address"], attributes["network.peer.port"] = connection.address[:2]
        name = method if method != "_OTHER" else "HTTP"
        span = self._tracer.start_span(
            name, kind=SpanKind.CLIENT, attributes=attributes, start_time=nanoseconds(request.began)
        )
        if error is not None:
            span.set_status(Status(StatusCode.ERROR, description))
        last = request.timings.last_byte
        span.end(None if last is None else nanoseconds(request.began + last))


def nanoseconds(monotonic: float) -> int:
    """Return a monotonic time as nanoseconds since 1970."""
    return time.time_ns() - int(1e9 * (time.monotonic() - monotonic))


def main() -> None:
    """Fetch a URL, and print its spans; a second argument is the file of an authority to trust."""
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    tracer = provider.get_tracer("hyperlite", hyperlite.__version__)
    with hyperlite.ConnectionPool(
        verify=sys.argv[2] if len(sys.argv) > 2 else True, observers=[Tracing(tracer)]
    ) as pool:
        try:
            with tracer.start_as_current_span("main"):
                pool.fetch(sys.argv[1])
        except hyperlite.FetchError as error:
            print(error)
    for span in spans.get_finished_spans():
        print(span.to_json(indent=None))


if __name__ == "__main__":
    main()
