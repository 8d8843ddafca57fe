"""Cookies: http.cookiejar decides which are kept, and which are sent where.

It asks a request and a response for what urllib.request's have.  A jar has a lock: any number of threads may
share it.

Rule: a server decides neither how large the jar becomes, nor how large the requests to it and its neighbours.
"""

import contextlib
import re
import urllib.request
from http.client import HTTPMessage
from http.cookiejar import CookieJar, eff_request_host  # type: ignore[attr-defined]
from typing import Any

from ..messages.fields import message_of
from ..messages.urls import URL

# How many Set-Cookie fields of a response are heeded, and how long one may be; as in curl. RFC 6265 section
# 6.1 asks for 4096 bytes of name, value and attributes.
MAX_SET = 50
MAX_LENGTH = 5000
# How many cookies are kept for one host, and sent in one request; as curl sends. Chrome keeps 180.
MAX_COOKIES = 150
# Bytes of cookies that are sent in one request; as in curl. Many servers refuse longer fields.
MAX_SENT = 8190

# What may be sent in a value: a server may have set another, which would make each further request an error.
_may_be_sent = re.compile(r"[\t\x20-\x7e\x80-\xff]*").fullmatch
# RFC 6265bis section 5.6 ignores so long attributes. A jar fails at longer numbers, and then keeps no cookie
# of the response, or cannot be saved.
_is_excessive = re.compile(r";\s*max-age\s*=\s*[^;\s]{12}|;[^;]{1025}", re.IGNORECASE).search


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
    cookies = [one for one in request.get_header("Cookie", "").split("; ") if _may_be_sent(one)]
    value = "; ".join(cookies[:MAX_COOKIES])
    if len(value) > MAX_SENT:  # the jar has put those of the longest paths first
        value = value[: MAX_SENT + 1].rpartition(";")[0]
    return value or None


def keep_cookies(jar: CookieJar, url: URL, first: URL, headers: HTTPMessage) -> None:
    """Put the cookies of a response into a jar; for the arguments see `cookie_header`.

    Set-Cookie2 is out of use (RFC 6265 section 9.4), and a jar takes time for it that grows with the square
    of its length.
    """
    heeded = headers.get_all("set-cookie", [])[:MAX_SET]
    heeded = [one for one in heeded if len(one) <= MAX_LENGTH and not _is_excessive(one)]
    if not heeded:
        return
    request = _request(url, first)
    response: Any = _Response(message_of([("Set-Cookie", one) for one in heeded]))
    jar.extract_cookies(response, request)
    host = eff_request_host(request)[1]
    kept = [one for one in jar if one.domain == host or _is_below(host, one.domain)]
    for cookie in kept[:-MAX_COOKIES]:
        with contextlib.suppress(KeyError):  # another thread has removed it
            jar.clear(cookie.domain, cookie.path, cookie.name)


def _is_below(host: str, domain: str) -> bool:
    """Tell whether a host is in a domain that begins with a dot."""
    return domain[:1] == "." and f".{host}".endswith(domain)


def _request(url: URL, first: URL) -> urllib.request.Request:
    shown = str(url._replace(fragment=""))
    return urllib.request.Request(shown, origin_req_host=first.host, unverifiable=url is not first)  # noqa: S310
