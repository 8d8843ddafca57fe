"""Is the peer alive? What its silence means, computed from times that the caller passes in.

- The first request after a long silence brings a PING along. The peer then has some seconds of polling to
  send anything at all. Only time spent polling counts, because a program that does something else cannot
  hear an answer.
- A dead connection costs one timeout, not one for each response. The seconds that any thread has polled
  without result, since something last moved in either direction, count for all responses.
- After a timeout on a silent connection, further requests use another connection.

There is no clock, lock or socket here: times are monotonic seconds, and the connection's lock guards the
object.
"""

import math

# Seconds of silence after which a request brings a PING along: a NAT or a load balancer may have dropped the
# idle connection without telling either side. okhttp pings one after 1 s, Go after 15 s if told to.
KEEPALIVE_IDLE = 30.0
# Seconds of polling for the answer to that PING. Go waits 15 s.
PING_TIMEOUT = 5.0
# Silence this short, in seconds, never counts against a connection: a healthy server may take as long to
# answer, and each short long poll would cost a connection. okhttp gives a PING 1 s.
SHORT_SILENCE = 0.5


class Liveness:
    """When the peer last sent something, and how long threads have polled without result since.

    Args:
        now: the time at which the connection begins.
        keepalive_idle: seconds of silence after which a request brings a PING along; None: never.
        ping_timeout: seconds of polling within which the peer must then send something.

    Attributes:
        heard: when bytes last came.
        quiet: seconds of polling in which no byte came, since `heard` or the last request.
        waited: seconds of polling in which no event came, since something last moved.
        moved: when bytes last made up an event.
        asked: when the first request after `moved` went out.
        grace: seconds of polling that the peer has left to send something; None: no PING waits for an answer.
    """

    __slots__ = (
        "_stirred",
        "asked",
        "grace",
        "heard",
        "keepalive_idle",
        "moved",
        "ping_timeout",
        "quiet",
        "waited",
    )

    def __init__(self, now: float, keepalive_idle: float | None, ping_timeout: float) -> None:
        self.keepalive_idle: float = math.inf if keepalive_idle is None else keepalive_idle
        self.ping_timeout: float = ping_timeout
        self.heard: float = now
        self.moved: float = now
        self.quiet: float = 0.0
        self.waited: float = 0.0
        self.asked: float = 0.0
        self.grace: float | None = None
        self._stirred = now

    def received(self, now: float) -> None:
        """Take note that bytes came."""
        self.heard = now
        self.quiet = 0.0
        self.grace = None

    def answered(self) -> None:
        """Take note that the bytes which came last made up an event."""
        self.moved = self._stirred = self.heard
        self.waited = 0.0

    def stir(self, now: float) -> None:
        """Take note that something was sent: the peer can only answer it from now on."""
        self.waited = 0.0
        self._stirred = now

    def request(self, now: float) -> None:
        """Take note that a request goes out."""
        if self.asked < self.moved:
            self.asked = now
        self.quiet = self.waited = 0.0
        self._stirred = now

    def is_doubtful(self, now: float) -> bool:
        """Tell whether the peer has been silent so long that the next request has to bring a PING along."""
        return self.grace is None and now - self.heard > self.keepalive_idle

    def challenge(self) -> None:
        """Take note that the PING goes out: the peer must answer it."""
        self.grace = self.ping_timeout

    def polled(self, start: float, now: float, *, came: bool, challenged: bool) -> bool:
        """Take note of a poll.

        Args:
            start: when it began.
            now: when it ended.
            came: whether anything came.
            challenged: whether `grace` ran when it began.

        Returns:
            Whether the peer's grace is over.
        """
        self.waited += now - (start if start > self._stirred else self._stirred)
        if came:
            return False
        self.quiet += now - start
        return challenged and self.unheard(now - start)

    def unheard(self, seconds: float) -> bool:
        """Take note that nothing came in `seconds` of polling; tell whether the peer's grace is over."""
        if self.grace is None:
            return False
        self.grace -= seconds
        return self.grace <= 0

    def silence(self, told: float) -> float:
        """Return the seconds polled without result, less those that a response has already been charged."""
        return self.waited - told if told <= self.waited else self.waited

    def is_silent(self, now: float, timeout: float) -> bool:
        """Tell, after a request has timed out, whether nothing moved for most of `timeout` seconds.

        Such a connection may be dead, or may only drip bytes. Silence counts from the first request that
        got no answer, so many short waits count as much as one long wait.
        """
        return now - max(self.moved, self.asked) > max(timeout / 2, SHORT_SILENCE)
