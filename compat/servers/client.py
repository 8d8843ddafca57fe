"""The client's side of a probe: what it knows of the server, and how it asks for things there."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import hyperlite
from hyperlite.observing import ConnectionInfo, Frame

# Seconds that a step may take, on a machine that has other things to do.
PATIENCE = 60.0


class NotOffered(Exception):
    """The server has no such thing; the text says how it is seen."""


@dataclass(frozen=True)
class Answer:
    """A response, read to its end."""

    status: int
    version: int
    headers: Any
    body: bytes
    trailers: Any
    informational: Sequence[int]


class Seen(hyperlite.Observer):
    """What passes on a probe's connections."""

    def __init__(self) -> None:
        self.connections: list[ConnectionInfo] = []
        self.frames: list[tuple[bool, str]] = []

    def dialled(self, connection: ConnectionInfo) -> None:
        """Take note of a connection."""
        self.connections.append(connection)

    def frame(self, connection: ConnectionInfo, frame: Frame) -> None:
        """Take note of a frame."""
        self.frames.append((frame.outgoing, frame.kind))


@dataclass
class Client:
    """What asks a server. That of grpcio, which answers calls alone, is `Caller`."""

    port: int | None
    """With TLS."""
    clear: int | None
    """Without."""
    ca_file: str
    reload: Sequence[str] = ()
    """The command that has the server take its configuration anew."""
    seen: Seen = field(default_factory=Seen)

    def connect(self, *, secure: bool | None = None, **options: Any) -> hyperlite.HTTP20Connection:
        """Return a new connection, which opens with its first request; with TLS where the server has it."""
        if secure is None:
            secure = self.port is not None
        port = self.port if secure else self.clear
        if port is None:
            raise NotOffered("no port with TLS" if secure else "no port without TLS")
        if secure:
            options.setdefault("context", hyperlite.create_context(cafile=self.ca_file))
        options.setdefault("observers", [self.seen])
        options.setdefault("timeout", PATIENCE)
        return hyperlite.HTTP20Connection("localhost", port, secure=secure, **options)

    def ask(
        self,
        conn: hyperlite.HTTP20Connection,
        path: str,
        method: str = "GET",
        body: Any = None,
        **options: Any,
    ) -> int:
        """Send a request; returns its id."""
        return conn.request(method, path, body, **options)

    def answer(self, conn: hyperlite.HTTP20Connection, stream_id: int) -> Answer:
        """Return the response, read to its end."""
        response = conn.getresponse(stream_id)
        body = response.read()
        return Answer(
            response.status,
            response.version,
            response.headers,
            body,
            response.trailers,
            [status for status, _ in response.informational],
        )

    def get(self, conn: hyperlite.HTTP20Connection, path: str, *args: Any, **options: Any) -> Answer:
        """Ask, and return the answer."""
        return self.answer(conn, self.ask(conn, path, *args, **options))


class Caller(Client):
    """Asks by calls of gRPC: what is asked for is a message, and so is what is sent."""

    def ask(
        self,
        conn: hyperlite.HTTP20Connection,
        path: str,
        method: str = "GET",
        body: Any = None,
        **options: Any,
    ) -> int:
        """Call a method: `Get` with the path, or `Echo` with the body."""
        if method not in {"GET", "POST"} or not isinstance(body, bytes | None):
            raise NotOffered("calls of gRPC alone")
        message = path.encode() if body is None else body
        headers = {**options.pop("headers", {}), "content-type": "application/grpc", "te": "trailers"}
        target = "/site/Get" if body is None else "/site/Echo"
        framed = b"\0" + len(message).to_bytes(4, "big") + message
        return conn.request("POST", target, framed, headers=headers, **options)

    def answer(self, conn: hyperlite.HTTP20Connection, stream_id: int) -> Answer:
        """Return the message that was answered."""
        framed = super().answer(conn, stream_id)
        status = framed.trailers.get("grpc-status") or framed.headers.get("grpc-status")
        assert status == "0", f"grpc-status {status}: {framed.trailers.get('grpc-message')}"
        assert int.from_bytes(framed.body[1:5], "big") == len(framed.body) - 5
        return Answer(
            framed.status,
            framed.version,
            framed.headers,
            framed.body[5:],
            framed.trailers,
            framed.informational,
        )


KINDS = {"http": Client, "grpc": Caller}


def client(text: str) -> Client:
    """Return the client that JSON describes."""
    values = json.loads(text)
    return KINDS[values.pop("kind")](**values)
