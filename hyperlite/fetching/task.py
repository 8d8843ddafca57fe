"""One fetch from its first hop to its last: its requests, the redirects it follows, its further tries.

`fetch()` and `fetch_many()` differ in how they wait.  What follows an answer or a failure is decided here,
for both, without waiting for anything.
"""

import email.utils
import threading
import time
from typing import Any

from ..errors import (
    RedirectError,
    RequestTimeout,
    TooManyRedirects,
)
from ..messages.fields import (
    Header,
    asks_for_upgrade,
    basic,
    credentials_of_connection,
    scheme_of,
)
from ..messages.replay import Tried, Tries, for_all_tries
from ..messages.request import IN_MEMORY
from ..messages.response import HTTP20Response
from ..messages.urls import URL, parse
from ..net.proxy import Proxy
from ..net.timeouts import remaining, soonest
from ..telling import Watch
from . import arguments, decoding, redirects
from .defaults import NONE
from .failures import Stage, named
from .headers import header_pairs
from .options import Options
from .proxy_rules import choose
from .request import FetchRequest
from .response import FetchResponse
from .retries import FIRST_HOP, HopTries, between

# Schemes that authenticate a connection.
_SPELT = {"ntlm": "NTLM", "negotiate": "Negotiate", "credssp": "CredSSP"}


class Course:
    """How far a fetch is.

    Attributes:
        started: the monotonic time at which it began; 0: it has not.
        asked: the same of its current request, for which a connection is opened if there is none.
        deadline: the monotonic time by which all must be over, or None.
        attempts: how often a request was made: once, and once more for each further try, on all hops.
    """

    __slots__ = ("asked", "attempts", "deadline", "started")

    def __init__(self, started: float = 0.0, deadline: float | None = None) -> None:
        self.started: float = started
        self.asked: float = 0.0
        self.deadline: float | None = deadline
        self.attempts: int = 0

    def try_again(self) -> None:
        """Take note that a further try follows."""
        self.asked = 0.0
        self.attempts += 1


class Task:
    """One fetch under way.

    Attributes:
        url, method, headers, body: of the current hop, or the next one.
        history: the redirects so far.
        course: its times, and how often a request was made.
        watch: tells observers of the current request; or None.
        upgrades: it asks to go on in another protocol.
        tries: what is known of the tries of this hop.
        sent: the header fields of the latest request.
    """

    __slots__ = (
        "_position",
        "body",
        "course",
        "headers",
        "history",
        "index",
        "item",
        "method",
        "options",
        "proxy",
        "sent",
        "tries",
        "upgrades",
        "url",
        "watch",
    )

    def __init__(
        self,
        url: URL,
        method: str,
        headers: list[Header],
        body: Any,
        options: Options,
        *,
        item: Any = None,
        index: int = 0,
        upgrades: bool = False,
    ) -> None:
        self.upgrades: bool = upgrades
        self.url: URL = url
        self.method: str = method
        self.body: Any = body
        self.options: Options = options
        self.headers: list[Header] = headers
        self.sent: list[Header] = headers
        self.history: list[FetchResponse] = []
        self.item: Any = item
        self.index: int = index
        self.course: Course = Course()
        self.watch: Watch | None = None
        self.proxy: Proxy | None = choose(url, options.proxies)
        self.tries: HopTries = FIRST_HOP
        self._position = None if body is None else _tell(body)

    def begin(self) -> None:
        """Start the clocks, if they do not run yet."""
        course = self.course
        if not course.asked:
            course.asked = time.monotonic()
        course.attempts = course.attempts or 1
        if not course.started:
            course.started = course.asked
            if self.options.deadline is not None:
                course.deadline = course.started + self.options.deadline

    def once_more(self, fields: list[Header]) -> "Task":
        """Return a task for the last request once more, within the same deadline.

        Args:
            fields: header fields, in the place of those of the same names, and of `Range` and `If-Range`.
        """
        names = {"range", "if-range"} | {name.lower() for name, _ in fields}
        headers = [field for field in self.headers if field[0].lower() not in names] + fields
        made = Task(self.url, self.method, headers, self.body, self.options)
        made.history = self.history
        made.course = Course(self.course.started, self.course.deadline)
        return made

    @property
    def repeatable(self) -> bool:
        """Whether the body is in memory, and can be sent repeatedly."""
        return self.body is None or isinstance(self.body, IN_MEMORY)

    def patience(self) -> float | None:
        """Return the seconds that the next blocking step may last, or None.

        Raises:
            RequestTimeout: the deadline has passed.
        """
        left = remaining(self.course.deadline)
        if left is None:
            return self.options.timeout
        if not left:
            raise RequestTimeout(f"not fetched within the deadline of {self.options.deadline:g} s")
        return soonest(left, self.options.timeout)

    def fields(self, *, forwarded: bool = False) -> list[Header]:
        """Return the header fields to be sent on this hop.

        Raises:
            Exception: the pool's function has raised it. ValueError, TypeError: its fields may not be sent.
        """
        headers = self.headers
        defaults = self.options.defaults
        if defaults.auth is not None or defaults.cookies is not None:
            headers = self._with_own_fields(headers)
        self.sent = headers
        if forwarded and self.proxy is not None and self.proxy.authorization:
            return [*headers, ("Proxy-Authorization", self.proxy.authorization)]
        return headers

    def _with_own_fields(self, headers: list[Header]) -> list[Header]:
        """Return header fields with those that the pool has for this request alone."""
        defaults = self.options.defaults
        if defaults.auth is not None:
            asked = FetchRequest(str(self.url), self.method, headers=list(headers), body=self.body)
            try:
                added = defaults.own_fields(asked)
            except Exception:
                self.tries = self.tries._replace(last=True)
                raise
            _refuse_credentials_of_connection(added)
            names = {name.lower() for name, _ in added}
            headers = [field for field in headers if field[0].lower() not in names] + added
        if defaults.cookies is not None and not any(name.lower() == "cookie" for name, _ in headers):
            from .cookies import cookie_header  # noqa: PLC0415  it takes long, and most pools have no jar

            value = cookie_header(defaults.cookies, self.url, self._first)
            headers = [*headers, ("Cookie", value)] if value else headers
        return headers

    @property
    def _first(self) -> URL:
        """The URL that the program has asked for."""
        return self.history[0]._url if self.history else self.url

    def keep_cookies(self, raw: HTTP20Response) -> None:
        """Put the cookies of a response into the pool's jar, if it has one."""
        if (jar := self.options.defaults.cookies) is not None:
            from .cookies import keep_cookies  # noqa: PLC0415

            keep_cookies(jar, self.url, self._first, raw.headers)

    # -- an answer --------------------------------------------------------------------------------

    def follow(self, response: FetchResponse) -> float | None:
        """Handle an answer: None if it is the last, otherwise the seconds to wait before the next hop.

        In the second case the task is changed to the next hop.

        Raises:
            RedirectError: the redirect may not be followed.
        """
        if (pauses := self._later(response.raw)) is not None:
            self.tries = self.tries.after_answer()
            self.course.try_again()
            return between(*pauses)
        places = response.raw.headers.get_all("location") if response.status in redirects.FOLLOWED else None
        if not places or not any(places) or self.options.redirects <= 0:
            return None
        try:
            self._redirect(response, redirects.the_one(places))
        except RedirectError as error:
            error.response = response
            raise
        return 0.0

    def goes_on(self, raw: HTTP20Response) -> bool:
        """Tell whether another hop follows an answer, so that its body is not needed."""
        if raw.status in redirects.FOLLOWED and self.options.redirects > 0:
            return bool(raw.getheader("location"))
        return self._later(raw) is not None

    def _later(self, raw: HTTP20Response) -> tuple[float, float] | None:
        """Return between which seconds an answer is asked for again; None: it is the outcome."""
        retries = self.options.retries
        if not retries.covers(raw.status):
            return None
        said = retry_after(raw.getheader("retry-after"))
        pauses = retries.later(raw.status, said, self.method, self.tries)
        if pauses is None:
            return None
        left = remaining(self.course.deadline)
        return None if (left is not None and pauses[1] >= left) or not self._rewind() else pauses

    def _redirect(self, response: FetchResponse, location: str) -> None:
        if len(self.history) >= self.options.redirects:
            raise TooManyRedirects(f"another redirect, after {len(self.history)} redirects (redirects=)")
        before = self.url
        following = redirects.target(before, location, allow_downgrade=self.options.allow_downgrade)
        body = redirects.keeps_body(response.status, self.method)
        if body and not self._rewind():
            raise RedirectError(f"a redirect to {following}, and the body cannot be sent again")
        self.headers = redirects.headers_for(following, before, self.headers, body=body)
        if not body:
            self.body = None
            self.method = "HEAD" if self.method == "HEAD" else "GET"
        if following.origin != before.origin or following.user is not None:
            self.options = self.options.without_auth()
        if following.user is not None:
            self.headers = [field for field in self.headers if field[0].lower() != "authorization"]
            self.headers.append(("Authorization", basic(following.user)))
        self.tries = HopTries(Tries(doubtful=True))  # by the first hop, whatever the next one brings
        self.url = following
        self.course.asked = 0.0
        self.history = [*self.history, response]
        self.proxy = choose(following, self.options.proxies)

    # -- a failure --------------------------------------------------------------------------------

    def retry(self, error: BaseException, tried: Tried) -> float | None:
        """Handle a failure: None if it is the outcome, otherwise the seconds to wait before another try.

        `retry_safe` of an outcome's error covers all tries and hops: see `HTTP2Error.retry_safe`.

        Args:
            error: what happened.
            tried: the try that has failed.
        """
        following = self.options.retries.again(error, self.tries, self.method, tried)
        left = remaining(self.course.deadline)
        if following is None or (left is not None and following[0] >= left) or not self._rewind():
            for_all_tries(error, doubtful=self.tries.of_all.doubtful)
            return None
        pause, self.tries = following
        self.course.try_again()
        return pause

    def named(self, error: Exception, stage: Stage) -> Exception:
        """Return an error of this hop as a `FetchError`; see `failures.named`."""
        return error if self.tries.last else named(error, self.method, self.url, stage, self.proxy)

    def _rewind(self) -> bool:
        """Make the body ready to be sent again; false if that cannot be done."""
        if self.repeatable:
            return True
        if self._position is None:
            return False
        try:
            self.body.seek(self._position)
        except (OSError, ValueError):
            return False
        return True


def make_task(
    url: str,
    method: str,
    options: Options,
    *,
    headers: Any = None,
    body: Any = None,
    json: Any = None,
    params: Any = None,
    item: Any = None,
    index: int = 0,
) -> Task:
    """Return a task from the arguments of `fetch()`.

    Raises:
        http.client.InvalidURL, ValueError, TypeError: the arguments are invalid.
    """
    arguments.check_target(url, method)
    pairs = header_pairs(headers)
    body = arguments.payload(body, json)
    query = arguments.query(params)
    defaults = options.defaults
    if json is not None and not any(name.lower() == "content-type" for name, _ in pairs):
        pairs.append(("Content-Type", "application/json"))
    if defaults is not NONE:
        url = defaults.with_params(defaults.resolve(url), query)
    parsed = parse(url, query)
    made = with_defaults(pairs, parsed, options)
    if defaults.auth is not None:
        own = parsed.user is not None or any(name.lower() == "authorization" for name, _ in pairs)
        if own or not defaults.belongs(parsed):
            options = options.without_auth()
    upgrades = asks_for_upgrade(made)
    return Task(parsed, method, made, body, options, item=item, index=index, upgrades=upgrades)


def with_defaults(headers: list[Header], url: URL, options: Options) -> list[Header]:
    """Return a request's headers, and defaults for those that it does not have.

    Raises:
        ValueError: credentials among them authenticate a connection, and those of a pool are shared.
    """
    names = {name.lower() for name, _ in headers} if headers else ()
    credentials: str | None = None
    if "authorization" not in names:
        if url.user is not None:
            credentials = basic(url.user)
        elif options.defaults.belongs(url):
            credentials = options.defaults.authorization
    added = [
        field
        for field in options.headers
        if field[0] not in names and (credentials is None or field[0] != "authorization")
    ]
    if options.decode and "accept-encoding" not in names:
        added.append(("accept-encoding", decoding.accept_encoding()))
    if credentials is not None:
        added.append(("Authorization", credentials))
    made = added + headers
    _refuse_credentials_of_connection(made)
    return made


def _refuse_credentials_of_connection(headers: list[Header]) -> None:
    for credentials in credentials_of_connection(headers):
        scheme = scheme_of(credentials).decode("latin-1")
        raise ValueError(
            f"{_SPELT.get(scheme, scheme)} authenticates a connection, and fetch(), fetch_many() and "
            "ConnectionPool.request() share theirs: use HTTP20Connection, or requests with HTTP20Adapter"
        )


def _tell(body: Any) -> int | None:
    """Return the position of a file, if it can be read again from there."""
    if not hasattr(body, "read") or not hasattr(body, "seek"):
        return None
    try:
        position: int = body.tell()
    except (OSError, ValueError, AttributeError):
        return None
    return position


def retry_after(value: str | None) -> float | None:
    """Return the seconds in a Retry-After; None if there is none, or an invalid one."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        pause = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        return min(
            max(0.0, pause), threading.TIMEOUT_MAX
        )  # the year 9999 is longer away than a thread can sleep
    except (TypeError, ValueError, OverflowError):
        return None
