"""Redirects as browsers follow them (RFC 9110 section 15.4; the Fetch standard, HTTP-redirect fetch)."""

from http.client import InvalidURL

from ..errors import RedirectError
from ..messages.fields import Header
from ..messages.urls import URL, join, without_credentials

FOLLOWED = frozenset({301, 302, 303, 307, 308})
# Fields that are for one origin alone.
_SECRETS = frozenset({"authorization", "cookie", "proxy-authorization"})
# Fields that describe a body: they are dropped with it.
_OF_THE_BODY = frozenset(
    {
        "content-encoding",
        "content-language",
        "content-length",
        "content-location",
        "content-type",
        "transfer-encoding",
    }
)


def the_one(locations: list[str]) -> str:
    """Return the Location of a response; there may be several equal ones.

    Raises:
        RedirectError: they differ: some clients follow the first, others the last.
    """
    if len(set(locations)) > 1:
        first = without_credentials(locations[0])
        raise RedirectError(f"a redirect with {len(locations)} Locations that differ, first {first!r}")
    return locations[0]


def target(url: URL, location: str, *, allow_downgrade: bool) -> URL:
    """Return the URL to which a redirect leads.

    Raises:
        RedirectError: it is no http(s) URL; or it leads from https to http, and that is not allowed.
    """
    try:
        following = join(url, location)
    except (InvalidURL, ValueError) as error:
        shown = without_credentials(location)
        raise RedirectError(f"a redirect to {shown!r}, which is not followed: {error}") from error
    if url.scheme == "https" and following.scheme == "http" and not allow_downgrade:
        raise RedirectError(f"a redirect to {following}, which is not encrypted (allow_downgrade=True?)")
    return following


def keeps_body(status: int, method: str) -> bool:
    """Tell whether the request keeps its method and body; otherwise it becomes a GET without a body."""
    if status == 303:
        return method in {"GET", "HEAD"}
    return not (status in {301, 302} and method == "POST")


def headers_for(following: URL, before: URL, headers: list[Header], *, body: bool) -> list[Header]:
    """Return the headers of a request that go along to the next hop."""
    dropped: set[str] = set()
    if following.origin != before.origin:
        dropped |= _SECRETS | {"host"}
    if not body:
        dropped |= _OF_THE_BODY
    return [(name, value) for name, value in headers if name.lower() not in dropped]
