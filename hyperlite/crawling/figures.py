"""What has become of URLs, in figures that can be added: those of each turn are in the state."""

import json
import math
from collections import Counter
from collections.abc import Iterable

from .parts import Result

# Steps of a factor of ten in times: a time is known to 6 %.
STEPS = 20
# Seconds of a response that took no time that can be measured.
_SHORTEST = 1e-5


class Figures:
    """Figures of some URLs.

    Attributes:
        urls: how many there are.
        failed: how many have no response.
        size: bytes of bodies.
        protocols: how many responses came by each protocol.
        times: how many took so long, from the request to the whole response, in steps of `STEPS`.
    """

    __slots__ = ("failed", "protocols", "size", "times", "urls")

    def __init__(self) -> None:
        self.urls: int = 0
        self.failed: int = 0
        self.size: int = 0
        self.protocols: Counter[str] = Counter()
        self.times: Counter[int] = Counter()

    @classmethod
    def of(cls, results: Iterable[Result]) -> "Figures":
        """Return those of results."""
        made = cls()
        for one in results:
            made.urls += 1
            made.size += one.size
            if one.http_version is None:
                made.failed += 1
            else:
                made.protocols[one.http_version] += 1
            if one.seconds is not None:
                made.times[round(STEPS * math.log10(max(one.seconds, _SHORTEST)))] += 1
        return made

    @classmethod
    def parse(cls, text: str) -> "Figures":
        """Return those of which this is the `str()`."""
        made = cls()
        made.urls, made.failed, made.size, protocols, times = json.loads(text)
        made.protocols.update(protocols)
        made.times.update({int(step): count for step, count in times.items()})
        return made

    def __str__(self) -> str:
        return json.dumps([self.urls, self.failed, self.size, self.protocols, self.times])

    def add(self, other: "Figures") -> None:
        """Add others."""
        self.urls += other.urls
        self.failed += other.failed
        self.size += other.size
        self.protocols += other.protocols
        self.times += other.times

    def percentile(self, share: float) -> float | None:
        """Return the seconds in which this share of the responses came, or None."""
        left = share * self.times.total()
        for step in sorted(self.times):
            left -= self.times[step]
            if left <= 0:
                return float(10 ** (step / STEPS))
        return None
