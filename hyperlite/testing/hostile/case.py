"""What a case is.

The words for what is expected, of each request; alternatives are joined by "|", and where the requests of a
case differ, by ",":

- `ok`: complete and exact.
- `error`: one of hyperlite's exceptions before the timeout, never a response that looks complete.
- `retry`: sent again transparently, so ok; or an exception with `retry_safe`.
- `timeout`: TimeoutError, within timeout + 2 s.
- `bounded`: an exception of either kind within timeout + 2 s, although bytes keep coming.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hyperlite.errors import ErrorCode

CLEAR, TLS = "clear", "tls"
BOTH = (CLEAR, TLS)
BODY = b"hello from afar"

# Nothing that is expected to end by itself comes near it, on a busy machine either.
PATIENCE = 6.0

# Takes a `Line`, which has the case.
Script = Callable[[Any], None]
Codes = tuple[ErrorCode, ...]


@dataclass(frozen=True)
class Case:
    """One behaviour of a server.

    Attributes:
        name, section, expected, reference: as in the table.
        script: what the server does on its first connection; when it returns, the server behaves. It
            behaves on the further ones, unless `every`.
        note: what the name does not say.
        method, upload, count, together: the requests: their method, how many bytes they upload, how many
            they are, and whether all are sent before the first response is asked for.
        gated: each request but the first waits until the script has opened the stage's `gate`.
        status, body: what a good response is; a number stands for that many bytes of `pattern`.
        timeout, deadline: the connection's, in seconds.
        rst: the codes one of which the client must have sent in RST_STREAM of the first stream, and gone on.
        goaway: the codes one of which the client must have sent in GOAWAY, and not used the connection again.
        alive: whether the next request is to come on the same connection; None: it does not matter.
        after: how often a further request is tried at the end; one must succeed, and where the connection was
            broken behind the back of the first, that is the second. False: none is made.
        check: looks at the whole run (a `judging.Run`), at what came over the wire above all.
        protocol: what ALPN chooses: "h2", "http/1.1", or None for no ALPN at all.
        over: the transports.
        host: by which name the client connects; it is 127.0.0.1 all the same.
        server_tls, client_tls: make the contexts; by default those of the embedded server.
        handshake: whether the server does its TLS handshake before the script.
        memory: MiB that the process may grow by.
        fetch: how a pool makes the requests: "whole" (`fetch()`), "stream" (the same, with `stream=True`, by
            pieces) or "many" (`fetch_many()`); "": an `HTTP20Connection` does. For a pool, a number in `body`
            stands for that many zeros.
        prepare: what takes long, and is done before the requests.
    """

    name: str
    section: str
    expected: str
    reference: str
    script: Script
    note: str = ""
    method: str = "GET"
    upload: int = 0
    count: int = 1
    together: bool = False
    gated: bool = False
    status: int = 200
    body: bytes | int = BODY
    timeout: float = PATIENCE
    deadline: float | None = None
    rst: Codes = ()
    goaway: Codes = ()
    alive: bool | None = None
    after: int = 1
    every: bool = False
    check: Callable[[Any], None] | None = None
    protocol: str | None = "h2"
    over: tuple[str, ...] = BOTH
    host: str = "127.0.0.1"
    server_tls: Callable[[], ssl.SSLContext] | None = None
    client_tls: Callable[[], ssl.SSLContext] | None = None
    handshake: bool = True
    memory: float = 64
    fetch: str = ""
    prepare: Callable[[], object] | None = None

    def expected_of(self, index: int) -> frozenset[str]:
        """Return the words for one request."""
        parts = self.expected.split(",")
        return frozenset(parts[min(index, len(parts) - 1)].strip().split("|"))


CASES: dict[str, Case] = {}


@dataclass
class Section:
    """Declares the cases of one section."""

    name: str
    defaults: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, expected: str, reference: str, script: Script, **options: Any) -> None:
        """Declare a case."""
        assert name not in CASES, f"two cases named {name}"
        options = {**self.defaults, **options}
        for codes in ("rst", "goaway"):
            if isinstance(options.get(codes), ErrorCode):
                options[codes] = (options[codes],)
        CASES[name] = Case(name, self.name, expected, reference, script, **options)

    def case(self, name: str, expected: str, reference: str, **options: Any) -> Callable[[Script], Script]:
        """Declare the case whose script is decorated."""

        def declare(script: Script) -> Script:
            self.add(name, expected, reference, script, **options)
            return script

        return declare


def pattern(size: int, start: int = 0) -> bytes:
    """Return bytes that tell where in a body they belong."""
    offset = start % len(_BLOCK)
    pieces = _BLOCK * ((offset + size) // len(_BLOCK) + 1)
    return pieces[offset : offset + size]


_BLOCK = b"".join(b"%07x\n" % number for number in range(8192))  # 64 KiB
