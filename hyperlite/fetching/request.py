"""A request as `fetch_many()` takes it, and as a response shows what was asked."""

from dataclasses import dataclass, field
from typing import Any

from .arguments import Body, Params
from .headers import Headers


@dataclass(slots=True)
class FetchRequest:
    """One item for `fetch_many()`: the arguments of `fetch()`; only the URL is required.

    None means the value that the call of `fetch_many()` has.
    """

    url: str
    method: str = "GET"
    headers: Headers | None = None
    body: Body | None = None
    json: Any = None
    params: Params | None = None
    timeout: float | None = None
    deadline: float | None = None
    redirects: int | None = None
    tag: Any = field(default=None, compare=False)  # any object that the caller wants to find in the outcome
