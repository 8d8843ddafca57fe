"""Bodies: content codings, lines and events, text; cookies, and other fields that are read beside them."""

import contextlib
import http.client
import zlib
from http.cookiejar import CookieJar
from typing import Any

from hyperlite.errors import DecodingError
from hyperlite.fetching import charsets, cookies, decoding, event_stream, lines, links
from hyperlite.fetching.task import retry_after
from hyperlite.messages.fields import message_of
from hyperlite.messages.urls import parse

from .target import Feed, check, pieces

CODINGS = ["gzip", "deflate", "br", "zstd", "gzip, gzip", "br, deflate", "zstd, gzip", "x-gzip, identity"]
# Decoded bytes after which an input is dropped: the promise is about each read.
ENOUGH = 1 << 20
LIMIT = 64
BASE = parse("https://www.base.example:8443/a/b?c=d")
CODECS = ["utf_8", "utf_16", "latin_1", "gb18030", "shift_jis", "iso2022_jp", "utf_32", "big5"]


def coding(data: bytes) -> None:
    """Decode a body in two ways: no read returns more than was asked for, and both come to the same."""
    feed = Feed(data)
    name = CODINGS[feed.choice(len(CODINGS))]
    sizes, reads = feed.take(2), feed.take(2)
    packed = feed.rest()
    whole = _decoded(name, [packed], b"\xff")
    cut = _decoded(name, pieces(packed, sizes), reads)
    check(whole == cut, f"{name}: {whole!r:.200} at once, {cut!r:.200} in pieces")
    if name == "gzip" and whole is not None and len(whole) < ENOUGH and packed:
        unpacked = b""
        with contextlib.suppress(zlib.error):
            unpacked = zlib.decompressobj(31).decompress(packed)
        check(whole.startswith(unpacked), "zlib decodes something else")


def _decoded(name: str, source: list[bytes], sizes: bytes) -> bytes | None:
    """Return what a body is decoded to, at most `ENOUGH` bytes; None if it is an error."""
    left = list(source)
    read = decoding.decoder(name, lambda _: left.pop(0) if left else b"")
    check(read is not None, f"{name} is not known")
    assert read is not None
    decoded = bytearray()
    try:
        while len(decoded) < ENOUGH:
            size = sizes[len(decoded) % len(sizes)] * 64 + 1 if sizes else 4096
            piece = read(size)
            check(len(piece) <= size, f"{len(piece)} bytes where {size} were asked for")
            if not piece:
                return bytes(decoded)
            decoded += piece
    except DecodingError:
        return None
    return bytes(decoded[:ENOUGH])


def events(data: bytes) -> None:
    """Parse an event stream, cut anywhere, beside a parser that has the whole text before it."""
    feed = Feed(data)
    sizes = feed.take(2)
    stream = feed.rest()
    whole, cut = event_stream.Events(1 << 20), event_stream.Events(1 << 20)
    whole.feed(stream)
    for piece in pieces(stream, sizes):
        cut.feed(piece)
    found = [(one.event, one.data, one.id, one.retry) for one in whole.ready]
    check(whole.ready == cut.ready, f"{found} at once, {cut.ready} in pieces")
    check(found == _standard(stream), f"{found}, not {_standard(stream)}")
    small = event_stream.Events(LIMIT)
    for piece in pieces(stream, sizes):
        small.feed(piece)
    check(all(len(one.data) <= LIMIT for one in small.ready), "an event is longer than the limit")


def _standard(stream: bytes) -> list[tuple[str, str, str, int | None]]:
    """Return the events of a stream, by the words of the standard (section 9.2.6), from the whole text."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    found: list[tuple[str, str, str, int | None]] = []
    data, kind, identifier, retry = "", "", "", None
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:-1]:
        if not line:
            if data:
                found.append((kind or "message", data[:-1], identifier, retry))
            data, kind = "", ""
            continue
        field, _, value = line.partition(":")
        value = value[1:] if value[:1] == " " else value
        if field == "data":
            data += value + "\n"
        elif field == "event":
            kind = value
        elif field == "id" and "\0" not in value:
            identifier = value
        elif field == "retry" and value and all(one in "0123456789" for one in value):
            retry = int(value) if len(value.lstrip("0")) <= event_stream.MAX_RETRY_DIGITS else retry
    return found


def text(data: bytes) -> None:
    """Decode text by a Content-Type, and into lines however it is cut."""
    feed = Feed(data)
    content_type = feed.take(feed.number()).decode("latin-1")
    sizes = feed.take(2)
    body = feed.rest()
    charsets.text(body, content_type)
    codec = charsets.codec(content_type)
    whole, cut = lines.Lines(codec, 1 << 20), lines.Lines(codec, 1 << 20)
    whole.feed(body)
    for piece in pieces(body, sizes):
        cut.feed(piece)
    whole.end()
    cut.end()
    check(whole.ready == cut.ready, f"{codec}: {list(whole.ready)} at once, {list(cut.ready)} in pieces")


def fields(data: bytes) -> None:
    """Read Link, Retry-After and Set-Cookie; what a jar sends is a field that may be sent."""
    feed = Feed(data)
    value = feed.take(feed.number()).decode("latin-1")
    for link in links.links([value, value], BASE).values():
        parse(link["url"])
    later = retry_after(feed.take(feed.number()).decode("latin-1"))
    check(later is None or later >= 0, f"wait {later} s")
    jar = CookieJar()
    given: list[Any] = []
    while feed.left:
        given.append(("Set-Cookie", feed.take(feed.number()).decode("latin-1")))
    with contextlib.suppress(ValueError):  # a field that no response may have
        headers = message_of(_regular(given))
        cookies.keep_cookies(jar, BASE, BASE, headers)
    sent = cookies.cookie_header(jar, BASE, BASE) or ""
    check(not {"\r", "\n", "\0"} & set(sent), f"Cookie: {sent!r}")
    check(len(sent) <= cookies.MAX_SENT, f"{len(sent)} bytes of cookies")
    for cookie in jar:
        domain = cookie.domain.lstrip(".")
        check(f".{BASE.host}".endswith(f".{domain}") and "." in domain, f"a cookie of {domain}")


def _regular(fields: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return those fields that come through an HTTP/1.1 connection or an HTTP/2 one."""
    return [(name, value.strip(" \t")) for name, value in fields if not {"\r", "\n", "\0"} & set(value)]


FAILURES = (http.client.HTTPException, OSError)
