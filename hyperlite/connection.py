"""HTTP20Connection: http.client's connection, with many requests under way at once.

A connection object outlives its sockets.  It sends on `Transports`: one current transport, over HTTP/2 or
HTTP/1.1, and draining ones that still finish requests.  `Pending` holds the requests under way, and gives
each an id.

Lock order: `Transports.dialling`, `Pending.lock`, then the transport's own.  The thread that connects holds
the first; a thread that only asks for a response never needs it.
"""

import http.client as http_client
import socket
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from . import stock
from .http2.engine import MAX_HEADER_LIST
from .http2.liveness import KEEPALIVE_IDLE, PING_TIMEOUT
from .http2.unread import MAX_BUFFERED
from .messages.exchange import give_up
from .messages.fields import Headers, authority, trailer_fields
from .messages.hosts import ascii_host
from .messages.replay import for_all_tries
from .messages.request import NO_HEADERS, UNSET, Priority, Request, priority_value
from .messages.response import HTTP20Response
from .net import trust
from .net.dialer import Dialer, Tunnel
from .net.forking import watch
from .net.protocols import BOTH, H2, Protocols, checked_protocols
from .net.timeouts import UNSET_TIMEOUT, checked_seconds, resolve_timeout
from .net.tls import Session
from .observing import Observer
from .pending import Pending
from .putting import PutRequest
from .telling import Observers
from .transports import Speaker, TransportOptions, Transports


class HTTP20Connection(PutRequest):
    """A connection to one origin over HTTP/2, or over HTTP/1.1 if the server has no HTTP/2.

    Args:
        host: the name, or `name:port`.
        port: by default 443, or 80 with `secure=False`.
        secure: use TLS, in which ALPN chooses the protocol. False: cleartext HTTP/2, by prior knowledge,
            unless `upgrade` or `protocols` says otherwise.
        timeout: seconds that each blocking step may last; None: no limit.  By default that of
            `socket.setdefaulttimeout`.
        source_address: (host, port) to connect from.
        context: the ssl.SSLContext; by default one that verifies (`hyperlite.create_context`).
            It is never changed. The server is offered the ALPN that is set on it, or else HTTP/2 and
            HTTP/1.1. For a context of another class see docs/explanation/differences.md.
        blocksize: bytes of a file to read, and send, at a time.
        max_buffered: bytes of unread responses to hold beyond the streams' flow-control windows (1 MiB and
            more each), where progress needs it.
        deadline: seconds for a whole exchange, from `request()` to the end of the response's body, or None.
        keepalive_idle: seconds of silence after which the next request sends a PING along; None: never.
        require_close_notify: an HTTP/1.1 body may end with the connection.  True: if that is a TLS connection
            that ends without close_notify (RFC 8446 section 6.1), the body is an `IncompleteBody`, because
            any attacker on the way can end a connection like that.  False: the body is complete, as in
            http.client; some servers send no close_notify.
        ping_timeout: seconds of waiting within which the server must send something after such a PING;
            otherwise the connection is given up, and requests that are safe to repeat (GET, HEAD, OPTIONS,
            TRACE) are sent again on another.
        upgrade: with `secure=False`: begin in HTTP/1.1, and ask by the first request without a body to go on
            in HTTP/2 (RFC 7540 section 3.2).  If the server declines, the connection stays in HTTP/1.1.  The
            next connection asks again.
        protocols: which may be spoken: a tuple or list of "h2", "http/1.1" or both, in any order.  With TLS
            ALPN offers them; with ("h2",), a server that does not choose HTTP/2 is an error
            (`NotHTTP2`).  With `secure=False`, ("h2",) is prior knowledge, ("http/1.1",) is HTTP/1.1, and
            both means the same as None.  None: both; with TLS, what the variable HYPERLITE_PROTOCOLS says,
            if it is set.
        enable_push: let the server push responses: `response.pushes`. Otherwise a push is a protocol error.
        max_header_list: bytes of one response's header fields on HTTP/2, counted as RFC 9113 section 10.5.1
            says (each field counts 32 more than its name and value). http.client has limits of its own.
        max_response_headers: how many header fields a response may have. None: 1,000 on HTTP/2, and on
            HTTP/1.1 as many as http.client accepts, which is 100.
        observers: are told of connections and requests: see `Observer`.
    """

    response_class: type[HTTP20Response] = HTTP20Response
    sock: Any

    def __init__(
        self,
        host: str,
        port: int | None = None,
        *,
        secure: bool = True,
        timeout: float | None = UNSET_TIMEOUT,
        source_address: tuple[str, int] | None = None,
        context: Any = None,
        blocksize: int = 65536,
        max_buffered: int = MAX_BUFFERED,
        deadline: float | None = None,
        keepalive_idle: float | None = KEEPALIVE_IDLE,
        ping_timeout: float = PING_TIMEOUT,
        enable_push: bool = False,
        upgrade: bool = False,
        protocols: Sequence[str] | None = None,
        max_header_list: int = MAX_HEADER_LIST,
        max_response_headers: int | None = None,
        require_close_notify: bool = True,
        observers: Iterable[Observer] = (),
    ) -> None:
        self.default_port = http_client.HTTPS_PORT if secure else http_client.HTTP_PORT
        if timeout is not UNSET_TIMEOUT:
            timeout = checked_seconds(timeout, "timeout")
        # HTTPSConnection.__init__ would load a context even if none is needed.
        stock.HTTPConnection.__init__(self, host, port, timeout, source_address, blocksize)
        self.source_address = source_address
        self.max_response_headers = max_response_headers
        self.deadline: float | None = checked_seconds(deadline, "deadline")
        self._context = context
        self._scheme = b"https" if secure else b"http"
        self._named = self.host, self.port, authority(self.host, self.port, self.default_port)
        if upgrade and secure:
            raise ValueError("upgrade=True is for secure=False: with TLS, ALPN chooses the protocol")
        allowed = checked_protocols(protocols)
        if upgrade and allowed not in (None, BOTH):
            raise ValueError("upgrade=True goes from HTTP/1.1 to HTTP/2: protocols must allow both")
        limits = max_buffered, keepalive_idle, ping_timeout, max_header_list, max_response_headers
        options = TransportOptions(*limits, enable_push, require_close_notify, Observers(observers))
        self._transports = Transports(
            self, options.checked(), Protocols(allowed, secure=secure), upgrade=upgrade
        )
        self._pending = Pending(self._transports, options.observers)
        watch(self)

    # -- requests ---------------------------------------------------------------------------------

    def request(  # type: ignore[override]  # http.client returns None
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Headers = NO_HEADERS,
        *,
        encode_chunked: bool = False,
        end_stream: bool = True,
        trailers: Headers | None = None,
        priority: Priority | None = None,
        timeout: float | None = UNSET,
        deadline: float | None = None,
    ) -> int:
        """Send a request; returns its stream id, which `getresponse` takes.

        When the call returns, the request is sent, or queued if the server takes no further stream now.  If
        the body is a file or an iterable, the call waits until it is sent.  With `Expect: 100-continue` in
        the headers of a request with a body (or with one that `send()` will give), the call waits a second
        for the server's 100; if a refusal comes instead, no body is sent.

        Args:
            method, url, body, encode_chunked: as in http.client.
            headers: a mapping as in http.client, or (name, value) pairs, in which a name may be repeated.
            end_stream: false: `send()` gives the body, until `end()`.
            trailers: header fields to be sent behind the body (RFC 9110 section 6.5).
            priority: how urgent the response is (RFC 9218): 0, most, to 7, or (urgency, incremental).
            timeout: seconds that each step of this exchange may last, None for no limit; by default
                the connection's. Connecting is one step; the shorter of the two timeouts holds for it.
            deadline: seconds for all of it, from now to the end of the response's body, however slowly
                the body drips; by default the connection's.

        Raises:
            ValueError, http.client.InvalidURL: an argument may not be sent; nothing was sent.
            http.client.CannotSendRequest: the body has another length than the headers announce; if it is
                in memory, nothing was sent. Or this thread has begun a request with `putrequest()`.
            RequestTimeout: the server's windows did not let it be sent in time.
            HTTP2Error, OSError: connecting failed, or the connection while the body was sent.
        """
        self._refuse_another()
        request = Request(  # by position: keywords would cost as much as the rest of the call
            method,
            url,
            body,
            headers,
            self._scheme,
            self._authority,
            self.blocksize,
            encode_chunked,
            end_stream,
            trailers,
            priority,
            timeout if timeout is UNSET else checked_seconds(timeout, "timeout"),
            self._due(deadline),
        )
        return self._pending.begin([request])[0]

    def request_many(self, requests: Iterable[tuple[Any, ...]]) -> list[int]:
        """Send many requests with one write; returns their stream ids in order.

        Args:
            requests: for each, the arguments of `request()`: (method, url), (method, url, body) or
                (method, url, body, headers).  All are checked before the first is sent.

        Raises:
            As `request()`; ValueError for a body that is a file or an iterable.
        """
        self._refuse_another()
        made, named, due = [], self._authority, self._due(None)
        for arguments in requests:
            request = self._make_request(named, due, *arguments)
            if request.pieces is not None:
                raise ValueError(
                    "request_many() takes bytes or str for a body: a file would hold up the others"
                )
            made.append(request)
        return self._pending.begin(made)

    def _make_request(
        self,
        named: bytes,
        due: float | None,
        method: str,
        url: str,
        body: Any = None,
        headers: Headers = NO_HEADERS,
    ) -> Request:
        request = Request(method, url, body, headers, self._scheme, named, self.blocksize)
        request.deadline = due
        return request

    def send(self, data: Any, stream_id: int | None = None) -> None:
        """Send a piece of the body of a request that is open.

        A request is open if it was made with `end_stream=False`, or by `endheaders()` with a body to come.

        The call waits for the server's window and returns when the piece is written.  If the server has
        answered completely, or refused instead of 100 Continue, it needs no more of the body: the piece is
        dropped.  Framing completes a request of `endheaders()`; `end()` completes the others.

        Args:
            data: bytes-like, str, a file or an iterable of bytes, as a body in http.client.
            stream_id: what `request()` or `endheaders()` returned; by default the latest open request of this
                thread.

        Raises:
            http.client.CannotSendRequest: there is no such request, or its end was sent; or this is more
                than its content-length has announced; or, without an id, `endheaders()` was not called yet.
            ValueError: the headers of `putheader()` have announced chunks, and these are none; the request is
                as it was before.
            HTTP2Error: the stream failed; RequestTimeout: the window did not open in time.
        """
        self._refuse_another(unless=stream_id)
        self._pending.send(data, stream_id, self.blocksize)

    def end(self, stream_id: int | None = None, trailers: Headers | None = None) -> None:
        """Complete an open request: usually one that was made with `end_stream=False`.

        Args:
            stream_id: what `request()` or `endheaders()` returned; by default the latest open request of this
                thread.
            trailers: header fields to be sent behind the body, besides those given to `request()`.

        Raises:
            ValueError: a trailer field that may not be sent; the request is still open.
            http.client.CannotSendRequest: less was sent than the headers have announced; or, on
                HTTP/1.1, there are trailers beside a content-length. The request is still open.
            Otherwise as `send()`.
        """
        self._refuse_another(unless=stream_id)
        self._pending.end(stream_id, () if trailers is None else trailer_fields(trailers))

    def cancel(self, stream_id: int | None = None) -> None:
        """Give up a request whose response was not yet taken: reset its stream; its id cannot be used again.

        A response that was taken is given up by its own `close()`.

        Args:
            stream_id: what `request()` or `endheaders()` returned; None: what this thread has begun with
                `putrequest()` and not sent, if there is such a request.

        Raises:
            http.client.ResponseNotReady: there is no such request, or its response was taken.
        """
        if stream_id is None:
            if self._drafts is not None:
                self._drafts.draft = None
            return
        self._pending.cancel(stream_id)

    # -- responses --------------------------------------------------------------------------------

    def getresponse(self, stream_id: int | None = None) -> HTTP20Response:
        """Return the response to a request, when its header block has arrived.

        Args:
            stream_id: what `request()` returned; by default that of the oldest request of this
                thread whose response was not yet taken.

        Raises:
            http.client.ResponseNotReady: there is no such request, or its response was taken.
            RequestTimeout: nothing came within the timeout. On HTTP/2, silence before this call counts too:
                the time in which a wait for another response brought nothing, if nothing has moved since.
            HTTP2Error: the connection or the stream failed.
            After any of these the request is cancelled, and its id cannot be used again.
        """
        pending = self._pending.take(stream_id)
        try:
            response: HTTP20Response = self._pending.answered(pending).make_response(self.response_class)
            if response.sock is not None:  # as with http.client, which goes on to use it
                self.sock = self._transports.switched = response.sock
            if self._pending.watched.pending:
                self._pending.watched.answered(pending, response)
            return response
        except BaseException as error:
            self._pending.watched.failed(pending, error)
            give_up(pending)
            for_all_tries(error, doubtful=pending.doubtful)
            raise

    def as_ready(self, ids: Iterable[int] | None = None, timeout: float | None = None) -> Iterator[int]:
        """Yield stream ids as their responses' header blocks, or their failures, arrive.

        `getresponse(id)` then returns the one or raises the other, without waiting. An id whose request is
        cancelled meanwhile, or whose response is taken, by this thread or another, is not yielded.

        Args:
            ids: which; by default all requests of this thread whose responses were not yet taken.
            timeout: seconds for all of them together, instead of the requests' own timeouts; 0: yield those
                that have arrived now.  None: a request fails if nothing comes within its own timeout.  Its
                deadline holds in any case.  A request that must be sent again on a new connection stays
                pending if connecting takes longer: each call begins to connect anew, and `getresponse()`
                waits for it.

        Raises:
            http.client.ResponseNotReady: one of the ids is unknown, or its response was taken.
            RequestTimeout: the time was over before all had arrived.
        """
        return self._pending.as_ready(ids, checked_seconds(timeout, "timeout"))

    def prioritize(self, stream_id: int, priority: Priority) -> None:
        """Change how urgent a response is (RFC 9218 section 7), while it is awaited or read.

        It goes in a PRIORITY_UPDATE frame, or in the request itself if that was not sent yet. Over HTTP/1.1,
        and when the response has come, there is nothing to change.

        Args:
            stream_id: what `request()` returned.
            priority: urgency 0, most, to 7, or (urgency, incremental).

        Raises:
            ValueError: no such urgency, or an id that `request()` has not returned.
        """
        value = priority_value(priority)
        if not 0 < stream_id < self._pending.next_id or not stream_id % 2:
            raise ValueError(f"no request has the id {stream_id!r}")
        for current in (self._transports.current, *self._transports.draining):
            if current is not None:
                current.prioritize(stream_id, value)

    def ping(self, timeout: float | None = None) -> float:
        """Send PING (RFC 9113 section 6.7) and wait for the answer; returns the round trip in seconds.

        Args:
            timeout: seconds to wait; by default the connection's own.

        Raises:
            http.client.NotConnected: there is no open HTTP/2 connection.
            RequestTimeout: no answer came.
        """
        current = self._transports.current
        if current is None or current.closed:
            raise http_client.NotConnected("PING needs an open HTTP/2 connection")
        return current.ping(current.timeout if timeout is None else checked_seconds(timeout, "timeout"))

    # -- connecting -------------------------------------------------------------------------------

    def connect(self) -> None:
        """Connect now; `request()` does it by itself, for each socket that it needs.

        A subclass may put a socket of its own in `sock`, and so may the program, in a connection that is
        closed.  With TLS, the ALPN of that socket tells the protocol.

        Raises:
            OSError, ssl.SSLError: as http.client's `connect()`.
            InadequateSecurity: HTTP/2 was negotiated with a cipher that it forbids.
            NotHTTP2: `protocols` is ("h2",), and the server did not choose HTTP/2.
        """
        self._transports.connect()

    def set_debuglevel(self, level: int) -> None:
        """Print, above 0: on HTTP/1.1 what http.client prints, on HTTP/2 each frame as one line."""
        super().set_debuglevel(level)
        if self._transports.current is not None:
            self._transports.current.trace(level > 0)

    def set_tunnel(self, host: str, port: int | None = None, headers: Any = None) -> None:
        """Connect through the proxy that the constructor named, as in http.client; TLS and ALPN are inside.

        Args:
            host, port: the origin, which requests name from now on.
            headers: a mapping of header fields for the proxy, such as `Proxy-Authorization`.

        Raises:
            RuntimeError: the connection is open already.
            http.client.InvalidURL, ValueError: the host or the port is none.
        """
        host, port = self._get_hostport(host, port)  # type: ignore[attr-defined]
        if host[:1] == "[" and host[-1:] == "]":  # some releases of http.client leave the brackets
            host = host[1:-1]
        host = ascii_host(host)  # of which http.client makes the Host that the proxy is told
        authority(host, port, self.default_port)  # before anything is set
        super().set_tunnel(host, port, headers)

    @property
    def _authority(self) -> bytes:
        """The origin as requests name it: `host` and `port` may be set, as with http.client."""
        host, port = self._tunnel_host, self._tunnel_port  # type: ignore[attr-defined]
        if host is None:
            host, port = self.host, self.port
        known_host, known_port, named = self._named
        if known_host != host or known_port != port:
            named = authority(host, port, self.default_port)
            self._named = host, port, named
        return named

    @property
    def _origin(self) -> tuple[str, int]:
        """The host, in ASCII, and the port that requests are for: the tunnel's far end where there is one."""
        if self._tunnel_host is not None:  # type: ignore[attr-defined]
            return ascii_host(self._tunnel_host), self._tunnel_port  # type: ignore[attr-defined]
        return ascii_host(self.host), self.port

    def _dial(
        self, alpn: tuple[str, ...], by: float | None, session: Session | None
    ) -> tuple[socket.socket, str]:
        """Return a connected socket and the protocol, by this object as it is now; see `Dialer`."""
        sys.audit("http.client.connect", self, self.host, self.port)
        self._pending.watched.look()
        context = self._context
        if self._scheme == b"https" and context is None:
            context = trust.default_context()
        tunnelled = self._tunnel_host is not None  # type: ignore[attr-defined]
        dialer = Dialer(
            ascii_host(self.host),
            self.port,
            context=context,
            tunnel=None if not tunnelled else Tunnel(*self._origin, self._tunnel_headers),  # type: ignore[attr-defined]
            source_address=self.source_address,
            create_connection=self._create_connection,  # type: ignore[attr-defined]
            session=session,
            debuglevel=self.debuglevel,
            observers=self._pending.watched.observers,
        )
        sock, protocol = dialer.dial(alpn, timeout=resolve_timeout(self.timeout), by=by)
        if dialer.proxy_headers is not None:  # for get_proxy_response_headers(), since Python 3.12
            self._raw_proxy_headers = dialer.proxy_headers
        return sock, protocol

    def _speak(self, sock: socket.socket) -> http_client.HTTPConnection:
        """Return an http.client connection that talks on a socket."""
        speaker = Speaker(
            *self._origin, self.default_port, self.blocksize, self.debuglevel, self.max_response_headers
        )
        return speaker(sock)

    # -- the end ----------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the connection; the next request opens it again.

        Requests whose responses were not taken are cancelled; requests begun with `putrequest()` are
        dropped.  A response that was taken can be read to its end, and the last one closes the socket.  The
        socket of the latest 101 is closed at once.
        """
        with self._transports.dialling, self._pending.lock:
            vars(self).pop("_drafts", None)
            self._transports.close()
            dropped = self._pending.cancel_all_locked()
            super().close()
        self._pending.watched.dropped(dropped)

    def __del__(self) -> None:
        """Close a connection in HTTP/1.1 at once when its caller drops it: no collector is waited for."""
        transports: Transports | None = vars(self).get("_transports")
        if transports is not None:  # or else __init__ was interrupted
            transports.abandon()

    def after_fork(self) -> None:
        """In the child: the transports are the parent's, and the next request connects anew."""
        self._transports.after_fork()
        self._pending.after_fork()
        self.sock = None  # to shut it down would end the parent's connection

    def __enter__(self) -> "HTTP20Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        origin = f"{type(self).__name__} {self._authority.decode()}"
        current, untaken = self._transports.current, len(self._pending.requests)
        if current is None or current.closed:
            return f"<{origin}, closed, {untaken} untaken>"
        protocol = "HTTP/2" if current.protocol == H2 else "HTTP/1.1"
        under_way, queued = current.counts
        return f"<{origin}, {protocol}, {under_way} streams, {queued} queued, {untaken} untaken>"
