"""The hops of a fetch: each sends one request, whose result decides whether another hop follows."""

import functools
import time
import weakref
from collections.abc import Callable
from http.client import HTTP_PORT

from ..errors import RequestTimeout
from ..http1.response import QueuedResponse
from ..messages.fields import Header, authority
from ..messages.replay import Tried
from ..messages.response import HTTP20Response
from ..net.protocols import Protocols
from ..observing import ConnectionInfo, RequestInfo
from ..origins.connection import PooledConnection
from ..origins.key import Key
from ..origins.lease import Attempt, Lease
from ..origins.limits import Permit, Throttle
from ..origins.origin import Origin
from ..origins.registry import Registry
from ..telling import NONE, Observers, Watch
from .failures import Stage
from .headers import as_text
from .response import FetchResponse
from .task import Task

# Bytes to read of the body of a redirect, or of an answer that means "later", so that the connection can be
# used again. Reading more costs too much.
REDIRECT_BODY = 1 << 16
# Seconds that this may take: opening another connection takes about as long. On HTTP/2 the stream is reset.
REDIRECT_TIME = 0.25


class Fetcher:
    """Takes tasks from hop to hop.

    Args:
        origins: the connections.
        throttle: the limits that requests have to keep; None: there are none.
        observers: are told of each request.

    Attributes:
        throttle: the same.
    """

    def __init__(
        self, origins: Registry, throttle: Throttle | None = None, observers: Observers = NONE
    ) -> None:
        self.throttle: Throttle | None = throttle
        self._origins = origins
        self._observers = observers
        self._counters = origins.counters

    def complete(self, task: Task, *, stream: bool) -> FetchResponse:
        """Take a task through its hops to its end, in the calling thread."""
        while True:
            task.begin()
            attempt = Attempt()
            try:
                permit = None if self.throttle is None else self._await_permit(self.throttle, task)
                response = self.hop(task, attempt, permit=permit, stream=stream)
            except Exception as error:
                pause = self.retry(task, error, attempt.tried)
                if pause is None:
                    failure = task.named(error, Stage.ASKING if attempt.begun else Stage.CONNECTING)
                    if failure is error:
                        raise
                    raise failure from error.__cause__
            else:
                pause = self.follow(task, response)
                if pause is None:
                    response.elapsed = time.monotonic() - task.course.started
                    if stream and task.method == "GET" and task.body is None:
                        response._again = functools.partial(self._again, task)
                    return response
            if pause:
                time.sleep(pause)

    def _again(self, task: Task, fields: list[Header]) -> FetchResponse:
        """Make a task's last request once more, with other header fields; see `FetchResponse.save()`."""
        return self.complete(task.once_more(fields), stream=True)

    def _await_permit(self, throttle: Throttle, task: Task) -> Permit:
        """Wait until the limits allow a task's next hop."""
        timeout = task.options.timeout
        permit = throttle.begin(task.url.origin, deadline=task.course.deadline, timeout=timeout)
        if permit is None:
            task.patience()
            raise RequestTimeout(f"the limits allowed no request within {timeout:g} s: no other one ended")
        return permit

    def follow(self, task: Task, response: FetchResponse) -> float | None:
        """Handle an answer: None if it is the last, otherwise the seconds to wait before the next hop."""
        hops = len(task.history)
        tell = self._observers.of("retries")
        before = None if tell is None else _info(task)
        try:
            pause = task.follow(response)
        except BaseException as error:
            drain(response)
            if isinstance(error, Exception):
                raise task.named(error, Stage.ASKING) from error.__cause__
            raise
        if pause is not None:
            drain(response)
            task.watch = None
            if len(task.history) > hops:
                self._counters.redirects += 1
                if tell is not None:
                    tell("redirected", before, str(task.url))
            else:
                self._counters.retries += 1
                if tell is not None:
                    tell("retried", before, response.status, pause)
        return pause

    def retry(self, task: Task, error: Exception, tried: Tried) -> float | None:
        """Handle a failure: None if it is the outcome, otherwise the seconds to wait before another try."""
        pause = task.retry(error, tried)
        if pause is None:
            if (tell := self._observers.of("requests")) is not None:
                stage = Stage.ASKING if tried.sent else Stage.CONNECTING
                tell("failed", _info(task), task.named(error, stage))
            return None
        self._counters.retries += 1
        if (tell := self._observers.of("retries")) is not None:
            tell("retried", _info(task), error, pause)
        task.watch = None
        return pause

    @property
    def is_watched(self) -> bool:
        """Whether observers, or the log, are told of requests."""
        return self._observers.of("requests") is not None

    def watch(self, task: Task) -> Watch | None:
        """Begin to tell observers of a task's next request; None: there are none."""
        tell = self._observers.of("requests")
        task.watch = None if tell is None else Watch(tell, _info(task))
        return task.watch

    def hop(
        self,
        task: Task,
        attempt: Attempt,
        *,
        permit: Permit | None,
        stream: bool,
        meter: Callable[[int], None] | None = None,
    ) -> FetchResponse:
        """Send one request, and return the response, with its body unless it is streamed.

        Args:
            task: what is fetched.
            attempt: this try; another thread can end it.
            permit: allows the request, and ends with it; None: there are no limits.
            stream: the body is not read.
            meter: as for `FetchResponse.load()`.
        """
        watch = self.watch(task)
        try:
            lease = self.origin(task).lease(task.patience())
        except BaseException:
            if permit is not None:
                permit.end()
            raise
        lease.permit = permit
        try:
            lease.attempt = attempt
            attempt.begin(lease.connection)
            dialled = None if lease.connection.carried else lease.connection.info
            raw = _ask(lease.connection, task)
            response = _wrap(task, raw, lease, dialled)
        except BaseException:
            lease.end(reusable=False)
            raise
        self._counters.requests += 1
        if watch is not None:
            watch.head(response, raw._marks)
            if stream:
                lease.watch = watch
        if not stream and task.goes_on(raw):
            drain(response)  # here, because fetch_many() waits for nothing when it handles the answer
        elif not stream:
            response.load(meter)
        if watch is not None and not stream:
            watch.body(response.buffered)
            watch.done(raw._marks)
        return response

    def received(
        self,
        task: Task,
        dialled: ConnectionInfo | None,
        raw: HTTP20Response,
        body: bytes,
        failure: Exception | None = None,
    ) -> FetchResponse:
        """Return a task's response, which has arrived; its `body` is decoded when it is read.

        Args:
            task: the task.
            dialled: the connection, if the request was among the first on it; or None.
            raw: the response.
            body: the bytes that have come.
            failure: why the body is incomplete. It does not matter if another response follows.

        Raises:
            DecodingError: it has too many codings; BodyTooLarge.
        """
        self._counters.requests += 1
        options = task.options
        task.keep_cookies(raw)
        last = raw.status < 300 or not task.goes_on(raw)
        response = FetchResponse(
            raw,
            asked=(task.method, task.sent, task.body, task.course.asked, dialled),
            url=task.url,
            history=task.history,
            decode=options.decode,
            max_body=options.max_body if last else max(options.max_body, len(body)),
            whole=body,
        )
        if failure is not None:
            response.fail(failure)
        if (watch := task.watch) is not None:
            watch.head(response, raw._marks)
            watch.body(len(body))
            watch.done(raw._marks)
        return response

    def collect(self) -> None:
        """Give back the connections of requests that were abandoned, which otherwise happens by and by."""
        self._origins.collect()

    def origin(self, task: Task) -> Origin:
        """Return the connections for a task's next hop.

        Raises:
            ValueError: the pool is closed.
        """
        context = task.options.context if task.url.scheme == "https" else None
        protocols = task.options.protocols
        if task.upgrades:  # over a connection for HTTP/1.1 alone
            protocols = Protocols(protocols, secure=context is not None).insist_on_http1()
        key = Key.of(task.url, task.proxy, context, protocols=protocols, resolver=task.options.resolver)
        return self._origins.get(key)


def _ask(connection: PooledConnection, task: Task) -> HTTP20Response:
    """Send a task's request and return its response when its header is there."""
    task.patience()  # the time may be over already
    target = task.url.target
    if connection.forwarded:  # the URL, without a zone id, which concerns this machine alone
        origin = authority(task.url.host, task.url.port, HTTP_PORT).decode("ascii")
        target = f"{task.url.scheme}://{origin}{target}"
    fields = task.fields(forwarded=connection.forwarded)
    if task.watch is not None:
        task.watch.info.headers = as_text(task.sent)
    return connection.ask(
        task.method,
        target,
        task.body,
        fields,
        timeout=task.options.timeout,
        deadline=task.course.deadline,
        watch=task.watch,
    )


def _info(task: Task) -> RequestInfo:
    """Return what observers are told of a task's request."""
    if task.watch is not None:
        return task.watch.info
    return RequestInfo(
        task.method,
        str(task.url),
        as_text(task.sent),
        task.course.asked,
        task.course.attempts,
        len(task.history),
    )


def _wrap(task: Task, raw: HTTP20Response, lease: Lease, dialled: ConnectionInfo | None) -> FetchResponse:
    """Return a task's response, whose body is still to be read."""
    if isinstance(raw, QueuedResponse):  # when the caller has read `raw` to its end, the connection is free
        raw.when_over = weakref.WeakMethod(lease.end)
    options = task.options
    task.keep_cookies(raw)
    return FetchResponse(
        raw,
        asked=(task.method, task.sent, task.body, task.course.asked, dialled),
        url=task.url,
        history=task.history,
        decode=options.decode,
        max_body=options.max_body,
        lease=lease,
    )


def drain(response: FetchResponse) -> None:
    """Let go of a response that is not the last; a body that drips cannot delay the next one for long."""
    response.pass_over(REDIRECT_BODY, REDIRECT_TIME)
