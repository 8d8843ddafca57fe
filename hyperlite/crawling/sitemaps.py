"""Sitemaps and their index files (sitemaps.org): the URLs in them.

Rule: a sitemap is taken apart as it is unpacked.  No document type is read, so no entity can grow, and
nothing outside of the document is looked at.
"""

import contextlib
import zlib
from collections.abc import Iterator
from xml.parsers import expat

# Bytes of a sitemap, unpacked, and URLs in it: the limits of sitemaps.org.
MAX_SIZE = 50 << 20
MAX_URLS = 50_000
# Bytes of a URL (sitemaps.org has 2,048).
_LONGEST = 4096
_PIECE = 1 << 16
_XML = frozenset({"application/xml", "text/xml"})
_GZIP = frozenset({"application/gzip", "application/x-gzip", "application/octet-stream"})
_ROOTS = frozenset({"urlset", "sitemapindex"})


def is_sitemap(media: str, url: str) -> bool:
    """Tell whether a response may be a sitemap, by its media type and its URL."""
    path = url.partition("?")[0].partition("#")[0].lower()
    return (
        media in _XML
        or path.endswith(".xml.gz")
        or (media in _GZIP and path.endswith(".gz") and "sitemap" in path)
    )


def locations(body: bytes) -> list[str]:
    """Return the URLs in a sitemap, or in an index of sitemaps, as far as it goes; [] for anything else."""
    reader = _Reader()
    size = 0
    # LookupError, ValueError: the encoding is none of Python's, or none that expat can use.
    with contextlib.suppress(expat.ExpatError, LookupError, ValueError, zlib.error, _Enough):
        for piece in _unpacked(body):
            size += len(piece)
            if size > MAX_SIZE:
                break
            reader.feed(piece)
    return reader.found


class _Enough(Exception):
    """Nothing more of a document is wanted."""


class _Reader:
    """Collects the text of each `loc` below `url` or `sitemap`."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._path: list[str] = []
        self._text: list[str] | None = None
        self._length = 0
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)

    def feed(self, piece: bytes) -> None:
        """Take in the next bytes."""
        self._parser.Parse(piece, False)

    def _start(self, name: str, _attributes: object) -> None:
        local = name.rpartition(" ")[2]
        if not self._path and local not in _ROOTS:
            raise _Enough
        if len(self._path) > 8:
            raise _Enough
        self._path.append(local)
        if self._path[1:] in (["url", "loc"], ["sitemap", "loc"]):
            self._text, self._length = [], 0

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._length += len(text)
            if self._length <= _LONGEST:
                self._text.append(text)

    def _end(self, _name: str) -> None:
        self._path.pop()
        if self._text is not None:
            link = "".join(self._text).strip()
            if link and self._length <= _LONGEST:
                self.found.append(link)
            self._text = None
            if len(self.found) >= MAX_URLS:
                raise _Enough

    def _refuse(self, *_: object) -> None:
        raise _Enough


def _unpacked(body: bytes) -> Iterator[bytes]:
    if not body.startswith(b"\x1f\x8b"):
        for start in range(0, len(body), _PIECE):
            yield body[start : start + _PIECE]
        return
    unpack = zlib.decompressobj(wbits=31)
    rest = body
    while rest and not unpack.eof:
        piece = unpack.decompress(rest, _PIECE)
        rest = unpack.unconsumed_tail
        if piece:
            yield piece
