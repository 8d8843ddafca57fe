"""The WHATWG form of a URL (URL Standard, sections 4.1 and 4.4): two URLs are the same if their forms are.

`messages/urls` makes of a URL what is sent: browsers change a little more.  That is done here, for the form
alone: a form is never fetched.  Two URLs for which the same request is sent have the same form, too: "%zz"
and "%25zz".
"""

import re
from urllib.parse import quote_from_bytes

from ..messages.urls import URL, parse

# What the target of a parsed URL may have that has another form.
_doubtful = re.compile(r"['\\]|%2e", re.IGNORECASE).search
_quoted_dot = re.compile(r"%2e", re.IGNORECASE)


def whatwg_form(url: str, parsed: URL) -> str:
    """Return the form of a URL, without its fragment.

    Args:
        url: as it was given.
        parsed: the same, taken apart.
    """
    target = parsed.target
    if _doubtful(url):
        target = _target(url, parsed)
    user = "" if not parsed.user or parsed.user == b":" else f"{quote_from_bytes(parsed.user, safe=':')}@"
    return f"{parsed.scheme}://{user}{parsed.netloc}{target}"


def _target(url: str, parsed: URL) -> str:
    """Return the path and the query as browsers have them."""
    if "\\" in url:  # which is a slash in a path, and nowhere else
        end = min(place for place in (url.find("?"), url.find("#"), len(url)) if place >= 0)
        parsed = parse(url[:end].replace("\\", "/") + url[end:])
    path, mark, query = parsed.target.partition("?")
    dotted = "/".join(_dots(segment) for segment in path.split("/"))
    if dotted != path:
        path = parse(f"http://h{dotted}").target
    return path + mark + query.replace("'", "%27")


def _dots(segment: str) -> str:
    """Return a segment of a path; "." or ".." if it is that, with dots that are quoted."""
    plain = _quoted_dot.sub(".", segment)
    return plain if plain in {".", ".."} else segment
