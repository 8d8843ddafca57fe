"""Cookies: http.cookiejar decides which are kept, and which are sent where.

It asks a request and a response for what urllib.request's have.  A jar has a lock: any number of threads may
share it.
"""

import re
import urllib.request
from http.client import HTTPMessage
from http.cookiejar import CookieJar
from typing import Any

from ..messages.urls import URL

# What may be sent in a value: a server may have set another, which would make each further request an error.
_may_be_sent = re.compile(r"[\t\x20-\x7e\x80-\xff]*").fullmatch


class _Response:
    """A response, as far as a jar asks for one."""

    def __init__(self, headers: HTTPMessage) -> None:
        self._headers = headers

    def info(self) -> HTTPMessage:
        """Return the header fields."""
        return self._headers


def cookie_header(jar: CookieJar, url: URL, first: URL) -> str | None:
    """Return the value of Cookie for a request; None if there is none.

    Args:
        jar: the cookies.
        url: of the request.
        first: the URL that the program has asked for, from which redirects have led to this one.
    """
    request = _request(url, first)
    jar.add_cookie_header(request)
    cookies: str = request.get_header("Cookie", "")
    return "; ".join(one for one in cookies.split("; ") if _may_be_sent(one)) or None


def keep_cookies(jar: CookieJar, url: URL, first: URL, headers: HTTPMessage) -> None:
    """Put the cookies of a response into a jar; for the arguments see `cookie_header`."""
    if "set-cookie" in headers or "set-cookie2" in headers:
        response: Any = _Response(headers)
        jar.extract_cookies(response, _request(url, first))


def _request(url: URL, first: URL) -> urllib.request.Request:
    shown = str(url._replace(fragment=""))
    return urllib.request.Request(shown, origin_req_host=first.host, unverifiable=url is not first)  # noqa: S310
