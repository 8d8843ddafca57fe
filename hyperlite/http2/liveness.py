"""Is the peer alive? What its silence says, computed from times that are passed in.

- The first request after a long silence brings a PING along. From then on the peer has some seconds of
  polling to say anything at all. Only polling counts: a program that does something else hears no answer.
- A connection that has died costs one timeout, not one for each response that is waited for in turn. What any
  thread has polled in vain, since something last moved in either direction, counts for all responses.
- After a timeout on a silent connection, further requests go elsewhere.

There is no clock, lock or socket here: times are monotonic seconds, and the connection's lock guards the
object.
"""

import math

# Seconds of silence after which an idle connection is asked for a sign of life: a NAT or a load balancer may
# have forgotten it, and says nothing. okhttp pings an idle connection after 1 s, Go after 15 s if told to.
KEEPALIVE_IDLE = 30.0
# Seconds of polling for the answer to that PING. Go waits 15 s.
PING_TIMEOUT = 5.0
# Seconds of silence that say nothing of a connection: a healthy server may take as long to answer, and
# short waits for what may not come (long polls) would cost a connection each. okhttp gives a PING 1 s.
SHORT_SILENCE = 0.5


class Liveness:
    """When the peer said something, and for how long a thread has polled in vain since.

    Args:
        now: the time at which the connection begins.
        keepalive_idle: seconds of silence after which a request brings a PING along; None: never.
        ping_timeout: seconds of polling in which the peer must then say something.

    Attributes:
        heard: when the peer last said something.
        quiet: seconds of polling in which nothing came, since then or since the last request.
        waited: seconds of polling in which nothing of use came, since something last moved.
        moved: when what came last meant something.
        asked: when the first request after that went out.
        grace: seconds of polling that the peer has left to say something; None: it was not asked to.
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
        self.keepalive_idle = math.inf if keepalive_idle is None else keepalive_idle
        self.ping_timeout = ping_timeout
        self.heard = self.moved = now
        self.quiet = self.waited = self.asked = 0.0
        self.grace: float | None = None
        self._stirred = now

    def received(self, now: float) -> None:
        """Take note that bytes came, whatever they mean."""
        self.heard = now
        self.quiet = 0.0
        self.grace = None

    def answered(self) -> None:
        """Take note that the bytes which came last meant something."""
        self.moved = self._stirred = self.heard
        self.waited = 0.0

    def stir(self, now: float) -> None:
        """Take note that something was sent: an answer can be expected from now on, and no earlier."""
        self.waited = 0.0
        self._stirred = now

    def request(self, now: float) -> None:
        """Take note that a request goes out."""
        if self.asked < self.moved:
            self.asked = now
        self.quiet = self.waited = 0.0
        self._stirred = now

    def is_doubtful(self, now: float) -> bool:
        """Tell whether the peer was silent for so long that the next request is to bring a PING along."""
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
            challenged: whether a sign of life was waited for when it began.

        Returns:
            Whether the peer is dead: `unheard` says when.
        """
        self.waited += now - max(self._stirred, start)
        if came:
            return False
        self.quiet += now - start
        return challenged and self.unheard(now - start)

    def unheard(self, seconds: float) -> bool:
        """Take note that nothing came in so many seconds of polling; tell whether no more are left."""
        if self.grace is None:
            return False
        self.grace -= seconds
        return self.grace <= 0

    def silence(self, told: float) -> float:
        """Return the seconds that threads have polled in vain, less those that a response knows of."""
        return self.waited - told if told <= self.waited else self.waited

    def is_silent(self, now: float, timeout: float) -> bool:
        """Tell whether hardly anything has moved, now that a request has timed out after `timeout` seconds.

        The connection may be dead, or a byte may drip from it now and then. Silence counts from the first
        request that was left without an answer, so many short waits come to as much as a long one.
        """
        return now - max(self.moved, self.asked) > max(timeout / 2, SHORT_SILENCE)
