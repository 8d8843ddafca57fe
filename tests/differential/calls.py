"""The shapes that most calls have: a request, its parts, a body, a way to read; and documents to read."""

import bz2
import gzip
import io
import lzma
import pickle
import plistlib
import tarfile
import wave
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

from .observe import outcome

HANG = 0.5  # how long to wait for a server that waits for us
CHUNKED = {"Transfer-Encoding": "chunked"}


def request(*args: Any, **options: Any) -> Callable[[Any], Any]:
    """Make a call of request() and all that follows."""

    def call(conn: Any) -> Any:
        conn.request(*args, **options)
        return outcome(conn)

    return call


def with_body(method: str, make: Any, headers: dict[str, Any], **options: Any) -> Callable[[Any], Any]:
    """Make a call of request() with a body that is made for it."""

    def call(conn: Any) -> Any:
        with make() as body:
            conn.request(method, "/report", body, headers, **options)
            return outcome(conn)

    return call


def put(*fields: tuple[Any, ...], pieces: tuple[Any, ...] = (), **options: Any) -> Callable[[Any], Any]:
    """Make a call of putrequest(), putheader() for each field, endheaders(), and send() for each piece."""

    def call(conn: Any) -> Any:
        conn.putrequest("POST" if pieces else "GET", "/report", **options)
        for field in fields:
            conn.putheader(*field)
        conn.endheaders()
        for piece in pieces:
            conn.send(piece)
        return outcome(conn)

    return call


def read(target: str, how: Callable[[Any], Any], method: str = "GET") -> Callable[[Any], Any]:
    """Make a call of request() whose response is read in this way."""

    def call(conn: Any) -> Any:
        conn.request(method, target)
        return outcome(conn, how)

    return call


# -- what there is to read ------------------------------------------------------------------------


def _tar(mode: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in (("a.txt", b"alpha"), ("b.txt", b"beta" * 300)):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a.txt"), "alpha")
    return file.getvalue()


def _wave() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(8000)
        sound.writeframes(b"\x80" * 100)
    return file.getvalue()


TEXT = "first line\nzweite Zeile: größer\n\nfour\r\nlast, without an end"
DOCUMENTS = {
    "text": ("text/plain; charset=utf-8", TEXT.encode()),
    "latin": ("text/html; charset=ISO-8859-1", "<p>caf\xe9</p>\n<p>th\xe9</p>".encode("latin-1")),
    "json": ("application/json", b'{"a": [1, 2, {"b": null}], "c": "\xc3\xa9"}'),
    "json-lines": ("application/x-ndjson", b'{"n": 1}\n{"n": 2}\n{"n": 3}\n'),
    "csv": ("text/csv", b'name,count\r\nalpha,1\r\n"be,ta",2\r\n'),
    "xml": ("application/xml", b"<?xml version='1.0'?>\n<books><book id='1'>A</book><book id='2'/></books>"),
    "events": ("text/event-stream", b"data: one\n\nid: 2\ndata: two\n\n: comment\n\n"),
    "mail": ("message/rfc822", b"Subject: hello\r\nTo: a@b.test\r\n\r\nbody\r\n"),
    "gzip": ("application/gzip", gzip.compress(TEXT.encode() * 40, mtime=0)),
    "deflate": ("application/zlib", zlib.compress(TEXT.encode() * 40)),
    "bz2": ("application/x-bzip2", bz2.compress(TEXT.encode())),
    "xz": ("application/x-xz", lzma.compress(TEXT.encode())),
    "tar": ("application/x-tar", _tar("w")),
    "tgz": ("application/gzip", gzip.compress(_tar("w"), mtime=0)),
    "zip": ("application/zip", _zip()),
    "wave": ("audio/wav", _wave()),
    "pickle": ("application/octet-stream", pickle.dumps({"a": [1, 2], "b": b"x" * 300})),
    "plist": ("application/x-plist", plistlib.dumps({"a": 1})),
    "ini": ("text/plain", b"[a]\nb = c\n"),
    "base64": ("text/plain", b"aGVsbG8g\nd29ybGQ=\n"),
    "binary": ("application/octet-stream", bytes(range(256)) * 150),
    "nothing": ("text/plain", b""),
}
