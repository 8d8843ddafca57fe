"""`-v`: connections, and the heads of requests and responses, as curl shows them.

::

    * connection 1 to localhost (127.0.0.1) port 8443
    *   HTTP/2, TLSv1.3, TLS_AES_256_GCM_SHA384
    * request 1 on connection 1, stream 1
    > GET /book?id=7 HTTP/2
    < HTTP/2 200
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..observing import ConnectionInfo, Observer, RequestInfo
from ..telling import redacted, shown
from .exits import harmless, sentence
from .text import Write

_VERSIONS = {"h2": "HTTP/2", "http/1.1": "HTTP/1.1"}
_STYLES = {"*": "dim", ">": "cyan", "<": "green"}
# Of the parts of a distinguished name (RFC 4514 section 3).
_SHORT = {
    "commonName": "CN",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "stateOrProvinceName": "ST",
    "localityName": "L",
}


class Verbose(Observer):
    """Writes what happens to connections and requests.

    Args:
        write: writes text on the screen.
        secrets: show secrets, too.
        verified: certificates are verified.
    """

    def __init__(self, write: Write, *, secrets: bool = False, verified: bool = True) -> None:
        self._write_text = write
        self._secrets = secrets
        self._verified = verified

    def dialled(self, connection: ConnectionInfo) -> None:
        """Show a connection, and the server's certificate."""
        lines = [*_opened(connection)]
        if connection.tls is not None:
            lines += _certificate(connection.certificate, verified=self._verified)
        self._write(("*", lines))

    def sent(self, request: RequestInfo) -> None:
        """Show the head of a request."""
        tries = f", attempt {request.attempt}" if request.attempt > 1 else ""
        said = f"request {request.number}{_where(request)}{tries}"
        fields = request.fields
        pseudo = {name: value for name, value in fields if name.startswith(":")}
        method, path = pseudo.get(":method", request.method), pseudo.get(":path", "")
        first = " ".join(part for part in (method, self._text(path), _version(request)) if part)
        others = [field for field in fields if not field[0].startswith(":")]
        if ":authority" in pseudo:
            others.insert(0, ("host", pseudo[":authority"]))
        self._write(("*", [said]), (">", [first, *self._lines(others), ""]))

    def head(self, request: RequestInfo) -> None:
        """Show the head of a response."""
        response = request.response
        if response is None:
            return
        raw = getattr(response, "raw", response)
        waited = request.timings.first_byte
        after = "" if waited is None else f" after {1000 * waited:.1f} ms"
        version = _version(request)
        lines = []
        for status, headers in raw.informational:
            lines += [f"{version} {status}", *self._received(request, headers), ""]
        reason = raw.reason if version == "HTTP/1.1" else ""
        lines += [f"{version} {raw.status} {reason}", *self._received(request, raw.headers), ""]
        self._write(("*", [f"response to request {request.number}{after}"]), ("<", lines))

    def done(self, request: RequestInfo) -> None:
        """Show the trailers of a response, and how long it was."""
        raw = getattr(request.response, "raw", request.response)
        trailers = [] if raw is None else [*self._received(request, raw.trailers)]
        last = request.timings.last_byte
        end = "not read to its end" if last is None else f"{1000 * last:.1f} ms"
        said = f"request {request.number}: {request.received:,} bytes, {end}"
        self._write(("<", [*trailers, ""] if trailers else []), ("*", [said]))

    def retried(self, request: RequestInfo, reason: Exception | int, pause: float) -> None:
        """Show why a request is tried again."""
        why = f"status {reason}" if isinstance(reason, int) else self._text(sentence(reason))
        self._note(f"request {request.number}: tried again in {pause:.3g} s: {why}")

    def redirected(self, request: RequestInfo, url: str) -> None:
        """Show where a response leads."""
        self._note(f"request {request.number}: {request.status} leads to {self._text(url)}")

    def failed(self, request: RequestInfo, error: Exception) -> None:
        """Show that a request has failed; the command says why."""
        self._note(f"request {request.number} has failed ({type(error).__name__})")

    def _received(self, request: RequestInfo, headers: Any) -> Iterator[str]:
        """Yield the lines of header fields that have come; HTTP/2 sends their names in lower case."""
        lower = _version(request) == "HTTP/2"
        return self._lines((name.lower() if lower else name, value) for name, value in headers.items())

    def _lines(self, fields: Iterable[tuple[str, str]]) -> Iterator[str]:
        for name, value in fields:
            yield f"{name}: {value if self._secrets else shown(name, value)}"

    def _text(self, text: str) -> str:
        return text if self._secrets else redacted(text)

    def _note(self, text: str) -> None:
        self._write(("*", [text]))

    def _write(self, *blocks: tuple[str, Iterable[str]]) -> None:
        """Write blocks of lines, each with the mark before its lines, at once: threads do not mix them."""
        pieces = []
        for mark, lines in blocks:
            text = "".join(f"{mark} {harmless(line)}".rstrip() + "\n" for line in lines)
            pieces.append((text, _STYLES[mark]))
        self._write_text(pieces)


def _version(request: RequestInfo) -> str:
    """Return the protocol as it stands in the first line of a head; empty: it is not known."""
    return "" if request.connection is None else _VERSIONS[request.connection.protocol]


def _where(request: RequestInfo) -> str:
    connection = request.connection
    if connection is None:
        return ""
    stream = f", stream {request.stream_id}" if request.stream_id else ""
    return f" on connection {connection.number}{', reused' if request.reused else ''}{stream}"


def _opened(connection: ConnectionInfo) -> Iterator[str]:
    """Yield lines that say how a connection was opened."""
    peer = connection.address[0] if isinstance(connection.address, tuple) else connection.address
    at = f" ({peer})" if peer else ""
    if connection.proxy is None:
        where = f"{connection.host}{at} port {connection.port}"
    else:
        host, port = connection.proxy
        where = f"{connection.host} port {connection.port} by way of the proxy {host}{at} port {port}"
    yield f"connection {connection.number} to {where}"
    spoken = [_VERSIONS[connection.protocol], connection.tls, connection.cipher]
    yield f"  {', '.join(word for word in spoken if word)}"
    steps = {"DNS": connection.dns, "connect": connection.connect, "TLS": connection.handshake}
    taken = (f"{name} {1000 * took:.1f} ms" for name, took in steps.items() if took is not None)
    yield f"  {', '.join(taken)}"


def _certificate(certificate: Mapping[str, Any] | None, *, verified: bool) -> Iterator[str]:
    """Yield lines that describe a server's certificate."""
    if certificate is None:
        yield "  the TLS session was resumed: no certificate was shown"
        return
    yield f"  certificate: {_name(certificate['subject'])}"
    names = ", ".join(value for _, value in certificate.get("subjectAltName", ()))
    yield f"    for {names or 'no name'}"
    yield f"    from {certificate['notBefore']} to {certificate['notAfter']}"
    yield f"    issued by {_name(certificate['issuer'])}"
    yield f"    {'verified' if verified else 'NOT verified'}"


def _name(parts: Iterable[Iterable[tuple[str, str]]]) -> str:
    """Return a distinguished name, as `O=…, CN=…`."""
    return (
        ", ".join(f"{_SHORT.get(kind, kind)}={value}" for part in parts for kind, value in part) or "no name"
    )
