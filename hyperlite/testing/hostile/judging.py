"""What became of the requests of a case, and whether that is what should."""

from dataclasses import dataclass, field
from typing import Any

from hyperframe.frame import GoAwayFrame, HeadersFrame, RstStreamFrame

from hyperlite.errors import code_name

from .case import Case
from .line import Line

# What a busy machine may add to a timeout. What hangs takes longer.
SLACK = 20.0


@dataclass
class Outcome:
    """What became of one request."""

    kind: str  # ok, error, timeout, wrong, foreign, hang
    detail: str
    seconds: float = 0.0
    retry_safe: bool = False

    def satisfies(self, expected: frozenset[str]) -> bool:
        """Tell whether it is one of those expected."""
        kinds = {self.kind}
        if self.kind in {"error", "timeout"}:
            kinds.add("bounded")
        if self.kind == "ok" or (self.kind == "error" and self.retry_safe):
            kinds.add("retry")
        return bool(kinds & expected)


@dataclass
class Run:
    """A case that was run.

    Attributes:
        outcomes: of each request.
        after: of the further request at the end.
        lines: the connections that the client opened.
        seconds, growth: how long it took, and by how many MiB the process grew meanwhile, server included.
        problems: what was wrong; empty if nothing was.
    """

    case: Case
    outcomes: list[Outcome] = field(default_factory=list)
    after: Outcome | None = None
    lines: list[Line] = field(default_factory=list)
    seconds: float = 0.0
    growth: float = 0.0
    problems: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """What happened, in a few words."""
        kinds = [outcome.kind for outcome in self.outcomes]
        if len(set(kinds)) == 1:
            return kinds[0]
        return ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))

    def sent(self, kind: type, stream_id: int | None = None) -> list[Any]:
        """Return the frames of a kind that the client sent on its first connection."""
        return self.lines[0].of(kind, stream_id) if self.lines else []

    # -- judging ----------------------------------------------------------------------------------

    def judge(self) -> None:
        """Fill in `problems`."""
        case = self.case
        for index, outcome in enumerate(self.outcomes):
            if not outcome.satisfies(case.expected_of(index)):
                self.problems.append(f"request {index}: {outcome.kind} ({outcome.detail})")
        limit = case.timeout * len(self.outcomes) + SLACK
        if case.expected != "ok" and self.seconds > limit:
            self.problems.append(f"took {self.seconds:.1f} s, {limit:.1f} are allowed")
        if self.growth > case.memory:
            self.problems.append(f"grew by {self.growth:.0f} MiB")
        if self.after is not None and self.after.kind != "ok":
            self.problems.append(f"the request after it: {self.after.kind} ({self.after.detail})")
        self._judge_wire()
        if case.check is not None and not self.problems:
            try:
                case.check(self)
            except AssertionError as error:
                self.problems.append(f"on the wire: {error}")

    def _judge_wire(self) -> None:
        case = self.case
        if case.rst:
            codes = {frame.error_code for frame in self.sent(RstStreamFrame, 1)}
            if not codes & set(case.rst):
                self.problems.append(f"RST_STREAM {_names(codes)}, not {_names(case.rst)}")
            if left := {frame.error_code for frame in self.sent(GoAwayFrame)} - {0}:
                self.problems.append(f"GOAWAY {_names(left)} for a stream error")
        if case.goaway:
            codes = {frame.error_code for frame in self.sent(GoAwayFrame)}
            if not codes & set(case.goaway):
                self.problems.append(f"GOAWAY {_names(codes)}, not {_names(case.goaway)}")
        alive = True if case.rst else False if case.goaway else case.alive
        if alive is not None and self.after is not None and self.after.kind == "ok":
            used = [path for _, path in self.lines[0].requests_seen.values()] if self.lines else []
            if alive != ("/after" in used):
                self.problems.append("the connection was " + ("not used again" if alive else "used again"))
        for line in self.lines:
            frames = line.seen
            ends = [at for at, frame in enumerate(frames) if isinstance(frame, GoAwayFrame)]
            if ends and any(isinstance(frame, HeadersFrame) for frame in frames[ends[0] :]):
                self.problems.append("HEADERS after GOAWAY")


def _names(codes: object) -> str:
    return "/".join(sorted(code_name(code) for code in codes)) or "none"  # type: ignore[attr-defined]
