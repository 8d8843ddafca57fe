"""The servers: how each is installed and started, what it does not offer, and what it does wrong."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from . import files, runtimes
from .running import Place, Running


@dataclass(frozen=True)
class Fault:
    """What a server does wrong, and how that is seen without hyperlite."""

    reason: str
    reproduction: str
    """A command, in which `$PORT`, `$CLEAR` and `$CA` stand for the ports and the authority's file."""
    shows: str
    """What the output of that command has in it."""


@dataclass(frozen=True)
class Server:
    """A server of HTTP/2."""

    title: str
    start: Callable[[Place], AbstractContextManager[Running]]
    needs: Sequence[str] = ()
    """The programs and files that it is; the version is that of the package that has the first."""
    apt: Sequence[str] = ()
    """Debian's packages that have them."""
    pip: Sequence[str] = ()
    npm: Sequence[str] = ()
    without: Mapping[str, str] = field(default_factory=dict)
    """What it does not offer, by the names of capabilities, and why."""
    faults: Mapping[str, Fault] = field(default_factory=dict)
    kind: str = "http"


NO_GZIP = "that is left to the application"
DROPPED = "it drops them"
NO_CONTINUE = "it sends no 100 Continue: the body follows after a second"
HTTP2_ALONE = "that port takes only HTTP/2"
NO_CLEAR = "it has no HTTP/2 without TLS"
NO_RELOAD = "it has no such command"
RAW = "python -m compat.servers.raw"

SERVERS: dict[str, Server] = {
    "nginx": Server(
        "nginx",
        files.nginx,
        needs=["nginx"],
        apt=["nginx-light"],
        without={"continue": NO_CONTINUE, "response-trailers": DROPPED, "upgrade": HTTP2_ALONE},
        faults={
            "request-trailers": Fault(
                "It answers, and takes the trailers for an error of the whole connection.",
                f"{RAW} $PORT --ca $CA --post 10 --trailer --times 2 /echo",
                "error_code=1",
            )
        },
    ),
    "nghttpd": Server(
        "nghttpd",
        files.nghttpd,
        needs=["nghttpd"],
        apt=["nghttp2-server"],
        without={
            "gzip": "it sends files as they are",
            "continue": NO_CONTINUE,
            "refusal": "it takes bodies of any size",
            "upgrade": HTTP2_ALONE,
            "alpn": HTTP2_ALONE,
            "reload": NO_RELOAD,
        },
    ),
    "h2o": Server(
        "h2o",
        files.h2o,
        needs=["h2o"],
        apt=["h2o"],
        without={
            "continue": NO_CONTINUE,
            "refusal": "it has one limit for all bodies, and answers by REFUSED_STREAM, without a status",
            "request-trailers": DROPPED,
            "response-trailers": DROPPED,
        },
        faults={
            "reload": Fault(
                "The old process closes its socket as soon as it has written the last response, although "
                "frames of the client, such as WINDOW_UPDATE, are unread there. So the system resets the "
                "connection (RFC 1122 section 4.2.2.13), and the end of what was sent is lost. Now and then "
                "it goes well.",
                f"{RAW} $PORT --ca $CA --times 20 --reload '$RELOAD' /large",
                "the connection ends",
            )
        },
    ),
    "node": Server(
        "Node's http2",
        runtimes.node,
        needs=["node"],
        apt=["nodejs"],
        without={"gzip": NO_GZIP, "upgrade": HTTP2_ALONE},
    ),
    "go": Server(
        "Go's net/http",
        runtimes.go,
        needs=["go"],
        apt=["golang-go"],
        without={"gzip": NO_GZIP, "prior-knowledge": NO_CLEAR, "upgrade": NO_CLEAR},
    ),
}
