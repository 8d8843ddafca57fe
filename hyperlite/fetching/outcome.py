"""The outcomes of fetch_many()."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, NoReturn, TypeVar

from .response import FetchResponse

Item = TypeVar("Item")
# The type of an attribute that is None in this kind of outcome.  Some type checkers do not learn the kind
# from `if outcome.ok:`: with None they would report each use of `response` and of `error`.
Absent = Any


@dataclass(slots=True, eq=False)
class AnyOutcome(Generic[Item]):
    """The outcome of one item of `fetch_many()`: it is `Fetched`, or `Failed`.

    Attributes:
        request: the item, as it was given.
        index: its number, from 0.
        response: the FetchResponse, with its body; None if there is an error.
        error: the exception; None if there is a response.
        ok: whether there is a response, of whatever status.
        attempts: how often the request was tried, on all hops together: 1 if nothing was tried again, 0 if no
            request could be made of the item. Redirects do not count.
    """

    request: Item
    index: int
    attempts: int = field(default=0, kw_only=True)


@dataclass(slots=True, eq=False)
class Fetched(AnyOutcome[Item]):
    """The outcome of an item of `fetch_many()` that has a response, of whatever status: see `Outcome`."""

    response: FetchResponse
    error: Absent = field(default=None, init=False, repr=False)
    ok: ClassVar[Literal[True]] = True

    def result(self) -> FetchResponse:
        """Return the response."""
        return self.response


@dataclass(slots=True, eq=False)
class Failed(AnyOutcome[Item]):
    """The outcome of an item of `fetch_many()` that has an error: see `Outcome`."""

    error: Exception
    response: Absent = field(default=None, init=False, repr=False)
    ok: ClassVar[Literal[False]] = False

    def result(self) -> NoReturn:
        """Raise the error."""
        raise self.error


if TYPE_CHECKING:  # there is no third kind, so `if outcome.ok:` tells which of the two it is
    Outcome = Fetched[Item] | Failed[Item]
else:
    Outcome = AnyOutcome
