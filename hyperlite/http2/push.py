"""A response that a server promised unasked (RFC 9113 section 8.4)."""

import http.client as http_client

from ..messages.exchange import give_up
from ..messages.fields import to_message
from ..messages.response import HTTP20Response
from .stream import Stream, StreamTransport


class HTTP20Push:
    """A response that a server promised unasked (RFC 9113 section 8.4).

    Attributes:
        method, scheme, authority, path: of the request that it answers.
        request_headers: that request's other header fields.
    """

    def __init__(self, stream: Stream, parent: HTTP20Response, untaken: list[Stream]) -> None:
        pseudo = {name: value.decode("latin-1") for name, value in stream.request.fields[:4]}
        self._stream = stream
        self._parent = parent  # kept alive: a parent that is dropped refuses its pushes
        self._untaken = untaken  # the pushes of the parent's stream that no caller has taken
        self.method: str = pseudo[b":method"]
        self.scheme: str = pseudo[b":scheme"]
        self.authority: str = pseudo[b":authority"]
        self.path: str = pseudo[b":path"]
        self.request_headers: http_client.HTTPMessage = to_message(stream.request.fields)

    def getresponse(self) -> HTTP20Response:
        """Return the promised response, when its header block has arrived.

        Raises:
            http.client.ResponseNotReady: it was taken, or cancelled.
            RequestTimeout: nothing came within the timeout.
            HTTP2Error: the stream or the connection failed.
        """
        stream, transport = self._stream, self._transport()
        try:
            transport.wait_head(stream)
        except BaseException:
            give_up(stream)
            raise
        self._untaken.remove(stream)
        return type(self._parent).from_stream(stream, self.method)

    def cancel(self) -> None:
        """Refuse the response: its stream is reset.

        Raises:
            http.client.ResponseNotReady: it was taken, or cancelled.
        """
        transport = self._transport()
        self._untaken.remove(self._stream)
        transport.drop(self._stream)

    def _transport(self) -> StreamTransport:
        if self._stream not in self._untaken or self._stream.transport is None:
            raise http_client.ResponseNotReady(f"the promised response to {self.path!r} was taken")
        return self._stream.transport

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.method} {self.scheme}://{self.authority}{self.path}>"
