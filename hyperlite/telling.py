"""Tells observers, and the log, what connections and requests do: see `observing`."""

import contextlib
import re
import weakref
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

from .errors import FetchError
from .logs import is_on, write
from .messages.marks import Marks
from .observing import ConnectionInfo, Frame, Observer, RequestInfo

# Header fields whose values the log does not show, and parameters in the query of a URL. Names are in lower
# case; a program may add its own.
SECRET_FIELDS = {
    "api-key",
    "authorization",
    "cookie",
    "private-token",
    "proxy-authorization",
    "set-cookie",
    "x-amz-security-token",
    "x-api-key",
    "x-auth-token",
    "x-goog-api-key",
    "x-vault-token",
}
SECRET_PARAMETERS = {
    "access_token",
    "api-key",
    "api_key",
    "apikey",
    "auth_token",
    "client_assertion",
    "client_secret",
    "id_token",
    "key",
    "passwd",
    "password",
    "refresh_token",
    "secret",
    "sig",
    "signature",
    "token",
    "x-amz-credential",
    "x-amz-security-token",
    "x-amz-signature",
    "x-goog-signature",
}
# Bytes of a body that http.client reads to the end of its connection.
UNCOUNTED = -1
_EVENTS = ("dialled", "frame", "sent", "head", "body", "done", "retried", "redirected", "failed")

# A name; its value; and what follows ";" or "?" and is no pair: some servers end values there, others do not.
# In fragments, OAuth sends tokens.
_parameters = re.compile(
    r"(?<=[?&;#])([^=&;#?\s]+)=([^&;#?\s\"<>]*(?:[;?][^&;#?=\s\"<>]*(?=[&;#?\s\"<>]|\Z))*)"
)
_controls = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_userinfo = re.compile(r"(?<=//)[^/?#\s]*@")


def redacted(text: str) -> str:
    """Return a text in which URLs show neither a password nor a secret parameter, on one line."""
    text = _on_one_line(text)
    if "@" in text:  # most URLs have neither: a look costs less than the expressions
        text = _userinfo.sub("…@", text)
    return _parameters.sub(_without_secret, text) if "=" in text else text


def _on_one_line(text: str) -> str:
    """Return a text whose control characters are escaped: a peer's text may not make lines of the log."""
    return text if text.isprintable() else _controls.sub(lambda found: repr(found[0])[1:-1], text)


def shown(name: str, value: str) -> str:
    """Return the value of a header field as it may be shown; see `SECRET_FIELDS`."""
    return "…" if name.lower() in SECRET_FIELDS else redacted(value)


def _without_secret(found: "re.Match[str]") -> str:
    name, value = found[1], found[2]
    is_secret = unquote(name).lower() in SECRET_PARAMETERS
    if not is_secret and "%" in value:  # a whole URL may be in it
        plain = unquote(value)
        inner = [unquote(one[1]).lower() for one in _parameters.finditer(plain)]
        is_secret = _userinfo.search(plain) is not None or not SECRET_PARAMETERS.isdisjoint(inner)
    return f"{name}=…" if is_secret else found[0]


class Observers:
    """The observers of a pool or of a connection; and the log, where it is on.

    Args:
        given: by the caller.

    Attributes:
        given: the same.

    Raises:
        TypeError: `given` is no iterable, or one of them has not all methods of an `Observer`.
    """

    __slots__ = ("_frames", "given")

    def __init__(self, given: Iterable[Observer] = ()) -> None:
        if not isinstance(given, Iterable):
            raise TypeError(f"observers= takes Observers in a list: {given!r} is not iterable")
        self.given: tuple[Observer, ...] = tuple(given)
        for one in self.given:
            missing = [name for name in _EVENTS if not callable(getattr(one, name, None))]
            if missing:
                raise TypeError(f"observers= takes Observers: {one!r} has no method {missing[0]}()")
            if isinstance(one, type):
                raise TypeError(f"observers= takes objects, and {one!r} is a class")
        self._frames = tuple(one for one in self.given if type(one).frame is not Observer.frame)

    def of(self, topic: str) -> "Telling | None":
        """Return what is told of a topic; None: neither an observer nor the log wants it.

        Args:
            topic: "connections", "requests" or "retries".
        """
        if is_on(topic):
            return Telling((*self.given, _LOG))
        return Telling(self.given) if self.given else None

    def of_frames(self, connection: ConnectionInfo) -> Callable[[Frame], None] | None:
        """Return what is called with each frame of a connection; None: nothing wants them."""
        wanting = (*self._frames, _LOG) if is_on("frames") else self._frames
        if not wanting:
            return None
        tell = Telling(wanting)
        return lambda frame: tell("frame", connection, frame)


NONE = Observers()


class Telling:
    """Tells each of some observers what happens."""

    __slots__ = ("_observers",)

    def __init__(self, observers: tuple[Observer, ...]) -> None:
        self._observers = observers

    def __call__(self, event: str, *arguments: Any) -> None:
        """Call a method of each observer."""
        for observer in self._observers:
            try:
                getattr(observer, event)(*arguments)
            except Exception:
                import logging  # noqa: PLC0415  most programs have no observer that fails

                name = type(observer).__name__
                with contextlib.suppress(Exception):  # what has failed may be a handler of the log
                    logging.getLogger(__package__).exception(
                        "the observer %s has failed in %s()", name, event
                    )


class Watch:
    """Tells what becomes of one request.

    Args:
        tell: the observers.
        info: of the request.
    """

    __slots__ = ("info", "tell")

    def __init__(self, tell: Telling, info: RequestInfo) -> None:
        self.tell: Telling = tell
        self.info: RequestInfo = info

    def sent(self, connection: ConnectionInfo | None, exchange: Any, *, reused: bool) -> None:
        """Take note that the request was handed to a connection.

        Args:
            connection, exchange: as for `RequestInfo.carried()`.
            reused: the connection has carried a request before.
        """
        self.info.carried(connection, exchange)
        self.info.reused = reused
        self.tell("sent", self.info)

    def head(self, response: Any, marks: Marks) -> None:
        """Take note of the response, and of the times of its exchange."""
        self.info.responded, self.info.status, self.info.marks = weakref.ref(response), response.status, marks
        self.tell("head", self.info)

    def body(self, size: int) -> None:
        """Take note of bytes of the body."""
        if size:
            self.info.received += size
            self.tell("body", self.info, size)

    def done(self, marks: Marks) -> None:
        """Take note that the response was read, or closed."""
        self.info.marks = marks
        self.tell("done", self.info)

    def over(self, failure: Exception | None, marks: Marks) -> None:
        """Take note of the end of a response that was streamed; it has failed with a `FetchError`, or not."""
        if isinstance(failure, FetchError):
            self.failed(failure)
        else:
            self.done(marks)

    def failed(self, error: BaseException) -> None:
        """Take note of the failure; an interrupt (KeyboardInterrupt) is none."""
        if isinstance(error, Exception):
            self.tell("failed", self.info, error)

    def follow(self, response: Any) -> None:
        """Tell when an `HTTP20Response` was read to its end, or closed, or when reading it has failed."""
        me, close_conn = weakref.ref(response), type(response)._close_conn

        def end() -> None:
            if (found := me()) is not None:
                failure = found._broken
                close_conn(found)
                self.body(found._taken)
                if failure is None:
                    self.done(found._marks)
                else:
                    self.failed(failure)

        response._close_conn = end


class _Log(Observer):
    """Writes one line for each connection, request, retry, redirect and frame."""

    def dialled(self, connection: ConnectionInfo) -> None:
        steps = {"dns": connection.dns, "connect": connection.connect, "TLS": connection.handshake}
        taken = ", ".join(f"{name} {1000 * took:.1f} ms" for name, took in steps.items() if took is not None)
        secured = f", {connection.tls} {connection.cipher}" if connection.tls else ""
        proxy = "" if connection.proxy is None else " by way of {}:{}".format(*connection.proxy)
        write(
            "connections",
            "connection %d to %s:%s%s: %s%s (%s)",
            connection.number,
            connection.host,
            connection.port,
            proxy,
            connection.protocol,
            secured,
            taken,
        )

    def done(self, request: RequestInfo) -> None:
        last = request.timings.last_byte
        write(
            "requests",
            "%s %s: %d%s%s%s",
            request.method,
            redacted(request.url),
            request.status,
            "" if request.received == UNCOUNTED else f", {request.received} bytes",
            ", closed before the end" if last is None else f" in {1000 * last:.1f} ms",
            _where(request),
        )

    def failed(self, request: RequestInfo, error: Exception) -> None:
        write(
            "requests",
            "%s %s: failed: %s%s",
            request.method,
            redacted(request.url),
            redacted(_said(error)),
            _where(request),
        )

    def retried(self, request: RequestInfo, reason: Exception | int, pause: float) -> None:
        why = _said(reason) if isinstance(reason, Exception) else f"status {reason}"
        write(
            "retries",
            "%s %s: tried again in %.3g s, after attempt %d: %s",
            request.method,
            redacted(request.url),
            pause,
            request.attempt,
            redacted(why),
        )

    def redirected(self, request: RequestInfo, url: str) -> None:
        write(
            "retries",
            "%s %s: %d leads to %s",
            request.method,
            redacted(request.url),
            request.status,
            redacted(url),
        )

    def frame(self, connection: ConnectionInfo, frame: Frame) -> None:
        fields = [f"{name}: {shown(name, value)}" for name, value in frame.fields]
        direction = "out" if frame.outgoing else "in"
        write(
            "frames",
            "connection %d, %s: %s %s",
            connection.number,
            direction,
            _on_one_line(str(frame)),
            fields or "",
        )


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _where(request: RequestInfo) -> str:
    connection = request.connection
    if connection is None:
        return ""
    stream = f", stream {request.stream_id}" if request.stream_id else ""
    state = " again" if request.reused else ""
    return f", connection {connection.number}{state}{stream}"


_LOG = _Log()
