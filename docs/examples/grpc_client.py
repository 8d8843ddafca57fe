"""A gRPC client in a page or two, on nothing but hyperlite: docs/howto/grpc.md walks through it.

It moves messages as bytes; a program with generated protobuf classes gives it `message.SerializeToString()`
and hands what comes to `Message.FromString`.
"""

import contextlib
import http.client
import struct
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping

import hyperlite

OK, CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, PERMISSION_DENIED = 0, 1, 2, 4, 7
RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, UNAUTHENTICATED = 8, 12, 13, 14, 16

# What a stream's reset and an answer that is not gRPC's mean in its terms: "gRPC over HTTP2" has the tables.
OF_ERROR_CODE: Mapping[int | None, int] = {
    hyperlite.ErrorCode.CANCEL: CANCELLED,
    hyperlite.ErrorCode.REFUSED_STREAM: UNAVAILABLE,
    hyperlite.ErrorCode.ENHANCE_YOUR_CALM: RESOURCE_EXHAUSTED,
    hyperlite.ErrorCode.INADEQUATE_SECURITY: PERMISSION_DENIED,
}
OF_HTTP_STATUS = {
    400: INTERNAL,
    401: UNAUTHENTICATED,
    403: PERMISSION_DENIED,
    404: UNIMPLEMENTED,
    429: UNAVAILABLE,
    502: UNAVAILABLE,
    503: UNAVAILABLE,
    504: UNAVAILABLE,
}


class RpcError(Exception):
    """A call that did not end with the status OK.

    Attributes:
        code: the gRPC status.
        message: what the server, or the connection, says about it.
        trailers: the trailer fields, where some have come.
    """

    def __init__(self, code: int, message: str, trailers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"status {code}: {message}")
        self.code = code
        self.message = message
        self.trailers = trailers or {}


@contextlib.contextmanager
def as_rpc_error() -> Iterator[None]:
    """Have what goes wrong below gRPC raised as an RpcError."""
    try:
        yield
    except hyperlite.RequestTimeout as error:
        raise RpcError(DEADLINE_EXCEEDED, str(error)) from error
    except hyperlite.StreamReset as error:
        raise RpcError(OF_ERROR_CODE.get(error.error_code, INTERNAL), str(error)) from error
    except (http.client.HTTPException, OSError) as error:
        raise RpcError(UNAVAILABLE, str(error)) from error


class Call:
    """One call: messages go out by `send`, and come in by iteration, in whatever order is wanted.

    Args:
        conn: the connection, which any number of calls share.
        method: "/package.Service/Method".
        timeout: seconds for all of the call; the server is told, too.
        metadata: header fields besides.
    """

    def __init__(
        self,
        conn: hyperlite.HTTP20Connection,
        method: str,
        timeout: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        headers = {"content-type": "application/grpc", "te": "trailers", **(metadata or {})}
        if timeout is not None:
            headers["grpc-timeout"] = f"{max(1, round(timeout * 1000))}m"  # milliseconds
        self._conn = conn
        self._response: hyperlite.HTTP20Response | None = None
        with as_rpc_error():
            self._stream_id = conn.request(
                "POST", method, headers=headers, end_stream=False, timeout=None, deadline=timeout
            )

    def send(self, message: bytes) -> None:
        """Send a message: five bytes (not compressed, its length) and itself."""
        self._conn.send(struct.pack(">BI", 0, len(message)) + message, self._stream_id)

    def end(self) -> None:
        """Say that no more messages follow."""
        self._conn.end(self._stream_id)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the server's messages as they come; raise RpcError unless the status behind them is OK."""
        with as_rpc_error():
            response = self._get_response()
        while (message := self._read_message(response)) is not None:
            yield message
        self._check_status(response)

    @staticmethod
    def _read_message(response: hyperlite.HTTP20Response) -> bytes | None:
        """Return the next message, or None at the end."""
        with as_rpc_error():
            prefix = response.read(5)
            if not prefix:
                return None
            if len(prefix) < 5:
                raise RpcError(INTERNAL, "a message that was cut off")
            compressed, length = struct.unpack(">BI", prefix)
            message = response.read(length)
        if compressed or len(message) < length:
            raise RpcError(INTERNAL, "a message that was cut off, or compressed unasked")
        return message

    def cancel(self) -> None:
        """Give the call up: its stream is reset, the others go on."""
        if self._response is not None:
            self._response.close()
        else:
            with contextlib.suppress(http.client.ResponseNotReady):
                self._conn.cancel(self._stream_id)

    def _get_response(self) -> hyperlite.HTTP20Response:
        """Wait for the response's header fields, which a server may send long before its first message."""
        if self._response is None:
            self._response = self._conn.getresponse(self._stream_id)
            if self._response.status != 200:
                self.cancel()
                code = OF_HTTP_STATUS.get(self._response.status, UNKNOWN)
                raise RpcError(code, f"HTTP status {self._response.status}")
        return self._response

    @staticmethod
    def _check_status(response: hyperlite.HTTP20Response) -> None:
        """Raise unless the status, a trailer field or, where there is no message, a header field, is OK."""
        fields = response.trailers if "grpc-status" in response.trailers else response.headers
        status = fields.get("grpc-status")
        if status is None:
            raise RpcError(UNKNOWN, "the server sent no status")
        if int(status) != OK:
            message = urllib.parse.unquote(fields.get("grpc-message", ""))
            raise RpcError(int(status), message, dict(fields.items()))


class Channel:
    """The four kinds of calls, on one connection.

    Args:
        conn: the connection; `secure=False` is what gRPC calls an insecure channel.
    """

    def __init__(self, conn: hyperlite.HTTP20Connection) -> None:
        self._conn = conn

    def call(
        self, method: str, *, timeout: float | None = None, metadata: Mapping[str, str] | None = None
    ) -> Call:
        """Begin a call in which both sides send as they like: `send`, `end`, and iteration."""
        return Call(self._conn, method, timeout, metadata)

    def unary(self, method: str, message: bytes, *, timeout: float | None = None) -> bytes:
        """Send a message, return the answer."""
        return self.client_streaming(method, [message], timeout=timeout)

    def server_streaming(
        self, method: str, message: bytes, *, timeout: float | None = None
    ) -> Iterator[bytes]:
        """Send a message, yield the answers as they come."""
        call = self.call(method, timeout=timeout)
        self._send_all(call, [message])
        return iter(call)

    def client_streaming(
        self, method: str, messages: Iterable[bytes], *, timeout: float | None = None
    ) -> bytes:
        """Send messages, return the one answer."""
        call = self.call(method, timeout=timeout)
        self._send_all(call, messages)
        answers = list(call)
        if len(answers) != 1:
            raise RpcError(UNIMPLEMENTED, f"{len(answers)} answers where one was expected")
        return answers[0]

    @staticmethod
    def _send_all(call: Call, messages: Iterable[bytes]) -> None:
        # A stream that has failed takes no more; why is what the iteration raises.
        with contextlib.suppress(hyperlite.HTTP2Error):
            for message in messages:
                call.send(message)
            call.end()
