"""A request as `fetch_many()` takes it, and as a response shows what was asked."""

from dataclasses import dataclass, field
from typing import Any

from ..messages.fields import Header
from ..messages.urls import without_credentials
from ..observing import ConnectionInfo
from .arguments import Body, Params
from .headers import Headers

# Method, header fields and body of a request; the monotonic time at which it began; and the connection, if
# the request was among the first on it.
Asked = tuple[str, list[Header], Any, float, ConnectionInfo | None]


@dataclass(slots=True, repr=False)
class FetchRequest:
    """One item for `fetch_many()`: the arguments of `fetch()`; only the URL is required.

    None means the value that the call of `fetch_many()` has.  `repr()` shows no credentials.

    Attributes:
        url, method, headers, body, json, params, timeout, deadline, redirects: as for `fetch()`.
        tag: any object that the caller wants to find in the outcome.
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
    tag: Any = field(default=None, compare=False)

    def __repr__(self) -> str:
        url = without_credentials(self.url) if isinstance(self.url, str) else self.url
        return f"<FetchRequest {self.method} {url}>"
