"""The requests of one command line, with what becomes of each: one after the other, or many at a time.

Bodies that go to files are streamed, each by a thread of its own if there are several at a time.  Bodies that
go to standard output come there in the order of the URLs: with `--parallel`, `fetch_many()` has them in
memory until it is their turn.
"""

import argparse
import contextlib
import http.client as http_client
import os
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import FetchError, UnvalidatedResumeWarning
from ..fetching.response import FetchResponse
from ..fetching.saving import missing
from ..observing import Observer
from ..pool import ConnectionPool
from ..telling import redacted
from . import bodies
from .exits import Exit, Failure, harmless, sentence, status_of, trace_of
from .options import BACKOFF, Field, pool_keywords
from .request import Payload
from .screen import Screen, size
from .targets import Target, is_plain
from .text import write
from .watch import watching

# Seconds in which threads that save files take note of Ctrl-C.
_LAST_WORDS = 1.0


class Asked(NamedTuple):
    """What is asked of each URL: the arguments of `fetch()`.

    Attributes:
        method, redirects, decode: as `fetch()` takes them.
        headers: those that each request has; the others are the pool's.
        payload: what is sent.
        plain_files: files are asked for without content coding, so that a download can go on.
    """

    method: str
    redirects: int
    decode: bool
    headers: list[Field]
    payload: Payload
    plain_files: bool

    @classmethod
    def of(cls, options: argparse.Namespace, payload: Payload, fields: list[Field]) -> "Asked":
        """Return what the options say."""
        named = {name.lower(): value for name, value in fields}
        return cls(
            options.request or payload.method,
            options.max_redirs if options.location else 0,
            not options.raw and named.get("accept-encoding", "") is not None,
            fields,
            payload,
            not (options.compressed or "accept-encoding" in named),
        )

    def request(self, target: Target, *, resume: bool = False) -> dict[str, Any]:
        """Return the request for a URL, as `fetch()` and `fetch_many()` take it.

        Args:
            target: the URL, and where it goes.
            resume: ask for what is missing of a file.

        Raises:
            Failure: the file to send cannot be read.
        """
        url, body, of_body = self.payload.for_url(target.url)
        headers = self.headers + of_body
        if target.path is not None and self.plain_files:
            headers.append(("Accept-Encoding", "identity"))
            if resume and is_plain(target.path) and not (body or self.payload.query):
                headers += missing(target.path, url)
        return {
            "url": url,
            "method": self.method,
            "headers": headers,
            "params": self.payload.query,
            "body": body,
        }

    @property
    def options(self) -> dict[str, Any]:
        """The options of all requests, as `fetch()` and `fetch_many()` take them."""
        return {"redirects": self.redirects, "decode": self.decode}


def transfer(
    options: argparse.Namespace, found: Sequence[Target], payload: Payload, fields: list[Field]
) -> int:
    """Fetch all URLs of a command line; returns the exit status.

    Args:
        options: of the command.
        found: the URLs, and where each goes.
        payload: what is sent.
        fields: header fields of all requests.
    """
    asked = Asked.of(options, payload, fields)
    with (
        watching(options) as observers,  # whose report comes when the bars are over
        Screen(bars=not options.silent) as screen,
        _pool(options, fields, observers) as pool,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("always", UnvalidatedResumeWarning)
        warnings.showwarning = lambda message, *_, **__: screen.say(
            f"hyperlite: warning: {harmless(str(message))}"
        )
        return Transfers(options, asked, pool, screen).all(found)


def _pool(
    options: argparse.Namespace, fields: Sequence[Field], observers: Sequence[Observer]
) -> ConnectionPool:
    """Return the pool that the options make.

    Raises:
        Failure: a file of certificates cannot be used.
    """
    if options.insecure and not options.silent:
        write([("hyperlite: warning: certificates are not verified (-k)\n", "")])
    unsent = [field for field in fields if field[1] is None]
    try:
        return ConnectionPool(
            **pool_keywords(options),
            headers=unsent,
            allow_downgrade=options.allow_downgrade,
            observers=observers,
        )
    except OSError as error:
        about_client = options.cert is not None and "verify=" not in str(error)
        status = Exit.CLIENT_CERTIFICATE if about_client else Exit.AUTHORITIES
        raise Failure(sentence(error), status) from error


class _Stopped(Exception):
    """Ctrl-C was pressed: the thread is to save no more."""


class Transfers:
    """All requests of a command line.

    Args:
        options: of the command.
        asked: what is asked of each URL.
        pool: the connections.
        screen: where errors and progress are shown.
    """

    def __init__(
        self, options: argparse.Namespace, asked: Asked, pool: ConnectionPool, screen: Screen
    ) -> None:
        self._options = options
        self._asked = asked
        self._pool = pool
        self._screen = screen
        self._output = bodies.Output(include=options.include or options.head, binary="-" in options.outputs)
        self._statuses: dict[Target, int] = {}
        self._lock = threading.Lock()
        self._stopped = False
        self._broken: BrokenPipeError | None = None

    def all(self, found: Sequence[Target]) -> int:
        """Fetch all URLs.

        Returns:
            The exit status: that of the first URL that has failed.
        """
        at_a_time = min(self._options.parallel, len(found))
        try:
            if at_a_time == 1:
                for target in found:
                    self._transfer(target)
            else:
                self._to_output([target for target in found if target.path is None], at_a_time)
                self._to_files([target for target in found if target.path is not None], at_a_time)
        except KeyboardInterrupt:
            self._stopped = True
            for target in found:
                if left := _left(target):
                    self._screen.say(f"hyperlite: interrupted: {left}")
            raise
        return next((status for target in found if (status := self._statuses.get(target))), Exit.DONE)

    # -- many at a time ---------------------------------------------------------------------------

    def _to_output(self, found: Sequence[Target], at_a_time: int) -> None:
        """Fetch what goes to standard output, by one thread; write it in the order of the URLs."""
        requests = (self._asked.request(target) for target in found)
        options = self._asked.options
        with self._pool.fetch_many(requests, ordered=True, concurrency=at_a_time, **options) as run:
            for target, outcome in zip(found, run, strict=True):
                try:
                    with _closing(outcome.request):
                        self._write(outcome.result(), target)
                except Exception as error:
                    self._failed(target, error)

    def _to_files(self, found: Sequence[Target], at_a_time: int) -> None:
        """Fetch what goes to files, a thread for each file."""
        waiting = iter(found)
        threads = [
            threading.Thread(target=self._work, args=[waiting], daemon=True)
            for _ in range(min(at_a_time, len(found)))
        ]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except KeyboardInterrupt:
            self._stopped = True
            end = time.monotonic() + _LAST_WORDS
            for thread in threads:
                thread.join(max(0.0, end - time.monotonic()))
            raise
        if self._broken is not None:
            raise self._broken

    def _work(self, waiting: Iterator[Target]) -> None:
        while not self._stopped:
            with self._lock:
                target = next(waiting, None)
            if target is None:
                return
            try:
                self._transfer(target)
            except BrokenPipeError as error:  # of the heads: the main thread raises it
                self._stopped, self._broken = True, error

    # -- one --------------------------------------------------------------------------------------

    def _transfer(self, target: Target) -> None:
        """Fetch a URL, and keep its status; with `--retry` a download that breaks goes on."""
        resume = self._options.continue_at is not None
        for further in range(self._options.retry, -1, -1):
            try:
                request = self._asked.request(target, resume=resume)
                with _closing(request), self._fetch(request) as response:
                    self._write(response, target, resume=resume)
                return
            except _Stopped:
                return
            except Exception as error:
                if not (further and _goes_on(target, error)):
                    self._failed(target, error)
                    return
            resume = True
            time.sleep(BACKOFF * 2 ** (self._options.retry - further))

    def _fetch(self, request: dict[str, Any]) -> FetchResponse:
        return self._pool.fetch(**request, **self._asked.options, stream=True)

    def _write(self, response: FetchResponse, target: Target, *, resume: bool = False) -> None:
        options = self._options
        if options.head and target.path is not None:
            bodies.save_heads(response, target.path)
            if options.fail or options.fail_with_body:
                response.raise_for_status()
            return
        self._output.head(response)
        # save() tells whether a status is a failure: what is missing may be nothing, which is a 416.
        goes_on = resume and target.path is not None and is_plain(target.path)
        if options.fail and not goes_on:
            response.raise_for_status()
        with self._screen.bar(target.name) as bar:

            def tell(done: int, total: int | None) -> None:
                if self._stopped:
                    raise _Stopped
                bar(done, total)

            if target.path is not None:
                decoded = not self._asked.plain_files
                bodies.save(response, target.path, tell, resume=resume, decoded=decoded)
            elif self._output.is_terminal:
                self._output.body(response, lambda *_: None)
            else:
                self._output.body(response, tell)
        self._output.trailers(response)
        if options.fail_with_body and not goes_on:
            response.raise_for_status()

    def _failed(self, target: Target, error: Exception) -> None:
        """Keep a failure's status, and say what it was."""
        if isinstance(error, BrokenPipeError) and not isinstance(error, FetchError):
            raise error  # of standard output: it concerns all URLs
        with self._lock:
            self._statuses[target] = status_of(error)
        options = self._options
        if options.silent and not options.show_error:
            return
        left = _left(target) if isinstance(error, FetchError) and error.stage == "reading" else None
        trace = trace_of(error) if options.traceback else ""
        self._screen.say(f"{trace}hyperlite: {_said(error, target)}" + (f"; {left}" if left else ""))


@contextlib.contextmanager
def _closing(request: Mapping[str, Any]) -> Iterator[None]:
    """Close the file that is the body of a request, at the end of the block."""
    try:
        yield
    finally:
        if hasattr(request["body"], "close"):
            request["body"].close()


def _goes_on(target: Target, error: Exception) -> bool:
    """Tell whether a download that has failed can go on where it was."""
    broken = isinstance(error, FetchError) and error.stage == "reading"
    return broken and isinstance(error, ConnectionError | http_client.IncompleteRead) and bool(_left(target))


def _said(error: Exception, target: Target) -> str:
    """Return a failure as a sentence that names the URL."""
    said = sentence(error)
    if isinstance(error, FetchError):  # which names its URL: after redirects, that is another one
        return said
    if isinstance(error, OSError) and error.filename is None:
        said = f"{target.path or 'standard output'}: {said}"
    url = redacted(target.url)
    return harmless(said if url in said else f"{url}: {said}")


def _left(target: Target) -> str | None:
    """Return what to say of a download that can go on; None if there is none."""
    part = f"{target.path}.part"
    if target.path is None or not os.path.isfile(part):
        return None
    return f"{harmless(part)} has {size(os.path.getsize(part))}: go on with -C -"
