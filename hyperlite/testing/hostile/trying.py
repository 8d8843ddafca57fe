"""Tries one client program against the cases."""

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hyperlite.testing.certificates import certificates

from .case import CLEAR, TLS, Case, pattern
from .cases_tls import TRUSTED, authority
from .judging import SLACK, Outcome
from .line import AFTER, Stage
from .protocol import ClientLost, Program, Step

# Seconds for the answer to the request after a case's own.
PATIENCE = 10.0


class Trial:
    """What became of a case with one client.

    Attributes:
        outcomes: of its requests, in words: "ok", "error", "timeout", "wrong", "hang", "crash".
        after: of the further request at the end.
        skipped: why it was not tried; "": it was.
        growth: MiB that the program's memory has grown by.
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        self.outcomes: list[Outcome] = []
        self.after: Outcome | None = None
        self.skipped: str = ""
        self.growth: float = 0.0

    @property
    def summary(self) -> str:
        """The outcomes in few words, each once; what is worst stands first."""
        kinds = dict.fromkeys(outcome.kind for outcome in self.outcomes)
        worst = [kind for kind in ("crash", "hang", "wrong") if kind in kinds]
        return "/".join(worst or kinds) or "skipped"

    @property
    def problems(self) -> list[str]:
        """What hyperlite would be blamed for; empty if nothing."""
        found = [
            f"request {index}: {outcome.kind} ({outcome.detail})"
            for index, outcome in enumerate(self.outcomes)
            if not outcome.satisfies(self.case.expected_of(index))
        ]
        if self.growth > self.case.memory:
            found.append(f"grew by {self.growth:.0f} MiB")
        if self.after is not None and self.after.kind != "ok":
            found.append(f"the request after it: {self.after.kind} ({self.after.detail})")
        return found


def selected(words: list[str], over: str | None) -> Iterator[tuple[Case, str]]:
    """Yield the cases that other clients can be tried against, each with its transport.

    Those are left out that need a TLS context of the client's own, and further ways to fetch the same.

    Args:
        words: parts of names, or whole names of sections; none: all cases.
        over: "clear" or "tls"; None: TLS where a case has it, because few clients speak HTTP/2 without.
    """
    from .catalogue import CASES  # noqa: PLC0415  it takes its time

    for case in CASES.values():
        if words and not any(word in case.name or word == case.section for word in words):
            continue
        transport = over or (TLS if TLS in case.over else CLEAR)
        own_context = case.client_tls is not None and case.client_tls.__name__ != "trusting"
        if transport in case.over and not own_context and case.fetch in {"", "whole"}:
            yield case, transport


def attempt(case: Case, over: str, program: Program) -> Trial:
    """Try a case; the program is of no use any more if an outcome is "hang" or "crash"."""
    trial = Trial(case)
    if case.prepare is not None:
        case.prepare()
    stage = Stage(case, tls=over == TLS)
    with tempfile.NamedTemporaryFile("wb", suffix=".pem") as ca:
        ca.write(_authority(case))
        ca.flush()
        try:
            program.begin_anew()
            start = program.peak
            _play(trial, stage, over, ca.name, program)
            trial.growth = max(0.0, program.peak - start)
        except ClientLost as lost:
            kind, _, detail = str(lost).partition(": ")
            trial.outcomes.append(Outcome(kind, detail))
        finally:
            stage.gate.set()
            stage.close()
    return trial


def _authority(case: Case) -> bytes:
    if case.client_tls is not None:
        return authority(TRUSTED).cert_pem.bytes()
    return Path(certificates().ca_file).read_bytes()


def _play(trial: Trial, stage: Stage, over: str, ca: str, program: Program) -> None:
    case = trial.case
    origin = f"{'https' if over == TLS else 'http'}://{case.host}:{stage.port}"
    method = "POST" if case.upload and case.method == "GET" else case.method
    requests = [
        {"method": method, "url": f"{origin}/{number}", "upload": case.upload} for number in range(case.count)
    ]
    common = {
        "http": case.protocol or "http/1.1",
        "timeout": case.timeout,
        "deadline": case.deadline,
        "decode": bool(case.fetch),
        "addresses": dict.fromkeys((case.host, case.host.encode("idna").decode()), "127.0.0.1"),
        "ca": ca,
    }
    steps = [requests] if case.together else [[request] for request in requests]
    seconds = case.timeout * case.count + SLACK
    for number, step in enumerate(steps):
        if number and case.gated:
            stage.gate.wait(case.timeout)
        answer = program.ask({"new": number == 0, "requests": step, **common}, seconds)
        if "skip" in answer:
            trial.skipped = answer["skip"]
            return
        trial.outcomes += [_outcome(case, one) for one in answer["answers"]]
    after = {"method": "GET", "url": f"{origin}/after", "upload": 0}
    for _ in range(case.after):
        common |= {"timeout": PATIENCE, "deadline": None, "decode": False}
        (one,) = program.ask({"new": False, "requests": [after], **common}, PATIENCE + SLACK)["answers"]
        trial.after = _whole(one, 200, len(AFTER), hashlib.sha256(AFTER).hexdigest())
        if trial.after.kind == "ok":
            break


def _outcome(case: Case, answer: Step) -> Outcome:
    body: Any = b"" if case.method == "HEAD" else case.body
    if isinstance(body, bytes):
        return _whole(answer, case.status, len(body), hashlib.sha256(body).hexdigest())
    whole = bytes(body) if case.fetch else pattern(body)
    return _whole(answer, case.status, body, hashlib.sha256(whole).hexdigest())


def _whole(answer: Step, status: int, size: int, sha256: str) -> Outcome:
    """Return an outcome: "wrong" if what passes for a whole response is another one."""
    kind, detail = answer["outcome"], str(answer.get("detail", ""))[:300]
    if kind != "ok":
        return Outcome(kind, detail)
    if answer["status"] != status:
        return Outcome("wrong", f"status {answer['status']}, not {status}")
    if answer["size"] != size or answer["sha256"] != sha256:
        return Outcome("wrong", f"a body of {answer['size']} bytes, not of {size}")
    return Outcome("ok", f"{size} bytes")
