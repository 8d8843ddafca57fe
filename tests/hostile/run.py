"""Runs a case over one engine and one transport, and judges it."""

import contextlib
import http.client
import os
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import hyperlite
from hyperlite.errors import HTTP2Error
from hyperlite.testing.certificates import certificates
from hyperlite.testing.hostile.case import Case, pattern
from hyperlite.testing.hostile.judging import SLACK, Outcome, Run
from hyperlite.testing.hostile.line import AFTER, Stage

# Seconds for an answer that is to come: the last of the requests after a case's own.
PATIENCE = 10.0
# What is read at a time of a body that is not small.
PIECE = 65536


# -- the client's side -------------------------------------------------------------------------------


class Client:
    """Makes a case's requests."""

    def __init__(self, case: Case, conn: hyperlite.HTTP20Connection, gate: threading.Event) -> None:
        self.case = case
        self.gate = gate
        self.conn = conn
        self.outcomes: list[Outcome] = []
        self.after: Outcome | None = None

    def run(self) -> None:
        """Make the requests, and the one after them."""
        try:
            if self.case.together:
                self._together()
            else:
                for number in range(self.case.count):
                    if number and self.case.gated:
                        self.gate.wait(self.case.timeout)
                    self._one(number)
        finally:
            tries = self.case.after if len(self.outcomes) == self.case.count else 0
            for number in range(1, tries + 1):
                timeout = self.case.timeout if number < tries else PATIENCE
                self.after = Outcome("hang", "did not return")
                self.after = self._attempt(lambda timeout=timeout: self._exchange_after(timeout))
                if self.after.kind == "ok":
                    break

    def _one(self, number: int) -> None:
        self.outcomes.append(Outcome("hang", "did not return"))
        self.outcomes[-1] = self._attempt(lambda: self._exchange(number))

    def _exchange(self, number: int) -> Outcome:
        """Make one of the case's requests, and take its response."""
        return self._finish(self._send(number))

    def _exchange_after(self, timeout: float) -> Outcome:
        """Make the request after them."""
        return self._finish(self.conn.request("GET", "/after", timeout=timeout), 200, AFTER)

    def _together(self) -> None:
        ids: list[int | Outcome] = []
        for number in range(self.case.count):
            try:
                ids.append(self._send(number))
            except (http.client.HTTPException, OSError) as error:
                ids.append(_failure(error))
        for one in ids:
            self.outcomes.append(Outcome("hang", "did not return"))
            self.outcomes[-1] = (
                one if isinstance(one, Outcome) else self._attempt(lambda one=one: self._finish(one))
            )

    def _send(self, number: int) -> int:
        method = "POST" if self.case.upload and self.case.method == "GET" else self.case.method
        body = pattern(self.case.upload) if self.case.upload else None
        return self._ask(method, f"/{number}", body)

    def _ask(self, method: str, path: str, body: bytes | None = None) -> int:
        return self.conn.request(method, path, body=body)

    def _attempt(self, call: object) -> Outcome:
        start = time.monotonic()
        try:
            outcome = call()  # type: ignore[operator]
        except BaseException as error:
            outcome = _failure(error)
        outcome.seconds = time.monotonic() - start
        return outcome

    def _finish(self, stream_id: int, status: int | None = None, body: bytes | int | None = None) -> Outcome:
        """Take a response and compare it with what it should be."""
        status = self.case.status if status is None else status
        body = self.case.body if body is None else body
        response = self.conn.getresponse(stream_id)
        if self.case.method == "HEAD" and body is not AFTER:
            body = b""
        come = 0
        exact = True
        if isinstance(body, bytes):
            data = response.read()
            come, exact = len(data), data == body
        else:
            while piece := response.read(PIECE):
                exact = exact and piece == pattern(len(piece), come)
                come += len(piece)
            exact = exact and come == body
        if response.status != status:
            return Outcome("wrong", f"status {response.status}, not {status}")
        return Outcome("ok", f"{come} bytes") if exact else Outcome("wrong", f"a body of {come} bytes")


class Fetcher(Client):
    """Makes a case's requests by a pool, as the case says."""

    def __init__(
        self, case: Case, pool: hyperlite.ConnectionPool, origin: str, gate: threading.Event
    ) -> None:
        self.case = case
        self.pool = pool
        self.origin = origin
        self.gate = gate
        self.outcomes = []
        self.after = None

    def _exchange(self, number: int) -> Outcome:
        url, case, come = f"{self.origin}/{number}", self.case, 0
        with self._fetch(url) as response:
            exact = True
            pieces = iter(lambda: response.read(PIECE), b"") if case.fetch == "stream" else [response.body]
            for piece in pieces:
                exact = exact and piece == _part(case, come, len(piece))
                come += len(piece)
        exact = exact and come == (len(case.body) if isinstance(case.body, bytes) else case.body)
        return Outcome("ok" if exact else "wrong", f"a body of {come} bytes")

    def _fetch(self, url: str) -> hyperlite.FetchResponse:
        if self.case.fetch == "many":
            (outcome,) = self.pool.fetch_many([url])
            return outcome.result()
        return self.pool.fetch(url, stream=self.case.fetch == "stream")

    def _exchange_after(self, timeout: float) -> Outcome:
        body = self.pool.fetch(f"{self.origin}/after", timeout=timeout).body
        return Outcome("ok" if body == AFTER else "wrong", f"a body of {len(body)} bytes")


def _part(case: Case, start: int, size: int) -> bytes:
    """Return what belongs at a place of a body."""
    return case.body[start : start + size] if isinstance(case.body, bytes) else bytes(size)


def _failure(error: BaseException) -> Outcome:
    detail = f"{type(error).__name__}: {error}"[:300]
    if isinstance(error, TimeoutError):
        return Outcome("timeout", detail)
    if isinstance(error, (http.client.HTTPException, OSError)):
        return Outcome("error", detail, retry_safe=isinstance(error, HTTP2Error) and error.retry_safe)
    where = traceback.extract_tb(error.__traceback__)[-1]
    return Outcome("foreign", f"{detail} at {where.filename}:{where.lineno}")


# -- running -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def engine(name: str) -> Iterator[None]:
    """Have connections made by an engine."""
    before = os.environ.get("HYPERLITE_ENGINE")
    os.environ["HYPERLITE_ENGINE"] = name
    try:
        yield
    finally:
        if before is None:
            del os.environ["HYPERLITE_ENGINE"]
        else:
            os.environ["HYPERLITE_ENGINE"] = before


class Memory:
    """The peak of this process's resident memory, above what it was; 0 where that cannot be known."""

    def __init__(self) -> None:
        try:
            Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        except OSError:
            self._start = None
        else:
            self._start = self._peak()

    def _peak(self) -> float:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

    @property
    def growth(self) -> float:
        """MiB."""
        return 0.0 if self._start is None else max(0.0, self._peak() - self._start)


def _client(case: Case, stage: Stage, context: ssl.SSLContext | None) -> tuple[Client, Callable[[], None]]:
    """Return the client that makes the requests, and what closes its connections."""
    if case.fetch:
        pool = hyperlite.ConnectionPool(
            timeout=case.timeout, deadline=case.deadline, context=context, proxies=False, retries=0
        )
        origin = f"{'https' if context else 'http'}://{case.host}:{stage.port}"
        return Fetcher(case, pool, origin, stage.gate), pool.close
    conn = hyperlite.HTTP20Connection(
        case.host,
        stage.port,
        secure=context is not None,
        context=context,
        timeout=case.timeout,
        deadline=case.deadline,
    )
    conn._create_connection = lambda _, *rest: socket.create_connection(("127.0.0.1", stage.port), *rest)
    return Client(case, conn, stage.gate), conn.close


def run(case: Case, engine_name: str, over: str) -> Run:
    """Run a case; what was wrong is in `problems`."""
    if case.prepare is not None:
        case.prepare()
    result = Run(case)
    make_context = case.client_tls or certificates().client_context
    context = make_context() if over == "tls" else None
    memory = Memory()
    stage = Stage(case, tls=over == "tls")
    with contextlib.ExitStack() as stack:
        stack.callback(stage.close)
        stack.enter_context(engine(engine_name))
        client, close = _client(case, stage, context)
        thread = threading.Thread(target=client.run, daemon=True)
        start = time.monotonic()
        thread.start()
        # A good response may take its time; whatever else happens is bounded by the timeouts.
        thread.join(case.timeout * case.count + PATIENCE * case.after + SLACK)
        if thread.is_alive():
            result.problems.append("the client hangs")
            stage.close()
            thread.join(10)
        result.seconds = sum(outcome.seconds for outcome in client.outcomes) or time.monotonic() - start
        result.growth = memory.growth
        close()
        stage.gate.set()
        stage.join()
        result.outcomes, result.after = client.outcomes, client.after
        result.lines = stage.lines
        result.problems += [f"the script failed: {failure!r}" for failure in stage.failures]
    result.judge()
    return result
