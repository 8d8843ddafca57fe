"""How programs make a connection, use it again, wrap it in classes of their own, and go on after an error."""

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

from tests.connect_proxy import Proxy

from .bodies import DATA
from .observe import Case, attempt, head, state
from .service import late


def another(conn: Any, *args: Any, kind: Any = None, **options: Any) -> Any:
    """Return a connection as a program makes it, to where `conn` would go."""
    options.setdefault("context", conn._context)
    return (kind or type(conn))(*(args or (conn.host, conn.port)), **options)


def is_connected(conn: Any) -> bool:
    """Tell whether the connection has a socket; http.client keeps one that a failed handshake has closed."""
    return conn.sock is not None and conn.sock.fileno() >= 0


def get(conn: Any, target: str = "/lines", **options: Any) -> Any:
    """Send a request, and return its status and its body."""
    conn.request("GET", target, **options)
    response = conn.getresponse()
    return [response.status, response.read()]


def _used(*args: Any, **options: Any) -> Callable[[Any], Any]:
    """Make a call that makes a connection with these arguments, and uses it."""

    def call(conn: Any) -> Any:
        made = another(conn, *(one(conn) if callable(one) else one for one in args), **options)
        with contextlib.closing(made):
            return [made.host, made.port == conn.port, made.timeout, made.blocksize, get(made)]

    return call


def _attributes(conn: Any) -> Any:
    made = another(conn, "localhost", timeout=3)
    return [
        made.host, made.port, made.default_port, made.timeout, made.source_address, made.sock, made.auto_open,
        made.debuglevel, made.blocksize, made.response_class.__name__, made._http_vsn, made._http_vsn_str,
        isinstance(made, http.client.HTTPConnection), isinstance(made, http.client.HTTPSConnection),
    ]  # fmt: skip


def _port(conn: Any) -> Any:
    return conn.port


def _host_and_port(conn: Any) -> str:
    return f"localhost:{conn.port}"


def _refused(conn: Any) -> Any:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    made = another(conn, "127.0.0.1", port, timeout=5)
    first = attempt(lambda: made.request("GET", "/"))
    return [first, is_connected(made), attempt(made.connect)]


def _untrusted(conn: Any) -> Any:
    made = another(conn, context=ssl.create_default_context())
    first = attempt(lambda: made.request("GET", "/"))
    seen = [first, is_connected(made), attempt(lambda: made.request("GET", "/"))]
    made.close()
    return [*seen, attempt(lambda: made.request("GET", "/"))]


def _unverified(conn: Any) -> Any:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with contextlib.closing(another(conn, "127.0.0.1", conn.port, context=context)) as made:
        return get(made)


def _unverified_afterwards(conn: Any) -> Any:
    """As pyvmomi does: with the context that the connection has."""
    made = type(conn)(conn.host, conn.port)
    made._context.check_hostname = False
    made._context.verify_mode = ssl.CERT_NONE
    with contextlib.closing(made):
        return get(made)


def _not_tls(conn: Any) -> Any:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            sock = listener.accept()[0]
            with sock, contextlib.suppress(OSError):
                sock.recv(1000)
                sock.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        made = another(conn, "127.0.0.1", listener.getsockname()[1], timeout=5)
        seen = attempt(lambda: made.request("GET", "/"))
        thread.join()
        return [seen, is_connected(made)]


def _times_out(conn: Any) -> Any:
    conn.connect()  # which may take longer
    conn.sock.settimeout(0.05)
    with late():
        conn.request("GET", "/late")
        seen = [
            conn.sock.gettimeout(),
            attempt(conn.getresponse),
            attempt(lambda: conn.request("GET", "/lines")),
        ]
        conn.close()
    return [*seen, get(conn)]


def _body_times_out(conn: Any) -> Any:
    with late():
        conn.request("GET", "/late-pieces")
        response = conn.getresponse()
        first = response.read(5)
        conn.sock.settimeout(0.05)
        seen = [first, attempt(lambda: response.read(5)), response.isclosed()]
        conn.close()
    return seen


def _socket(conn: Any) -> Any:
    """What programs ask the socket."""
    conn.connect()
    sock = conn.sock
    certificate = sock.getpeercert()
    return [
        sock.getpeername()[1] == conn.port, sock.family.name, sock.type.name, sock.gettimeout(),
        sorted(certificate), type(sock.getpeercert(True)).__name__, sock.version(), len(sock.cipher()),
        sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0, sock.server_hostname, sock.server_side,
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), sock.context.check_hostname, get(conn),
    ]  # fmt: skip


def _again(conn: Any) -> Any:
    """As programs try again what may have failed for the connection's age."""
    seen = []
    for attempt_number in range(3):
        try:
            seen.append(get(conn, "/cut-before" if attempt_number < 2 else "/lines"))
        except (http.client.HTTPException, OSError) as error:
            seen.append([isinstance(error, ConnectionError), isinstance(error, socket.error)])
            conn.close()
    return seen


def _once_again(conn: Any) -> Any:
    """As xmlrpc.client does."""
    for last in (False, True):
        try:
            conn.request("GET", "/lines" if last else "/cut-before")
            return [conn.getresponse().read(), last]
        except (
            ConnectionResetError,
            ConnectionAbortedError,
            BrokenPipeError,
            http.client.RemoteDisconnected,
        ):
            conn.close()
    return None


def _in_threads(conn: Any) -> Any:
    seen: list[Any] = [None] * 4

    def work(number: int) -> None:
        with contextlib.closing(another(conn)) as made:
            seen[number] = [get(made) for _ in range(3)]

    threads = [threading.Thread(target=work, args=[number]) for number in range(len(seen))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def _behind_a_lock(conn: Any) -> Any:
    lock, seen = threading.Lock(), []

    def work() -> None:
        with lock:
            seen.append(get(conn))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def _mixin(conn: Any) -> type[Any]:
    class Logging:
        calls: list[Any]

        def request(self, *args: Any, **options: Any) -> None:
            vars(self).setdefault("calls", []).append(("request", args[0]))
            super().request(*args, **options)  # type: ignore[misc]

        def putheader(self, header: Any, *values: Any) -> None:
            vars(self).setdefault("calls", []).append(("putheader", header, values))
            super().putheader(header, *values)  # type: ignore[misc]

        def getresponse(self) -> Any:
            response = super().getresponse()  # type: ignore[misc]
            self.calls.append(("getresponse", response.status))
            return response

    return type("Mixed", (Logging, type(conn)), {})


def _logged(conn: Any) -> Any:
    with contextlib.closing(another(conn, kind=_mixin(conn))) as made:
        seen = get(made, headers={"X-A": "1"})
        return [seen, [call for call in made.calls if call[1] != "Host"]]


def _adding_fields(conn: Any) -> Any:
    class Adding(type(conn)):  # type: ignore[misc]
        def endheaders(self, *args: Any, **options: Any) -> None:
            self.putheader("X-Added", "yes")
            super().endheaders(*args, **options)

        def putrequest(self, method: str, url: str, *args: Any, **options: Any) -> None:
            super().putrequest(method, url + "?added", *args, **options)

    with contextlib.closing(another(conn, kind=Adding)) as made:
        return get(made, "/report")


def _connecting(conn: Any) -> Any:
    class Connecting(type(conn)):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connected = getattr(self, "connected", 0) + 1

    with contextlib.closing(another(conn, kind=Connecting)) as made:
        seen = [get(made), get(made), made.connected]
        made.close()
        return [*seen, get(made), made.connected]


def _own_socket(conn: Any) -> Any:
    """As programs do that find the way to the server themselves."""

    class Own(type(conn)):  # type: ignore[misc]
        def connect(self) -> None:
            sock = socket.create_connection(("127.0.0.1", self.port), self.timeout)
            self.sock = self._context.wrap_socket(sock, server_hostname=self.host)

    with contextlib.closing(another(conn, kind=Own)) as made:
        return [get(made), get(made)]


def _own_create_connection(conn: Any) -> Any:
    calls = []

    def create(address: Any, timeout: Any, source: Any) -> Any:
        calls.append((address[0], timeout, source))
        return socket.create_connection(("127.0.0.1", address[1]), timeout)

    with contextlib.closing(another(conn, timeout=7)) as made:
        made._create_connection = create
        return [get(made), calls]


def _own_response(conn: Any) -> Any:
    class Answer(type(conn).response_class):  # type: ignore[misc]
        def begin(self) -> None:
            super().begin()
            self.begun = True

        def read(self, amt: Any = None) -> bytes:
            return super().read(amt).upper()

        @property
        def text(self) -> str:
            return self.read().decode()

    with contextlib.closing(another(conn)) as made:
        made.response_class = Answer
        made.request("GET", "/lines")
        response = made.getresponse()
        return [type(response).__name__, response.begun, response.text, state(response)]


def _own_send(conn: Any) -> Any:
    class Counting(type(conn)):  # type: ignore[misc]
        sent = 0

        def send(self, data: Any) -> None:
            self.sent += 1
            super().send(data)

    with contextlib.closing(another(conn, kind=Counting)) as made:
        made.request("PUT", "/report", DATA, {"X-A": "1"})
        made.getresponse().read()
        return made.sent


def _delegated(conn: Any) -> Any:
    class Wrapper:
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None:
            self._inner.close()

    with Wrapper(conn) as wrapped:
        return [get(wrapped), wrapped.host]


def _tunnelled(
    *, headers: Any = None, refuse: bytes | None = None, late: bool = False
) -> Callable[[Any], Any]:
    def call(conn: Any) -> Any:
        with Proxy(refuse=refuse) as proxy:
            made = another(conn, "127.0.0.1", proxy.port, timeout=5)
            with contextlib.closing(made):
                if late:
                    made.connect = lambda: None
                    made.sock = object()
                    failed = attempt(lambda: made.set_tunnel("localhost", conn.port))
                    made.sock = None
                    return failed
                made.set_tunnel("localhost", conn.port, headers)
                seen = [attempt(lambda: get(made)) for _ in range(2)]
                lines = [line.replace(str(conn.port), "PORT") for line in proxy.seen[0]]
                return [seen, made.host, lines, made.sock is None]

    return call


def _left_unread(conn: Any) -> Any:
    conn.request("GET", "/lines")
    response = conn.getresponse()
    seen = [response.status, attempt(lambda: conn.request("GET", "/lines")), attempt(conn.getresponse)]
    return [*seen, response.read(), attempt(conn.getresponse().read)]


def _dropped(conn: Any) -> Any:
    conn.request("GET", "/lines")
    conn.getresponse()
    return attempt(lambda: get(conn))


def _with_early_return(conn: Any) -> Any:
    conn.request("GET", "/status?n=404")
    with conn.getresponse() as response:
        if response.status != 200:
            return [response.status, attempt(lambda: conn.request("GET", "/lines"))]
    return None


def _reads_after_close(conn: Any) -> Any:
    conn.request("GET", "/sized/text")
    response = conn.getresponse()
    first = response.read(5)
    conn.close()
    return [first, response.read(), response.closed, conn.sock, get(conn)]


def _reads_after_close_of_its_own(conn: Any) -> Any:
    """As programs do that ask for the end of the connection, and return the response."""
    conn.request("GET", "/sized/text", headers={"Connection": "close"})
    response = conn.getresponse()
    conn.close()
    return [response.will_close, response.read(), state(response), get(conn)]


def _states(conn: Any) -> Any:
    """What of http.client's own state programs look at."""
    name = "_HTTPConnection__state"
    seen = [getattr(conn, name)]
    conn.putrequest("GET", "/lines")
    seen.append(getattr(conn, name))
    conn.endheaders()
    seen.append(getattr(conn, name))
    response = conn.getresponse()
    seen += [getattr(conn, name), conn._HTTPConnection__response is not None]
    response.read()
    return [*seen, conn._method]


def _every_debuglevel(conn: Any) -> Any:
    conn.set_debuglevel(1)
    with contextlib.redirect_stdout(None):
        first = get(conn)
    conn.set_debuglevel(0)
    return [first, get(conn), conn.debuglevel]


def _after_bad(method: str, target: str) -> Callable[[Any], Any]:
    def call(conn: Any) -> Any:
        return [attempt(lambda: conn.request(method, target)), conn.close(), get(conn)]

    return call


CALLS: dict[str, Callable[[Any], Any]] = {
    "host:port": _used(_host_and_port),
    "an IP address": _used("127.0.0.1", _port),
    "a timeout of None": _used(timeout=None),
    "a timeout of a float": _used(timeout=2.5),
    "the default timeout": _used(timeout=socket._GLOBAL_DEFAULT_TIMEOUT),  # type: ignore[attr-defined]
    "a source address": _used(source_address=("127.0.0.1", 0)),
    "a blocksize": _used(blocksize=100),
    "attributes": _attributes,
    "nothing listens": _refused,
    "a certificate that is not trusted": _untrusted,
    "no verification": _unverified,
    "no verification, afterwards": _unverified_afterwards,
    "the server speaks no TLS": _not_tls,
    "a timeout, then again": _times_out,
    "a timeout in the body": _body_times_out,
    "what the socket says": _socket,
    "tried again": _again,
    "tried once again": _once_again,
    "in threads": _in_threads,
    "behind a lock": _behind_a_lock,
    "a mixin that logs": _logged,
    "a class that adds fields": _adding_fields,
    "a class that connects": _connecting,
    "a class with a socket of its own": _own_socket,
    "a function that makes the socket": _own_create_connection,
    "a class for responses": _own_response,
    "a class that counts what is sent": _own_send,
    "a wrapper": _delegated,
    "a tunnel": _tunnelled(),
    "a tunnel with fields": _tunnelled(headers={"Proxy-Authorization": "Basic eA==", "X-A": "1"}),
    "a tunnel that is refused": _tunnelled(refuse=b"407 Proxy Authentication Required"),
    "a tunnel that is forbidden": _tunnelled(refuse=b"403 Forbidden"),
    "a tunnel, too late": _tunnelled(late=True),
    "left unread": _left_unread,
    "dropped": _dropped,
    "with, and an early return": _with_early_return,
    "read after the connection's close": _reads_after_close,
    "read after a close that was asked for": _reads_after_close_of_its_own,
    "its state": _states,
    "debuglevel, and none": _every_debuglevel,
    "auto_open off": lambda conn: [
        setattr(conn, "auto_open", 0), attempt(lambda: get(conn)), conn.close(), conn.connect(), get(conn),
    ],
    "connected twice": lambda conn: [conn.connect(), get(conn), conn.sock.close(), conn.connect(), get(conn)],
    "sock of None": lambda conn: [get(conn), conn.sock.close(), setattr(conn, "sock", None), get(conn)],
    "HTTP/1.0": lambda conn: [
        setattr(conn, "_http_vsn", 10), setattr(conn, "_http_vsn_str", "HTTP/1.0"), get(conn), get(conn),
    ],
    "HEAD, then GET": lambda conn: [
        conn.request("HEAD", "/sized/text"), head(conn.getresponse()), get(conn),
    ],
    "a bad method, then another": _after_bad("A\nB", "/"),
    "a bad target, then another": _after_bad("GET", "/ "),
    "a bad target, without a close": lambda conn: [
        attempt(lambda: conn.request("GET", "/\x7f")), attempt(lambda: get(conn)),
    ],
    "many on one": lambda conn: [get(conn, f"/report?n={number}")[0] for number in range(30)],
    "Connection: close for each": lambda conn: [
        (get(conn, headers={"Connection": "close"}), conn.close()) for _ in range(2)
    ],
    "Connection: keep-alive": lambda conn: [
        get(conn, headers={"Connection": "Keep-Alive"}), conn.sock is not None,
    ],
}  # fmt: skip


def cases() -> Iterator[Case]:
    for label, call in CALLS.items():
        yield Case(f"connection: {label}", call, own=True)
