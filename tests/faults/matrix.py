"""Every moment, in every way: what is tried, and what may become of it."""

import http.client
import itertools
import ssl
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

import requests

import hyperlite
from hyperlite.testing.server import Server

from .moments import KINDS, PLACES, Measure, Moment, MomentProxy, http1_line, http2_frame, tls_record
from .ways import WAYS, Done, Place, Site, content

# Seconds of a step where the peer falls silent: longer than the silence after which a connection is left. And
# of one where it does not, however busy the machine is.
SILENCE, TIMEOUT = 0.7, 20.0
# Seconds that a way may take in all; what hangs takes longer.
PATIENCE = 60.0
# These try requests again that may be repeated: of a GET, no fault of one connection is seen, but a silence.
REPEATING = frozenset({"fetch", "fetch_many", "crawl"})
# These make several requests at a time, so that a fault may concern them all.
TOGETHER = frozenset({"fetch_many", "crawl"})
LOST = "the connection ended before the answer, and the request may have been processed"
# Why a request may fail, by the class of its error: the first that fits.
REASONS: dict[type[BaseException], str] = {
    TimeoutError: "nothing came in time",
    requests.Timeout: "nothing came in time",
    hyperlite.IncompleteBody: "the answer broke off",
    http.client.IncompleteRead: "the answer broke off",
    requests.exceptions.ChunkedEncodingError: "the answer broke off",
    hyperlite.MalformedResponse: "half of the answer's head came, which is none",
    http.client.BadStatusLine: "no answer, or half of its first line, came before the end",
    ssl.SSLError: "TLS was broken off",
    hyperlite.HTTP2Error: LOST,
    ConnectionError: LOST,
    requests.ConnectionError: LOST,
    OSError: "the connection ended while it was made",
}


class Setting(NamedTuple):
    """A way, over a transport and a protocol."""

    way: str
    secure: bool
    protocol: str

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.way}, {'TLS' if self.secure else 'cleartext'}, {self.protocol}"

    @property
    def measure(self) -> Measure:
        """What takes apart what passes."""
        if self.secure:
            return tls_record
        return http2_frame if self.protocol == "h2" else http1_line


class Trial(NamedTuple):
    """One moment that was tried."""

    setting: Setting
    moment: Moment | None
    struck: bool
    units: tuple[int, int]
    done: list[Done]
    posts: int
    seconds: float


def settings() -> list[Setting]:
    """Return all settings; hyperlite.client speaks no HTTP/2 without TLS."""
    every = itertools.product(WAYS, (True, False), ("h2", "http/1.1"))
    return [Setting(*one) for one in every if one != ("hyperlite.client", False, "h2")]


def moments(units: tuple[int, int]) -> Iterator[Moment]:
    """Yield every moment of a connection on which so many units pass to the server, and from it."""
    for to_server, count in ((True, units[0]), (False, units[1])):
        for unit, place, kind in itertools.product(range(count), PLACES, KINDS):
            yield Moment(kind, to_server, unit, place)


def attempt(setting: Setting, moment: Moment | None) -> Trial:
    """Make the requests of a way, with a fault at a moment.

    Raises:
        AssertionError: the way hangs.
    """
    site = Site()
    with (
        Server(site.answer, secure=setting.secure, alpn=(setting.protocol,)) as server,
        MomentProxy(server.port, setting.measure, moment) as proxy,
    ):
        timeout = SILENCE if moment is not None and moment.silent else TIMEOUT
        place = Place(proxy.port, setting.secure, setting.protocol, timeout)
        done: list[Done] = []
        failures: list[BaseException] = []

        def work() -> None:
            try:
                done.extend(WAYS[setting.way](place))
            except BaseException as failure:
                failures.append(failure)

        thread = threading.Thread(target=work, daemon=True)
        began = time.monotonic()
        thread.start()
        thread.join(PATIENCE)
        seconds = time.monotonic() - began
        assert not thread.is_alive(), f"{setting}: {moment}: it hangs"
        if failures:
            raise AssertionError(f"{setting}: {moment}") from failures[0]
        return Trial(setting, moment, proxy.struck.is_set(), proxy.units, done, site.posts.total(), seconds)


def reason(error: BaseException) -> str:
    """Return why a request may fail so; "" if there is no reason."""
    return next((text for kind, text in REASONS.items() if isinstance(error, kind)), "")


def judge(trial: Trial) -> list[str]:
    """Return what is wrong; nothing if all is well."""
    wrong = []
    kind = trial.moment.kind if trial.moment is not None and trial.struck else "none"
    silent = trial.moment is not None and trial.moment.silent
    # http.client takes half of a head for a whole one, and a body without a length to be whole (SECURITY.md).
    tolerant = trial.setting.way == "hyperlite.client" and trial.setting.protocol == "http/1.1"
    for one in trial.done:
        if one.error is None and one.body != content(one.target) and not tolerant:
            wrong.append(f"{one.method} {one.target}: {len(one.body or b'')} bytes passed for the answer")
        if one.error is not None and not reason(one.error):
            wrong.append(f"{one.method} {one.target}: no reason for {one.error!r}")
        if one.error is not None and kind in {"none", "drip"}:
            wrong.append(f"{one.method} {one.target}: {one.error!r}, though all bytes came")
        repeats = one.method == "GET" and trial.setting.way in REPEATING and not silent
        if one.error is not None and repeats:
            wrong.append(f"GET {one.target} is not tried again: {one.error!r}")
        if one.method == "POST":
            safe = bool(getattr(one.error, "retry_safe", False))
            if trial.posts > 1 or (one.error is None) > trial.posts or (safe and trial.posts):
                wrong.append(f"POST came {trial.posts} times; {one.error!r}, retry_safe={safe}")
    failed = [one for one in trial.done if one.error is not None]
    if trial.setting.way not in TOGETHER and len(failed) > 1:
        wrong.append(f"one fault, and {len(failed)} errors: {[one.error for one in failed]}")
    if len(trial.done) != (3 if trial.setting.way == "crawl" else 4):
        wrong.append(f"{len(trial.done)} outcomes")
    return wrong
