"""The links of a page of HTML, and of sitemaps.

Rule: whatever a page holds, its links cost bounded time and memory.
"""

import re
from collections.abc import Iterable, Mapping
from http.client import InvalidURL

from ..fetching.checks import kind
from ..fetching.response import FetchResponse
from ..messages.urls import URL, join, parse
from .scope import LONGEST_URL
from .sitemaps import is_sitemap, locations
from .tags import tags

# Characters of a page that are looked through (Google reads 2 MB), and links of it that are taken.
MAX_SIZE = 2 << 20
MAX_LINKS = 10_000

_HTML = frozenset({"text/html", "application/xhtml+xml"})
_WANTED = frozenset({"a", "area", "base", "link", "meta"})
# What browsers drop within a URL, and around it (URL Standard, section 4.4).
_dropped = re.compile(r"[\t\n\r]+").sub
_AROUND = "".join(map(chr, range(0x21)))
_NOT_FOLLOWED = frozenset({"nofollow", "none"})
# Directives of X-Robots-Tag that have a value behind a colon; any other name before a colon is a crawler's.
_WITH_VALUE = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})


def links_of(response: FetchResponse, agent: str, *, nofollow: bool = True) -> list[str]:
    """Return the URLs to which a response links, absolute; () if it is no page, or no sitemap.

    Args:
        response: its body in memory.
        agent: the crawler's product token, for directives that name it.
        nofollow: heed directives that forbid to follow links.
    """
    media = media_type(response)
    if is_sitemap(media, response.url):
        return _unique(locations(response.body))
    if media not in _HTML or response.status >= 300:
        return []
    if nofollow and forbids(response.headers.get_all("x-robots-tag") or (), agent):
        return []
    return html_links(response.text[:MAX_SIZE], response.url, agent, nofollow=nofollow)


def media_type(response: FetchResponse) -> str:
    """Return the media type of a response, in lower case and without parameters."""
    return str(response.headers.get("content-type") or "").partition(";")[0].strip().lower()


def html_links(text: str, url: str, agent: str, *, nofollow: bool = True) -> list[str]:
    """Return the URLs to which a page links: those of `a` and `area`, and its canonical URL.

    Args:
        text: the page, in HTML.
        url: its own; a `<base>` changes what links are relative to.
        agent, nofollow: as for `links_of()`.
    """
    base: URL | None = None
    found: list[str] = []
    for name, attributes in tags(text, _WANTED):
        if name == "meta" and nofollow and _meta_forbids(attributes, agent):
            return []
        if (link := attributes.get("href")) is None:
            continue
        if name == "base":
            base = base or _resolved(parse(url), link) or parse(url)
        elif _is_link(name, attributes.get("rel", ""), nofollow=nofollow):
            found.append(link)
            if len(found) == MAX_LINKS:
                break
    base = base or parse(url)
    return resolved(base, found)


def resolved(base: URL, links: Iterable[str]) -> list[str]:
    """Return the URLs to which links lead, each once; what cannot be fetched is left out.

    Args:
        base: what they are relative to.
        links: as they are written.

    Raises:
        TypeError: one of them is no str.
    """
    found = (_resolved(base, link) for link in links)
    return _unique(str(url) for url in found if url is not None)


def forbids(fields: Iterable[str], agent: str) -> bool:
    """Tell whether the X-Robots-Tag fields of a response forbid to follow its links.

    A field may begin with the name of a crawler and a colon; then it is for that one alone.
    """
    for value in fields:
        concerned = True
        for part in value.lower().split(","):
            name, colon, rest = (piece.strip() for piece in part.partition(":"))
            if colon and name not in _WITH_VALUE:
                concerned = name == agent
            if concerned and (rest if colon else name) in _NOT_FOLLOWED:
                return True
    return False


def _is_link(name: str, relations: str, *, nofollow: bool) -> bool:
    """Tell whether a tag that has an address is a link to a page, and one to be followed."""
    if not relations:
        return name != "link"
    tokens = relations.lower().split()
    return (name != "link" or "canonical" in tokens) and not (nofollow and "nofollow" in tokens)


def _meta_forbids(attributes: Mapping[str, str], agent: str) -> bool:
    name = attributes.get("name", "").strip().lower()
    if name != "robots" and (not agent or name != agent):
        return False
    return not _NOT_FOLLOWED.isdisjoint(re.split(r"[\s,]+", attributes.get("content", "").lower()))


def _resolved(base: URL, link: str) -> URL | None:
    """Return the URL to which a link leads; None: it is no http(s) URL, or programs read it differently."""
    if not isinstance(link, str):
        raise TypeError(f"a link is a str, not {kind(link)}")
    link = _dropped("", link.strip(_AROUND))
    if len(link) > LONGEST_URL:
        return None
    try:
        # As if it were the bytes of a Location, which `join()` takes for UTF-8.
        target = join(base, link.encode("utf-8", "replace").decode("latin-1"))
    except (InvalidURL, ValueError):
        return None
    return target._replace(user=None, fragment="")


def _unique(links: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(links))
