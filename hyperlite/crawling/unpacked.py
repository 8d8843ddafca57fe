"""What a crawl reads of a response whose body it keeps in its content coding."""

from http.client import HTTPException

from ..errors import FetchError
from ..fetching.response import FetchResponse


def unpacked(response: FetchResponse) -> FetchResponse | None:
    """Return a response that was fetched with `decode=False`, with its body decoded.

    None: the body is not valid in its coding, or too long.
    """
    try:
        made = FetchResponse(
            response.raw,
            asked=response._asked,
            url=response._url,
            history=response.history,
            decode=True,
            max_body=response._max_body,
            whole=response.body,
        )
        made.load()
    except (FetchError, HTTPException):
        return None
    return made
