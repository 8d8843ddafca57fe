"""What is tried with each server: a function each, which raises what has gone wrong, or NotOffered.

What a function returns is a remark, or an empty string.
"""

import gzip
import hashlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import NamedTuple

import hyperlite

from .client import Answer, Client, NotOffered
from .content import LARGE, SMALL, TEXT

# Requests at once: as many as most servers allow.
AT_ONCE = 100
# Requests that are under way when the server reloads.
UNDER_WAY = 400
# Fields of the request with many: Apache takes 100, those that every request has included.
FIELDS = 80
# More than any server's windows and buffers.
UPLOAD = 16 << 20
# More than the 32 MiB to which a server is limited if it has one limit for all.
REFUSED = 48 << 20
# Seconds that a server may take to begin anew: h2o waits for one to see that its new process lives.
RELOADING = 3.0
# Seconds without a request: as long as most servers keep a connection.
IDLE = 75.0


class Capability(NamedTuple):
    """Something that a server may be able to do."""

    name: str
    title: str
    try_: Callable[[Client], str | None]
    group: str


def _expect(answer: Answer, body: bytes | None = None, version: int = 20) -> Answer:
    """Make sure of a response."""
    assert answer.status == 200, f"status {answer.status}: {answer.body[:80]!r}"
    assert answer.version == version, f"version {answer.version}"
    assert body is None or answer.body == body, (
        f"{len(answer.body)} bytes came, not the {len(body)} of the file"
    )
    return answer


def _echoed(answer: Answer, sent: bytes) -> dict[str, object]:
    """Make sure that the server has got a body, and return what else it has seen."""
    if answer.status == 411:
        raise NotOffered("wants a content-length")
    _expect(answer)
    if answer.body == sent:
        return {}
    told = json.loads(answer.body)
    expected = (len(sent), hashlib.sha256(sent).hexdigest())
    assert (told["length"], told["sha256"]) == expected, f"{told['length']} bytes arrived of {len(sent)}"
    return told


def _pieces(size: int = 100_000) -> tuple[bytes, Iterator[bytes]]:
    whole = LARGE[:size]
    return whole, (whole[at : at + 1000] for at in range(0, size, 1000))


# -- requests ---------------------------------------------------------------------------------------


def _small(client: Client) -> None:
    with client.connect() as conn:
        _expect(client.get(conn, "/small"), SMALL)


def _large(client: Client) -> None:
    with client.connect() as conn:
        _expect(client.get(conn, "/large"), LARGE)


def _head(client: Client) -> str:
    with client.connect() as conn:
        answer = _expect(client.get(conn, "/large", "HEAD"), b"")
        length = answer.headers["content-length"]
        assert length in {None, str(len(LARGE))}, f"content-length {length}"
        _expect(client.get(conn, "/small"), SMALL)
    return "" if length else "without content-length"


def _at_once(client: Client) -> str:
    with client.connect() as conn:
        ids = [client.ask(conn, "/small") for _ in range(AT_ONCE)]
        for stream_id in ids:
            _expect(client.answer(conn, stream_id), SMALL)
    assert len(client.seen.connections) == 1, f"{len(client.seen.connections)} connections"
    return ""


def _fields(client: Client) -> str:
    headers = {f"x-many-{number}": "v" * 64 for number in range(FIELDS)}
    with client.connect() as conn:
        body = _expect(client.get(conn, "/fields", headers=headers)).body
    if body == SMALL:
        return ""
    count = json.loads(body)["count"]
    assert count == FIELDS, f"{count} fields arrived"
    return ""


def _gzip(client: Client) -> None:
    with client.connect() as conn:
        answer = _expect(client.get(conn, "/text", headers={"accept-encoding": "gzip"}))
    if answer.headers["content-encoding"] is None:
        raise NotOffered("sends the file as it is")
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(answer.body) == TEXT


def _priority(client: Client) -> None:
    with client.connect() as conn:
        first = client.ask(conn, "/large", priority=(6, True))
        second = client.ask(conn, "/small", priority=1)
        conn.prioritize(first, 0)
        _expect(client.answer(conn, second), SMALL)
        _expect(client.answer(conn, first), LARGE)
    assert (True, "PRIORITY_UPDATE") in client.seen.frames


def _cancel(client: Client) -> None:
    with client.connect() as conn:
        for _ in range(3):
            response = conn.getresponse(client.ask(conn, "/large"))
            assert response.read(50_000)
            response.close()
            _expect(client.get(conn, "/small"), SMALL)
    assert (True, "RST_STREAM") in client.seen.frames
    assert len(client.seen.connections) == 1, f"{len(client.seen.connections)} connections"


# -- bodies -----------------------------------------------------------------------------------------


def _body(client: Client) -> None:
    with client.connect() as conn:
        sent, _ = _pieces()
        _echoed(client.get(conn, "/echo", "POST", sent), sent)


def _chunks(client: Client) -> None:
    with client.connect() as conn:
        sent, pieces = _pieces()
        _echoed(client.get(conn, "/echo", "POST", pieces), sent)


def _continue(client: Client) -> None:
    with client.connect() as conn:
        sent, _ = _pieces()
        answer = client.get(conn, "/echo", "POST", sent, headers={"expect": "100-continue"})
        _echoed(answer, sent)
    if 100 not in answer.informational:
        raise NotOffered("answers without 100 Continue, to the body that is sent after a second")


def _upload(client: Client) -> None:
    sent = (LARGE * (UPLOAD // len(LARGE)))[:UPLOAD]
    with client.connect() as conn:
        length = {"content-length": str(UPLOAD)}
        _echoed(client.get(conn, "/echo", "POST", BytesIO(sent), headers=length), sent)


def _request_trailers(client: Client) -> None:
    sent, pieces = _pieces(5000)
    with client.connect() as conn:
        first = client.ask(conn, "/large")
        headers = {"trailer": "checksum"}  # Go's server wants to be told
        answer = client.get(conn, "/echo", "POST", pieces, headers=headers, trailers={"checksum": "abc"})
        told = _echoed(answer, sent)
        _expect(client.answer(conn, first), LARGE)
    trailers = told.get("trailers", {})
    if "trailers" in told and trailers != {"checksum": "abc"}:
        raise NotOffered("drops them")


def _response_trailers(client: Client) -> None:
    with client.connect() as conn:
        answer = _expect(client.get(conn, "/trailers", headers={"te": "trailers"}))
    if not answer.trailers:
        raise NotOffered("drops them")
    assert answer.trailers["checksum"] == "abc"


def _refusal(client: Client) -> str:
    with client.connect() as conn:
        try:
            length = {"content-length": str(REFUSED)}
            answer = client.get(conn, "/refuse", "POST", BytesIO(bytes(REFUSED)), headers=length)
        except hyperlite.StreamReset as error:
            raise NotOffered(f"refuses without a status: {error}") from error
        if answer.status == 200:
            raise NotOffered("takes bodies of any size")
        assert answer.status == 413, f"status {answer.status}"
        _expect(client.get(conn, "/small"), SMALL)
    return "" if len(client.seen.connections) == 1 else "ends the connection"


# -- connections ------------------------------------------------------------------------------------


def _ping(client: Client) -> None:
    with client.connect() as conn:
        _expect(client.get(conn, "/small"), SMALL)
        conn.ping(timeout=20)


def _resumption(client: Client) -> str:
    context = hyperlite.create_context(cafile=client.ca_file)
    conn = client.connect(secure=True, context=context)
    for _ in range(3):
        _expect(client.get(conn, "/small"), SMALL)
        conn.close()
    if client.seen.connections[-1].certificate is not None:
        raise NotOffered("makes a full handshake each time")
    return str(client.seen.connections[-1].tls)


def _prior_knowledge(client: Client) -> None:
    with client.connect(secure=False) as conn:
        _expect(client.get(conn, "/small"), SMALL)
        _expect(client.get(conn, "/large"), LARGE)


def _upgrade(client: Client) -> None:
    with client.connect(secure=False, upgrade=True) as conn:
        try:
            answer = client.get(conn, "/small")
        except hyperlite.NotHTTP1 as error:
            raise NotOffered("takes only HTTP/2 there") from error
        if answer.version == 11 and answer.status >= 400:
            raise NotOffered(f"answers {answer.status}")
        if answer.version == 11:
            _expect(answer, SMALL, version=11)
            raise NotOffered("goes on in HTTP/1.1")
        _expect(answer, SMALL)
        _expect(client.get(conn, "/large"), LARGE)


def _alpn(client: Client) -> None:
    with client.connect(secure=True, protocols=("http/1.1",)) as conn:
        try:
            _expect(client.get(conn, "/small"), SMALL, version=11)
        except OSError as error:
            raise NotOffered(f"ends the connection: {error}") from error
        _expect(client.get(conn, "/large"), LARGE, version=11)


def _reload(client: Client) -> str:
    if not client.reload:
        raise NotOffered("has no such command")
    with client.connect() as conn:
        # Every tenth is larger than a stream's window, so some are incomplete as long as they are not read.
        paths = ["/text" if number % 10 else "/large" for number in range(UNDER_WAY)]
        ids = [client.ask(conn, path) for path in paths]
        _expect(client.answer(conn, ids[1]), TEXT)
        subprocess.run(client.reload, check=True, timeout=60, capture_output=True)
        time.sleep(RELOADING)
        for number in set(range(UNDER_WAY)) - {1}:
            _expect(client.answer(conn, ids[number]), TEXT if number % 10 else LARGE)
        _expect(client.get(conn, "/small"), SMALL)
    goaways = client.seen.frames.count((False, "GOAWAY"))
    return f"{len(client.seen.connections)} connections, {goaways} GOAWAY"


def _idle(client: Client) -> str:
    with client.connect() as conn:
        _expect(client.get(conn, "/small"), SMALL)
        time.sleep(IDLE)
        _expect(client.get(conn, "/small"), SMALL)
        _expect(client.get(conn, "/large"), LARGE)
    return "the same connection" if len(client.seen.connections) == 1 else "another connection"


CAPABILITIES = [
    Capability("small", "GET, 1 KiB", _small, "requests"),
    Capability("large", "GET, 4 MiB", _large, "requests"),
    Capability("head", "HEAD", _head, "requests"),
    Capability("at-once", f"{AT_ONCE} requests at once", _at_once, "requests"),
    Capability("fields", f"{FIELDS} more fields", _fields, "requests"),
    Capability("gzip", "gzip", _gzip, "requests"),
    Capability("priority", "PRIORITY_UPDATE", _priority, "requests"),
    Capability("cancel", "RST_STREAM in a body", _cancel, "requests"),
    Capability("body", "POST, 100 KB", _body, "bodies"),
    Capability("chunks", "POST of unknown length", _chunks, "bodies"),
    Capability("continue", "Expect: 100-continue", _continue, "bodies"),
    Capability("upload", "POST, 16 MiB", _upload, "bodies"),
    Capability("refusal", "413 during an upload", _refusal, "bodies"),
    Capability("request-trailers", "request trailers", _request_trailers, "bodies"),
    Capability("response-trailers", "response trailers", _response_trailers, "bodies"),
    Capability("ping", "PING", _ping, "connections"),
    Capability("resumption", "TLS resumption", _resumption, "connections"),
    Capability("prior-knowledge", "h2c, prior knowledge", _prior_knowledge, "connections"),
    Capability("upgrade", "h2c, Upgrade", _upgrade, "connections"),
    Capability("alpn", "HTTP/1.1 by ALPN", _alpn, "connections"),
    Capability("reload", f"reload, {UNDER_WAY} under way", _reload, "connections"),
    Capability("idle", f"idle for {IDLE:.0f} s", _idle, "connections"),
]
BY_NAME = {capability.name: capability for capability in CAPABILITIES}
