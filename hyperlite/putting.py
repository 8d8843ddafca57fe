"""Requests in http.client's steps: putrequest(), putheader(), endheaders().

Rule: a request that a thread has begun belongs to that thread until `endheaders()` gives it a stream id.
    Then it is a request like any other.
"""

import contextlib
import http.client as http_client
from typing import TYPE_CHECKING, Any

from . import stock
from .messages.draft import Draft, Drafts
from .messages.fields import HeaderValue
from .net.timeouts import checked_seconds, deadline_after
from .pending import Pending


class PutRequest(stock.HTTPSConnection):
    """The methods of `HTTP20Connection` that send a request in steps."""

    deadline: float | None
    _scheme: bytes
    _pending: Pending
    _drafts: Drafts | None = None  # made by the first `putrequest()`

    if TYPE_CHECKING:

        @property
        def _authority(self) -> bytes: ...

    def putrequest(
        self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = False
    ) -> None:
        """Begin a request, to which `putheader()` adds header fields; `endheaders()` sends it.

        Each thread may have begun one. Nothing is sent, and no connection is opened, before `endheaders()`.

        Args:
            method, url: as for `request()`.
            skip_host: the caller puts `Host`. If it puts none, the request still names the connection's host,
                as both protocols require.
            skip_accept_encoding: do not add `Accept-Encoding: identity`.

        Raises:
            http.client.CannotSendRequest: this thread has begun another, and neither sent it nor dropped it
                with `cancel()`.
            ValueError, http.client.InvalidURL: the method, the URL or the connection's host may not be sent;
                no request was begun.
        """
        drafts: Drafts = self._drafts or vars(self).setdefault("_drafts", Drafts())  # of all threads the same
        drafts.refuse_another()
        drafts.draft = Draft(
            method,
            url,
            self._scheme,
            self._authority,
            skip_host=skip_host,
            skip_accept_encoding=skip_accept_encoding,
        )

    def putheader(self, header: str | bytes, *values: HeaderValue) -> None:
        """Add a header field to the request that this thread has begun.

        Args:
            header: its name.
            values: str, bytes or int. Several are sent as one, with a space between them.

        Raises:
            http.client.CannotSendHeader: this thread has begun no request.
            ValueError, TypeError: the field may not be sent, or contradicts one that was put before (a second
                `Host`, another length). The request is as it was before.
        """
        self._begun()[1].put(header, *values)

    def endheaders(  # type: ignore[override]  # http.client returns None
        self, message_body: Any = None, *, encode_chunked: bool = False
    ) -> int:
        """Send the request that this thread has begun; returns its stream id.

        The header fields say what body there is:

        - `Content-Length`: `send()` takes what `message_body` lacks; with the last byte the request is
          complete.
        - `Transfer-Encoding: chunked`: `message_body`, and what `send()` takes, are chunks that the caller
          has framed; the last chunk completes the request.  With `encode_chunked` `message_body` is the
          whole body, not in chunks.
        - neither: `message_body` is the whole body; without it the request has no body.

        The response may be asked for, and other requests made, before the body is complete.

        Args:
            message_body: bytes-like, str, a file or an iterable of bytes, as a body in http.client.
            encode_chunked: as in http.client; it has a meaning only if the caller has put
                `Transfer-Encoding: chunked`.

        Raises:
            http.client.CannotSendHeader: this thread has begun no request.
            http.client.CannotSendRequest: the body is longer than its content-length.
            ValueError: the body is not in chunks, as the header fields say.
            TypeError: `message_body` cannot be a body.
            Otherwise as `request()`.
            Where a body in memory is wrong, the request is as it was before, and `endheaders()` can be called
            again. After any other error it is over.
        """
        drafts, draft = self._begun()
        request = draft.request(
            message_body, self.blocksize, encode_chunked=encode_chunked, deadline=self._due(None)
        )
        drafts.draft = None
        stream_id = self._pending.begin([request])[0]
        if request.open and message_body is not None:
            try:
                self._pending.send(message_body, stream_id, self.blocksize)
            except BaseException:  # the caller will never know its id
                with contextlib.suppress(http_client.ResponseNotReady):  # `close()` has cancelled it
                    self._pending.cancel(stream_id)
                raise
        return stream_id

    def _due(self, seconds: float | None) -> float | None:
        """Return when an exchange that begins now must be over."""
        if seconds is None and (seconds := self.deadline) is None:
            return None
        return deadline_after(checked_seconds(seconds, "deadline"))

    def _refuse_another(self, unless: int | None = None) -> None:
        """Raise CannotSendRequest if this thread has begun a request, `unless` an id names another one."""
        if unless is None and self._drafts is not None:
            self._drafts.refuse_another()

    def _begun(self) -> tuple[Drafts, Draft]:
        """Return the request that this thread has begun, and where it is kept."""
        drafts = self._drafts
        draft = None if drafts is None else drafts.draft
        if drafts is None or draft is None:
            raise http_client.CannotSendHeader("this thread has begun no request: call putrequest() first")
        return drafts, draft
