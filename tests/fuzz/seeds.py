"""`python -m tests.fuzz.seeds` writes the first inputs of each target, from what the hostile servers send.

Each hostile case is run, and what its server says on the first connection becomes an input, if it is short.
"""

import gzip
import struct
import zlib
from collections.abc import Iterator
from unittest import mock

import brotli
from backports import zstd

from hyperlite.testing.hostile.case import CASES, Case
from hyperlite.testing.hostile.line import Line
from tests.hostile.catalogue import combinations
from tests.hostile.run import run
from tests.http2.engine.test_hpack_agreement import recorded

from .bodies import CODINGS
from .corpus import load, save

# Bytes of an input, and seconds that a case may take to be of use.
LONGEST, PATIENT = 500, 3.0
SECTIONS_LEFT_OUT = {"flood"}
PAGE = b"""<base href="/x/"><a href="b?c=1&amp;d=2#e">1</a><A HREF='../f' rel=nofollow>
<link rel=canonical href=//h/><!-- <a href=no> --><script>"<a href=no>"</script>
<meta name=robots content="nofollow"><area href=&#x68;ttp://h/>"""
ROBOTS = b"""\xef\xbb\xbfUser-agent: *
Disallow: /a*b$
Allow: /%61
Crawl-delay: 2

User-agent: bot
Disallow:
Sitemap: http://h/s.xml
"""
SITEMAP = b"""<?xml version="1.0"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><url><loc>http://h/a</loc></url></urlset>"""
EVENTS = b"\xef\xbb\xbf: hi\ndata: a\ndata:b\r\nevent: add\rid: 7\n\nretry: 10\nid\ndata\n\n"
LINK = b"<https://base.example/2>; rel=\"next last\"; title*=utf-8''%e2%82%ac, </3>;rel=prev"
COOKIES = [
    b"a=b; Domain=base.example; Path=/a; Secure; Max-Age=60",
    b"c=d; expires=Wed, 09 Jun 2027 10:18:14 GMT",
]
URLS = [
    b"http://user:pw@h.example:8080/a/../b?c=d#e", b"https://[::1%25eth0]:443/", "http://fa\xdf.example/\xe4".encode(),
    b"http://127.0.0.1/%2e%2E/%zz", b"//other.example/x", b"?q", b"/\\h", b"https:/path", b"http://a@b@c/", b"http://0x7f.1/",
]  # fmt: skip
CONTENT = b"hello " * 10


def said(case: Case, over: str) -> bytes:
    """Return what a case's server says on its first connection."""
    spoken: dict[int, bytearray] = {}
    send_raw = Line.send_raw

    def recorded_send(line: Line, data: bytes) -> None:
        spoken.setdefault(id(line), bytearray()).extend(data)
        send_raw(line, data)

    with mock.patch.object(Line, "send_raw", recorded_send):
        run(case, "native", over)
    return bytes(next(iter(spoken.values()), b""))


def program(transcript: bytes, *, upload: bool) -> bytes | None:
    """Return frames as an input of the engines; None if there are none."""
    made = bytearray(b"\x80\1" if upload else b"\x80\0\x80\0")
    place = 0
    while place + 9 <= len(transcript):
        length = int.from_bytes(transcript[place : place + 3], "big")
        kind, flags, stream_id = struct.unpack(">BBL", transcript[place + 3 : place + 9])
        payload = transcript[place + 9 : place + 9 + length]
        if kind >= 0x80 or length > 0xFFFF:
            return None
        made += (
            bytes([kind, flags, stream_id & 15 | stream_id >> 24 & 0x80])
            + struct.pack(">H", length)
            + payload
        )
        made.append(0)
        place += 9 + length
    return bytes(made)


def fields(*values: bytes) -> bytes:
    """Return values, each behind its length."""
    return b"".join(bytes([len(value)]) + value for value in values)


def of_hostile() -> Iterator[tuple[str, str, bytes]]:
    """Yield targets, names and inputs from the hostile cases."""
    for case, engine, over in combinations():
        if (
            (engine != "native" and case.protocol == "h2")
            or over != case.over[0]
            or case.section in SECTIONS_LEFT_OUT
            or case.timeout < PATIENT
        ):
            continue
        transcript = said(case, over)
        if not transcript or len(transcript) > LONGEST:
            continue
        if case.protocol == "h2":
            if made := program(transcript, upload=case.upload > 0):
                yield "engines", case.name, made
        else:
            method = 1 if case.method == "HEAD" else 0
            yield "answer", case.name, bytes([method, 3, 1]) + transcript


def by_hand() -> Iterator[tuple[str, str, bytes]]:
    """Yield those that no server sends in this form."""
    for server, blocks in recorded().items():
        wire = b"".join(struct.pack(">H", len(block)) + block for block in blocks)
        yield "decoder", f"recorded-{server.replace(' ', '-')}", b"\2" + wire[:LONGEST]
    packed = [
        gzip.compress(CONTENT, mtime=0), zlib.compress(CONTENT), brotli.compress(CONTENT),
        zstd.compress(CONTENT), gzip.compress(gzip.compress(CONTENT, mtime=0), mtime=0),
        zlib.compress(brotli.compress(CONTENT)), gzip.compress(zstd.compress(CONTENT), mtime=0),
        gzip.compress(b"", mtime=0) * 2,
    ]  # fmt: skip
    for number, (coding, body) in enumerate(zip(CODINGS, packed, strict=True)):
        name = coding.replace(", ", "-in-")
        yield "coding", name, bytes([number, 3, 1, 2, 1]) + body
        yield "coding", f"{name}-cut-off", bytes([number, 3, 1, 2, 1]) + body[:-3]
    for number, url in enumerate(URLS):
        yield "url", f"url-{number}", url
        yield "location", f"url-{number}", url
    yield "chunks", "two", b"\1\2" + b"3;x=y\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"
    yield "events", "all-fields", b"\1\2" + EVENTS
    yield "text", "latin", fields(b"text/html; charset=latin-1") + b"\1\2a\r\nb\rc\n\xe4"
    yield "text", "utf-16", fields(b"text/html; charset=utf-16") + b"\1\2" + "\ufeffa\r\nb".encode("utf-16")
    yield "fields", "all", fields(LINK, b"120", *COOKIES)
    yield "fields", "dates", fields(b"", b"Wed, 09 Jun 2027 10:18:14 GMT", *COOKIES)
    yield "robots", "usual", ROBOTS
    yield "sitemap", "usual", SITEMAP
    yield "sitemap", "packed", gzip.compress(SITEMAP, mtime=0)
    yield "page", "usual", PAGE
    yield (
        "state",
        "two-runs",
        bytes([6, 0, 1, 2, 3, 7, 11, 12, 0x83, 0, 66, 0, 66, 0x83, 0x60, 9, 0x82, 0, 67, 0x83]),
    )
    yield "note", "usual", b'{"url": "http://h/", "validator": "\\"x\\"", "length": 10}'


def main() -> None:
    """Write them; what was learnt, and what was found, stays."""
    made: dict[str, dict[str, bytes]] = {}
    for target, name, data in (*by_hand(), *of_hostile()):
        made.setdefault(target, {})[name] = data
    for target, inputs in made.items():
        stays = {name: data for name, data in load(target).items() if name.startswith(("learnt-", "find-"))}
        save(target, stays | inputs)
        print(
            f"{target:10} {len(inputs)} of {len(CASES)} cases" if target in {"engines", "answer"} else target
        )


if __name__ == "__main__":
    main()
