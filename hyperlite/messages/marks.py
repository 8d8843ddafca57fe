"""When the steps of an exchange happened."""

from typing import NamedTuple


class Marks(NamedTuple):
    """The monotonic times of a request's exchange; 0: it has not happened yet."""

    sent: float
    head: float
    end: float


NOT_YET = Marks(0.0, 0.0, 0.0)
