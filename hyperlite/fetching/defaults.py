"""What a pool adds to its requests: the beginning of their URLs, query parameters, credentials and cookies.

Rule: what belongs to `base_url` goes to its origin alone.  A redirect to another origin drops the
credentials, and they do not come back.
"""

import re
from collections.abc import Callable
from http.client import InvalidURL
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from urllib.parse import parse_qsl

from ..messages.fields import Header, basic
from ..messages.urls import URL, parse, with_query, without_credentials
from .arguments import as_pairs
from .checks import kind
from .headers import Headers, header_pairs
from .request import FetchRequest

if TYPE_CHECKING:
    from http.cookiejar import CookieJar

# A user name and a password; or a function that returns header fields for a request.
Auth: TypeAlias = tuple[str, str] | Callable[[FetchRequest], Headers]

_has_host = re.compile(r"[/\\]{2}").match
_has_scheme = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:").match


class Defaults(NamedTuple):
    """What a pool adds, checked.

    Attributes:
        base: `base_url` without credentials; or None.
        params: what is added to the query: (name, value) pairs, or text.
        authorization: the value of Authorization; or None.
        auth: the function that returns header fields for a request; or None.
        cookies: or None.
    """

    base: URL | None = None
    params: list[tuple[str, Any]] | str | None = None
    authorization: str | None = None
    auth: Callable[[FetchRequest], Headers] | None = None
    cookies: "CookieJar | None" = None

    def __repr__(self) -> str:  # without credentials
        return f"<Defaults base={self.base!s}>"

    def resolve(self, url: str) -> str:
        """Return an absolute URL; one without a scheme is a path below `base_url`.

        Raises:
            http.client.InvalidURL: it has neither scheme nor path, but a host.
        """
        url = url.strip(" \t\r\n")
        if self.base is None or _has_scheme(url):
            return url
        if _has_host(url):
            shown = without_credentials(url)
            raise InvalidURL(
                f"{shown!r} has a host, and no scheme: with base_url= a URL has both, or is a path"
            )
        if url[:1] in ("", "?", "#"):
            return f"{self.base}{url}"
        return f"{str(self.base).removesuffix('/')}/{url.removeprefix('/')}"

    def belongs(self, url: URL) -> bool:
        """Tell whether a URL is of the origin of `base_url`."""
        return self.base is not None and url.origin == self.base.origin

    def with_params(self, url: str, params: Any) -> str:
        """Return a URL with the parameters of the pool, but for those that the request has itself.

        Args:
            url: of the request; parameters in its query count.
            params: of the request, checked; a text is not taken apart.
        """
        if self.params is None:
            return url
        parsed = parse(url)
        if not (self.base is None or self.belongs(parsed)):
            return url
        if isinstance(self.params, str):
            return with_query(url, self.params)
        pairs: list[tuple[str, Any]] = [*parse_qsl(parsed.target.partition("?")[2], keep_blank_values=True)]
        if isinstance(own := as_pairs(params), list):
            pairs += own
        names = {name for name, _ in pairs}
        return with_query(url, [(name, value) for name, value in self.params if name not in names])

    def own_fields(self, request: FetchRequest) -> list[Header]:
        """Return the header fields that the pool's function has for a request."""
        assert self.auth is not None
        return header_pairs(self.auth(request))


NONE = Defaults()


def defaults(base_url: str | None, params: Any, auth: Auth | None, cookies: Any) -> Defaults:
    """Return what a pool adds, checked; for the arguments see `ConnectionPool`.

    Args:
        base_url, auth, cookies: as for `ConnectionPool`.
        params: the same, checked: a list of pairs, or text.

    Raises:
        TypeError, ValueError: they make no sense. http.client.InvalidURL: `base_url` is none.
    """
    base: URL | None = None
    if base_url is not None:
        if not isinstance(base_url, str):
            raise TypeError(f"base_url is a str, not {kind(base_url)}")
        base = parse(base_url)
        if "?" in base.target or base.fragment:
            raise ValueError("base_url has a query or a fragment: use params= for a query")
    elif auth is not None:
        raise ValueError("auth= is for one origin alone: give its base_url=")
    user = base.user if base is not None else None
    if isinstance(auth, tuple):
        if user is not None:
            raise ValueError("base_url has a user name already: give that, or auth=")
        user, auth = _user(auth), None
    elif auth is not None and not callable(auth):
        raise TypeError(f"auth is (name, password), or a function, not {kind(auth)}")
    if cookies is not None and not (
        hasattr(cookies, "add_cookie_header") and hasattr(cookies, "extract_cookies")
    ):
        raise TypeError(f"cookies is an http.cookiejar.CookieJar, not {kind(cookies)}")
    return Defaults(
        None if base is None else base._replace(user=None),
        params,
        None if user is None else basic(user),
        auth,
        cookies,
    )


def _user(auth: tuple[Any, ...]) -> bytes:
    """Return "name:password" (RFC 7617)."""
    if len(auth) != 2 or not all(isinstance(one, str) for one in auth):
        raise TypeError("auth is (name, password), two str, or a function")
    if ":" in auth[0]:
        raise ValueError("the name in auth= has a colon, which Basic authentication cannot send (RFC 7617)")
    return f"{auth[0]}:{auth[1]}".encode()
