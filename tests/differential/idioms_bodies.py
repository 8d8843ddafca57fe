"""How programs read a body: by files of all kinds upon it, by parsers, by loops of their own."""

import base64
import bz2
import codecs
import collections
import configparser
import contextlib
import csv
import email
import functools
import gzip
import hashlib
import html.parser
import http
import http.client
import io
import itertools
import json
import lzma
import pickle
import plistlib
import shutil
import struct
import tarfile
import tempfile
import urllib.response
import wave
import xml.dom.minidom
import xml.etree.ElementTree as ET
import xml.sax
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from .calls import read
from .observe import Case, attempt, state

Style = Callable[[Any], Any]


def _copied(response: Any, *size: int) -> bytes:
    target = io.BytesIO()
    shutil.copyfileobj(response, target, *size)
    return target.getvalue()


def _while_open(response: Any) -> list[bytes]:
    pieces = []
    while not response.isclosed():
        pieces.append(response.read(16))
    return pieces


def _while_not_closed(response: Any) -> list[bytes]:
    pieces = []
    while not response.closed:
        piece = response.read(1000)
        pieces.append(piece)
        if not piece:
            response.close()
    return pieces


def _with_progress(response: Any) -> list[Any]:
    """As programs do that draw a bar: the length that the head says, and what has come so far."""
    total, seen = int(response.getheader("Content-Length", "-1")), 0
    steps = []
    while piece := response.read(20):
        seen += len(piece)
        steps.append((seen, total, response.length))
    return steps


def _exactly(response: Any, size: int) -> bytes:
    parts = []
    while size > 0 and (part := response.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _into_view(response: Any) -> list[Any]:
    buffer = bytearray(64)
    view, filled = memoryview(buffer), 0
    while filled < len(view) and (count := response.readinto(view[filled : filled + 10])):
        filled += count
    return [filled, bytes(buffer)]


def _with_tempfile(response: Any) -> bytes:
    with tempfile.TemporaryFile() as file:
        for piece in iter(functools.partial(response.read, 1024), b""):
            file.write(piece)
        file.seek(0)
        return file.read()


def _decoded(response: Any) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    return "".join(decoder.decode(piece) for piece in iter(lambda: response.read(3), b""))


def _digest(response: Any) -> str:
    digest = hashlib.sha256()
    while piece := response.read(64):
        digest.update(piece)
    return digest.hexdigest()


def _peeked_lines(response: Any) -> list[bytes]:
    lines = []
    while response.peek(1)[:1]:
        lines.append(response.readline())
    return lines


def _detached(response: Any) -> Any:
    wrapper = io.TextIOWrapper(response, "utf-8")
    line = wrapper.readline()
    return [line, wrapper.detach() is response, state(response)["isclosed"]]


def _wrapped_and_left(response: Any) -> Any:
    with io.TextIOWrapper(response, encoding="utf-8") as text:
        line = next(text)
    return [line, state(response)]


# Of any body.
STYLES: dict[str, Style] = {
    "copyfileobj": _copied,
    "copyfileobj, 3 at a time": lambda r: _copied(r, 3),
    "read().decode()": lambda r: r.read().decode("utf-8", "replace").splitlines(),
    "iter(lambda: read(7))": lambda r: list(iter(lambda: r.read(7), b"")),
    "iter(partial(read1, 7))": lambda r: b"".join(iter(functools.partial(r.read1, 7), b"")),
    "while not isclosed()": _while_open,
    "while not closed": _while_not_closed,
    "a progress bar": _with_progress,
    "exactly 12, then the rest": lambda r: [_exactly(r, 12), state(r), r.read()],
    "exactly as many as there are": lambda r: [_exactly(r, r.length or 10), state(r)],
    "readinto views": _into_view,
    "readinto1": lambda r: [r.readinto1(b := bytearray(3)), bytes(b), state(r)],
    "a temporary file": _with_tempfile,
    "hashlib in pieces": _digest,
    "hashlib.file_digest": lambda r: hashlib.file_digest(r, "md5").hexdigest(),
    "readline until empty": lambda r: list(iter(r.readline, b"")),
    "readline(5) until empty": lambda r: list(iter(lambda: r.readline(5), b"")),
    "peek and readline": _peeked_lines,
    "readlines(20)": lambda r: [r.readlines(20), r.readlines()],
    "next()": lambda r: [next(r), next(r, None), state(r)],
    "for with break": lambda r: [next(iter(r)), state(r), r.readline()],
    "enumerate": lambda r: list(enumerate(r))[-1],
    "islice": lambda r: [list(itertools.islice(r, 2)), state(r)],
    "deque of the last lines": lambda r: list(collections.deque(r, maxlen=2)),
    "BufferedReader": lambda r: [(f := io.BufferedReader(r)).readline(), f.peek(2)[:2], f.read()],
    "BufferedReader, small": lambda r: [
        (f := io.BufferedReader(r, 8)).read(3),
        f.readline(),
        f.read1(4),
        f.read(),
    ],
    "BufferedReader.readinto": lambda r: [io.BufferedReader(r).readinto(b := bytearray(9)), bytes(b)],
    "BufferedReader.readlines": lambda r: io.BufferedReader(r).readlines(),
    "TextIOWrapper": lambda r: io.TextIOWrapper(r, "latin-1").read(),
    "TextIOWrapper.read(5)": lambda r: [
        (f := io.TextIOWrapper(r, "latin-1")).read(5),
        f.readline(),
        f.read(),
    ],
    "TextIOWrapper, line by line": lambda r: list(io.TextIOWrapper(r, "latin-1", newline="")),
    "codecs.getreader": lambda r: codecs.getreader("latin-1")(r).read(),
    "codecs.getreader, lines": lambda r: list(codecs.getreader("latin-1")(r)),
    "codecs.iterdecode": lambda r: "".join(codecs.iterdecode(r, "latin-1")),
    "incremental decoder": _decoded,
    "contextlib.closing": lambda r: [contextlib.closing(r).__enter__().read(4), r.close(), state(r)],
    "with, all": lambda r: [(r.__enter__(), r.read(), r.__exit__(None, None, None))[1], state(r)],
    "addinfourl": lambda r: [
        (f := urllib.response.addinfourl(r, r.headers, "https://u/", r.status)).read(5),
        f.readline(),
        f.geturl(),
        f.code,
        f.info() is r.headers,
        f.read(),
        f.close(),
        state(r),
    ],
    "addbase": lambda r: [b"".join(f := urllib.response.addbase(r)), f.close(), state(r)],
    "fp.read": lambda r: [r.fp is None or r.fp.closed, state(r)["no fp"]],
    "read after the end": lambda r: [r.read(), r.read(), r.read(5), r.readline(), r.read1(), state(r)],
    "readinto after the end": lambda r: [len(r.read()), r.readinto(bytearray(4)), list(r)],
    "read after close": lambda r: [r.close(), r.read(), r.readline(), r.read1(2), r.closed],
    "peek after close": lambda r: [r.close(), r.peek(), r.readinto(bytearray(2)), attempt(r.readlines)],
    "read(5.0)": lambda r: attempt(lambda: r.read(5.0)),
    "read1(5.0)": lambda r: attempt(lambda: r.read1(5.0)),
    "readline(5.0)": lambda r: attempt(lambda: r.readline(5.0)),
    "readinto None": lambda r: [attempt(lambda: r.readinto(None)), attempt(lambda: r.readinto("text"))],
    "read1(None)": lambda r: attempt(lambda: r.read1(None)),
    "readline(None)": lambda r: attempt(lambda: r.readline(None)),
    "read('5')": lambda r: attempt(lambda: r.read("5")),
    "readinto bytes": lambda r: attempt(lambda: r.readinto(b"12345")),
    "readinto array of words": lambda r: [r.readinto(b := memoryview(bytearray(8)).cast("H")), bytes(b)],
    "readable and others": lambda r: [r.readable(), r.writable(), r.seekable(), r.isatty(), r.closed],
    "truncate and others": lambda r: [attempt(lambda: r.truncate(0)), attempt(lambda: r.writelines([b"a"]))],
    "compared and hashed": lambda r: [r == r, r != object(), {r: 1}[r], bool(r)],
    "isinstance": lambda r: [
        isinstance(r, (io.IOBase, io.BufferedIOBase)),
        isinstance(r, io.RawIOBase),
        isinstance(r, http.client.HTTPResponse),
        isinstance(r, collections.abc.Iterator),
        hasattr(r, "__len__"),
        callable(r.read),
    ],
}


class _Collector(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_data(self, data: str) -> None:
        self.seen.append(data)


class _Names(xml.sax.ContentHandler):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def startElement(self, name: str, attrs: Any) -> None:  # noqa: N802  # its name
        self.seen.append(name)


def _html(response: Any) -> list[str]:
    parser = _Collector()
    for line in io.TextIOWrapper(response, response.headers.get_content_charset()):
        parser.feed(line)
    return parser.seen


def _sax(response: Any) -> list[str]:
    handler = _Names()
    xml.sax.parse(response, handler)
    return handler.seen


def _pulled(response: Any) -> list[Any]:
    parser = ET.XMLPullParser(["start"])
    while piece := response.read(9):
        parser.feed(piece)
    return [element.tag for _, element in parser.read_events()]


def _members(response: Any, mode: Any) -> list[Any]:
    with tarfile.open(fileobj=response, mode=mode) as archive:
        return [(one.name, len(archive.extractfile(one).read())) for one in archive]  # type: ignore[union-attr]


def _zipped(response: Any) -> list[Any]:
    with zipfile.ZipFile(io.BytesIO(response.read())) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def _gunzipped(response: Any) -> list[bytes]:
    file = gzip.GzipFile(fileobj=response)
    return list(iter(lambda: file.read(100), b""))


def _opened(opener: Any, response: Any) -> list[str]:
    with opener(response, "rt", encoding="utf-8") as file:
        return list(file)


def _inflated(response: Any) -> bytes:
    worker, parts = zlib.decompressobj(), []
    while piece := response.read(11):
        parts.append(worker.decompress(piece))
    return b"".join(parts) + worker.flush()


def _events(response: Any) -> list[str]:
    """As clients of server-sent events do."""
    seen, lines = [], []
    for line in response:
        text = line.decode().rstrip("\r\n")
        if text:
            lines.append(text)
        elif lines:
            seen.append("|".join(lines))
            lines = []
    return seen


def _base64(response: Any) -> bytes:
    target = io.BytesIO()
    base64.decode(response, target)
    return target.getvalue()


def _sound(response: Any) -> list[Any]:
    with wave.open(response, "rb") as sound:
        return [sound.getnframes(), sound.readframes(10)]


def _ini(response: Any) -> Any:
    parser = configparser.ConfigParser()
    parser.read_file(io.TextIOWrapper(response, "utf-8"))
    return parser["a"]["b"]


def _charset(response: Any) -> str:
    return response.read().decode(response.headers.get_content_charset() or "utf-8")


# Of one document.
PARSERS: dict[str, tuple[str, Style]] = {
    "TextIOWrapper of UTF-8": ("text", lambda r: io.TextIOWrapper(r, "utf-8").readlines()),
    "TextIOWrapper, strict newlines": ("text", lambda r: list(io.TextIOWrapper(r, "utf-8", newline="\n"))),
    "TextIOWrapper.detach": ("text", _detached),
    "TextIOWrapper left early": ("text", _wrapped_and_left),
    "charset of the head": ("text", _charset),
    "charset of the head, Latin-1": ("latin", _charset),
    "utf-8 that is none": ("latin", lambda r: attempt(lambda: io.TextIOWrapper(r, "utf-8").read())),
    "utf-8 that is none, replaced": (
        "latin",
        lambda r: io.TextIOWrapper(r, "utf-8", errors="replace").read(),
    ),
    "html.parser": ("latin", _html),
    "json.load": ("json", json.load),
    "json.load through TextIOWrapper": ("json", lambda r: json.load(io.TextIOWrapper(r, "utf-8"))),
    "json.load through getreader": ("json", lambda r: json.load(codecs.getreader("utf-8")(r))),
    "json.loads(read())": ("json", lambda r: json.loads(r.read())),
    "json of lines": ("json-lines", lambda r: [json.loads(line) for line in r]),
    "json of what is none": ("text", lambda r: attempt(lambda: json.load(r))),
    "csv.reader": ("csv", lambda r: list(csv.reader(io.TextIOWrapper(r, "utf-8", newline="")))),
    "csv.DictReader over iterdecode": ("csv", lambda r: list(csv.DictReader(codecs.iterdecode(r, "utf-8")))),
    "csv.reader over a generator": ("csv", lambda r: list(csv.reader(line.decode() for line in r))),
    "ElementTree.parse": ("xml", lambda r: [one.get("id") for one in ET.parse(r).getroot()]),
    "ElementTree.iterparse": ("xml", lambda r: [one.tag for _, one in ET.iterparse(r)]),
    "ElementTree.fromstring": ("xml", lambda r: ET.fromstring(r.read()).tag),
    "XMLPullParser": ("xml", _pulled),
    "xml.sax": ("xml", _sax),
    "xml.dom.minidom": ("xml", lambda r: xml.dom.minidom.parse(r).documentElement.tagName),
    "ElementTree of what is none": ("json", lambda r: [attempt(lambda: ET.parse(r)), state(r)]),
    "server-sent events": ("events", _events),
    "email.message_from_binary_file": ("mail", lambda r: email.message_from_binary_file(r)["subject"]),
    "http.client.parse_headers": ("mail", lambda r: http.client.parse_headers(r).items()),
    "GzipFile": ("gzip", lambda r: gzip.GzipFile(fileobj=r).read()),
    "GzipFile in pieces": ("gzip", _gunzipped),
    "GzipFile, lines": ("gzip", lambda r: len(list(gzip.GzipFile(fileobj=r)))),
    "GzipFile under TextIOWrapper": (
        "gzip",
        lambda r: io.TextIOWrapper(gzip.GzipFile(fileobj=r), "utf-8").read(),
    ),
    "gzip.open": ("gzip", lambda r: _opened(gzip.open, r)),
    "gzip.decompress": ("gzip", lambda r: gzip.decompress(r.read())),
    "zlib of gzip": ("gzip", lambda r: zlib.decompress(r.read(), 16 + zlib.MAX_WBITS)),
    "gzip of what is none": ("text", lambda r: [attempt(lambda: gzip.GzipFile(fileobj=r).read()), state(r)]),
    "zlib.decompressobj": ("deflate", _inflated),
    "zlib.decompress": ("deflate", lambda r: zlib.decompress(r.read())),
    "BZ2File": ("bz2", lambda r: bz2.BZ2File(r).read()),
    "bz2.open": ("bz2", lambda r: _opened(bz2.open, r)),
    "LZMAFile": ("xz", lambda r: lzma.LZMAFile(r).read()),  # noqa: SIM115
    "lzma.open": ("xz", lambda r: _opened(lzma.open, r)),
    "tarfile, streamed": ("tar", lambda r: _members(r, "r|")),
    "tarfile, streamed, any coding": ("tgz", lambda r: _members(r, "r|*")),
    "tarfile, streamed, gzip": ("tgz", lambda r: _members(r, "r|gz")),
    "tarfile, not streamed": ("tar", lambda r: attempt(lambda: _members(r, "r:"))),
    "tarfile in memory": ("tgz", lambda r: _members(io.BytesIO(r.read()), "r:gz")),
    "zipfile in memory": ("zip", _zipped),
    "zipfile of the response": ("zip", lambda r: attempt(lambda: zipfile.ZipFile(r))),
    "wave": ("wave", _sound),
    "pickle.load": ("pickle", lambda r: len(pickle.load(r)["b"])),
    "pickle.loads": ("pickle", lambda r: sorted(pickle.loads(r.read()))),
    "plistlib.load": ("plist", lambda r: attempt(lambda: plistlib.load(r))),
    "plistlib.loads": ("plist", lambda r: plistlib.loads(r.read())),
    "configparser": ("ini", _ini),
    "base64.decode": ("base64", _base64),
    "struct": (
        "binary",
        lambda r: [struct.unpack(">HI", r.read(6)), struct.iter_unpack(">H", r.read(4)).__next__()],
    ),
    "binary in blocks": ("binary", lambda r: [len(block) for block in iter(lambda: r.read(8192), b"")]),
    "binary with read1": ("binary", lambda r: hashlib.md5(b"".join(iter(r.read1, b""))).hexdigest()),
    "binary with readinto": (
        "binary",
        lambda r: [r.readinto(b := bytearray(50_000)), hashlib.md5(b).hexdigest()],
    ),
    "binary with readline": ("binary", lambda r: len(r.readline())),
    "binary as lines": ("binary", lambda r: [len(line) for line in r][:3]),
    "binary, half of it": ("binary", lambda r: [len(r.read(20_000)), state(r)]),
}


# What depends, with the other framing, on how much has come when it is asked for, or on Python's release.
ONLY = {
    **dict.fromkeys(("contextlib.closing", "read after close", "peek after close"), "sized"),
    **dict.fromkeys(("TextIOWrapper left early", "TextIOWrapper.detach"), "sized"),
    "readinto array of words": "sized",
    "peek and readline": "chunked",
}


def cases() -> Iterator[Case]:
    for framing in ("sized", "chunked"):
        for style, how in STYLES.items():
            if ONLY.get(style, framing) == framing:
                yield Case(f"{framing} text by {style}", read(f"/{framing}/text", how))
        for style, (name, how) in PARSERS.items():
            if ONLY.get(style, framing) == framing:
                yield Case(f"{framing} {name} by {style}", read(f"/{framing}/{name}", how))
    for style in (
        "copyfileobj",
        "TextIOWrapper",
        "BufferedReader",
        "while not isclosed()",
        "readline until empty",
    ):
        for framing in ("sized", "chunked"):
            yield Case(f"{framing} nothing by {style}", read(f"/{framing}/nothing", STYLES[style]))
        yield Case(f"HEAD, {style}", read("/sized/text", STYLES[style], "HEAD"))
        yield Case(f"204, {style}", read("/status?n=204", STYLES[style]))
