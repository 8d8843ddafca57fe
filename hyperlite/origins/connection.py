"""A connection as a pool keeps it: one socket for its life."""

import contextlib
import http.client as http_client
import socket
import time
from typing import Any

from ..connection import HTTP20Connection
from ..errors import ConnectionGoingAway
from ..http1.connection import HTTP1Connection
from ..http2.connection import HTTP2Connection
from ..http2.stream import Stream
from ..messages.fields import Header, Pairs
from ..messages.request import IN_MEMORY, Request
from ..messages.response import HTTP20Response
from ..net import socks
from ..net.happy_eyeballs import create_connection
from ..net.protocols import Protocols
from ..net.sockets import is_stale
from ..net.timeouts import remaining
from .bonds import Bond
from .key import Key


class PooledConnection(HTTP20Connection):
    """A connection of a pool: one socket, HTTP/2 or HTTP/1.1.

    Args:
        key: what sets it apart.
        timeout: seconds that a step may last, or None.
        protocols: what may be spoken, which all connections to the origin have in common.
        options: of `HTTP20Connection`.

    Attributes:
        mux: the HTTP/2 connection, or None on HTTP/1.1, and before it is dialled.
        leased: how many requests use it now; the origin's lock guards it.
        used: whether a request was sent on it before.
        idle_since: the monotonic time at which it was last given back.
        bond: whose it is, where it has carried NTLM or Negotiate; the origin's lock guards it.
        forwarded: requests go to a proxy, which wants the whole URL for a target.
    """

    def __init__(self, key: Key, *, timeout: float | None, protocols: Protocols, **options: Any) -> None:
        proxy, secure = key.proxy, key.scheme == "https"
        forwarded = proxy is not None and proxy.scheme == "http"
        host, port = (proxy.host, proxy.port) if proxy and forwarded else (key.host, key.port)
        super().__init__(
            host,
            port,
            secure=secure,
            timeout=timeout,
            context=key.context,
            **options,
        )
        self._protocols = protocols
        self._trust = key.verification if secure else None  # so it is dialled, whatever happens meanwhile
        self.mux: HTTP2Connection | None = None
        self.leased = 0
        self.used = False
        self.bond: Bond | None = None
        # The latest plain GET, and the headers that it was made of; one object, as threads take turns here.
        self._template: tuple[list[Header], Request] | None = None
        self.idle_since = time.monotonic()
        if proxy is None:
            self._create_connection: Any = create_connection
        elif not forwarded:
            self._create_connection = socks.through(proxy)
        else:
            self._create_connection = create_connection
            if secure:
                told = dict(proxy.headers)
                if proxy.authorization:
                    told["Proxy-Authorization"] = proxy.authorization
                self.set_tunnel(key.host, key.port, told)
        self.forwarded = forwarded and not secure

    def _talk(self, sock: socket.socket, *, http2: bool) -> None:
        super()._talk(sock, http2=http2)
        self.auto_open = 0
        if isinstance(self._transport, HTTP2Connection):
            self.mux = self._transport

    def dial(self, by: float | None) -> None:
        """Connect; proxies, tunnel and TLS handshake included, all is over by a monotonic time.

        Raises:
            As `connect()`. RequestTimeout, TimeoutError: it was not over in time.
        """
        self._connect_by(by)

    @property
    def room(self) -> int:
        """How many more requests it takes at once."""
        limit = 1 if self.mux is None else self.mux.stream_limit
        return limit - self.leased

    def make_request(self, method: str, target: str, body: Any, headers: list[Header]) -> Request:
        """Return a request to be sent on this connection.

        Args:
            method, target, body: of the request.
            headers: a list that is never changed: the same object stands for the same headers.

        Raises:
            ValueError, TypeError, http.client.InvalidURL: something in it may not be sent.
        """
        plain = body is None and method == "GET"
        template = self._template
        if plain and template is not None and template[0] is headers:  # as one before it but for the target
            return template[1].like(target)
        request = Request(
            method,
            target,
            body,
            Pairs(headers),
            self._scheme,
            self._authority,
            self.blocksize,
        )
        if plain:
            self._template = headers, request
        return request

    def exchange(self, request: Request) -> HTTP20Response:
        """Send a request, whose body is in memory, over HTTP/2; return its response when its header is there.

        Args:
            request: of `make_request()`.

        Raises:
            As `request()` and `getresponse()`.
        """
        mux, stream = self.mux, Stream(0, request)
        if mux is None or not mux.submit((stream,)):
            raise ConnectionGoingAway("the connection takes no further requests", retry_safe=True)
        try:
            mux.settle(stream)
            mux.wait_head(stream)
        except BaseException:
            mux.drop(stream)
            raise
        return self.response_class.from_stream(stream, request.method)

    def ask(
        self,
        method: str,
        target: str,
        body: Any,
        headers: list[Header],
        *,
        timeout: float | None,
        deadline: float | None = None,
        chunked: bool = False,
    ) -> HTTP20Response:
        """Send a request and return its response when its header is there.

        Args:
            method, target, body, headers: as for `make_request()`.
            timeout: seconds that each step may last, or None.
            deadline: the monotonic time by which all must be over, or None.
            chunked: send the body in chunks on HTTP/1.1, whatever is known of its length.

        Raises:
            As `request()` and `getresponse()`. What has broken a kept connection under a request comes as it
            is: that the connection is not opened again to repeat it is the pool's own doing.
        """
        if self.mux is not None and not chunked and (body is None or isinstance(body, IN_MEMORY)):
            request = self.make_request(method, target, body, headers)
            if not request.expects:
                request.timeout, request.deadline = timeout, deadline
                return self.exchange(request)
        # The socket's own timeout: no step needs two system calls to set another and set it back.
        if self.mux is None and self.sock is not None and self.sock.gettimeout() != timeout:
            with contextlib.suppress(OSError):  # the server has announced the end, and the socket is closed
                self.sock.settimeout(timeout)
        try:
            stream_id = self.request(
                method,
                target,
                body,
                Pairs(headers),
                encode_chunked=chunked,
                timeout=timeout,
                deadline=remaining(deadline),
            )
            response = self.getresponse(stream_id)
            if response.sock is not None:
                self.sock = self._switched = (
                    None  # it is the response's: this connection takes no further request
                )
            return response
        except http_client.NotConnected as error:
            raise error.__cause__ or error from None

    @property
    def healthy(self) -> bool:
        """Whether it can take a request, as far as can be seen without asking the server."""
        if self.mux is not None:
            return self.mux.check()
        transport = self._transport
        if not isinstance(transport, HTTP1Connection) or self.sock is None:
            return False
        try:
            return not is_stale(self.sock)
        except OSError:  # http.client has closed it, because the server said that it would
            return False
