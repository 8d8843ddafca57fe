"""The files of a directory, as a handler: `Server(directory("some/where"))`.

Ranges, validators and preconditions are those of RFC 9110 sections 13 and 14, so a download can be resumed.

Rule: nothing outside of the directory is served, wherever a path or a symbolic link leads, nor a file or a
directory whose name begins with a dot. A request for a host other than this machine gets a 421: a web page
whose name is made to lead to 127.0.0.1 (DNS rebinding) reads nothing.
"""

import html
import mimetypes
import os
import re
import time
from collections.abc import Iterator
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote_to_bytes

from hyperlite.testing.exchange import Exchange, StreamingHandler, streaming
from hyperlite.testing.messages import Headers, Request

# Bytes of a file that are in memory at a time.
_PIECE = 1 << 18
_RANGE = re.compile(r"bytes=\s*([0-9]{0,19})-([0-9]{0,19})\s*", re.IGNORECASE)
_HERE = re.compile(r"(?:(?:.+\.)?localhost|127\.0\.0\.1|\[::1\])(?::[0-9]*)?", re.IGNORECASE)
_PACKED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
_UNKNOWN = "application/octet-stream"


def directory(root: str | os.PathLike[str]) -> StreamingHandler:
    """Return a handler that serves a directory: files, `index.html`, or else a list of what is in there.

    Raises OSError when there is no such directory.
    """
    top = Path(root).resolve(strict=True)
    if not top.is_dir():
        raise NotADirectoryError(f"{root} is not a directory")
    return streaming(partial(_answer, top))


def _answer(top: Path, exchange: Exchange) -> None:
    request = exchange.request
    if request.authority and not _HERE.fullmatch(request.authority):
        _say(exchange, 421, "This server serves localhost alone.")
    elif request.method not in ("GET", "HEAD"):
        _say(exchange, 405, "Files are read by GET and HEAD.", [("allow", "GET, HEAD")])
    else:
        try:
            _show(exchange, top, _located(top, request.path))
        except PermissionError:
            _say(exchange, 403, "This may not be read.")
        except (FileNotFoundError, NotADirectoryError):
            _say(exchange, 404, f"There is nothing at {request.path}.")


def _located(top: Path, path: str) -> Path:
    """Return what a request's path means. Raises FileNotFoundError when that is nothing that is served."""
    names = [name for name in os.fsdecode(unquote_to_bytes(path)).split("/") if name]
    found = None if _is_hidden(names) else _resolved(top, top.joinpath(*names))
    if found is None:
        raise FileNotFoundError(path)
    return found


def _resolved(top: Path, path: Path) -> Path | None:
    """Return where a path leads, by links too; None: to nothing that is served."""
    try:
        found = path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):  # there is nothing; a loop of links; a zero byte
        return None
    is_inside = found.is_relative_to(top) and not _is_hidden(found.relative_to(top).parts)
    return found if is_inside else None


def _is_hidden(names: list[str] | tuple[str, ...]) -> bool:
    return any(name.startswith(".") for name in names)


def _show(exchange: Exchange, top: Path, found: Path) -> None:
    request = exchange.request
    if found.is_dir():
        if not request.path.endswith("/"):
            parts = [quote(os.fsencode(part)) for part in found.relative_to(top).parts]
            query = request.target[len(request.path) :]
            _say(exchange, 301, "It is a directory.", [("location", "/".join(["", *parts, ""]) + query)])
            return
        if not (found / "index.html").is_file():
            _send_text(exchange, 200, "text/html", "".join(_listing(top, found)))
            return
        found = _located(top, f"{request.path}index.html")  # which may be a link
    if not found.is_file() or (request.path.endswith("/") and found.name != "index.html"):
        raise FileNotFoundError(request.path)
    with found.open("rb") as file:
        _send(exchange, found.name, file)


def _send(exchange: Exchange, name: str, file: BinaryIO) -> None:
    """Answer with a file, or with the part of it that is asked for."""
    told = os.fstat(file.fileno())
    tag, size = f'"{told.st_mtime_ns:x}-{told.st_size:x}"', told.st_size
    fields = [
        ("date", formatdate(usegmt=True)),
        ("etag", tag),
        ("last-modified", formatdate(told.st_mtime, usegmt=True)),
    ]
    request = exchange.request
    status = _judged(request, tag, int(told.st_mtime))
    part = range(size)
    if status == 200 and request.method == "GET" and _may_be_part(request, tag, told.st_mtime):
        status, part = _part(request, size)
    if status == 304:
        exchange.start(304, fields)
    elif status == 412:
        _say(exchange, 412, "The file is not as the request expects.", fields)
    elif status == 416:
        _say(exchange, 416, "The file is shorter.", [*fields, ("content-range", f"bytes */{size}")])
    else:
        if status == 206:
            fields.append(("content-range", f"bytes {part.start}-{part.stop - 1}/{size}"))
        kind = [("content-type", _type(name)), ("x-content-type-options", "nosniff")]
        length = [("accept-ranges", "bytes"), ("content-length", str(len(part)))]
        exchange.start(status, [*fields, *kind, *length])
        if request.method == "GET":
            _send_part(exchange, file, part)


def _send_part(exchange: Exchange, file: BinaryIO, part: range) -> None:
    file.seek(part.start)
    left = len(part)
    while left:
        piece = file.read(min(left, _PIECE))
        if not piece:  # it was cut short meanwhile
            exchange.reset()
            return
        exchange.send(piece)
        left -= len(piece)


def _judged(request: Request, tag: str, modified: int) -> int:
    """Return the status that the preconditions of a request make (RFC 9110 section 13.2.2): 200, 304, 412."""
    if (wanted := request.header("if-match")) is not None:
        if not _names(wanted, tag, weak=False):
            return 412
    elif (date := _date(request.header("if-unmodified-since"))) is not None and modified > date:
        return 412
    if (known := request.header("if-none-match")) is not None:
        return 304 if _names(known, tag, weak=True) else 200
    date = _date(request.header("if-modified-since"))
    return 304 if date is not None and modified <= date else 200


def _names(field: str, tag: str, *, weak: bool) -> bool:
    """Tell whether a list of entity tags has this one, or is `*`."""
    tags = [one.strip() for one in field.split(",")]
    return "*" in tags or tag in ([one.removeprefix("W/") for one in tags] if weak else tags)


def _date(field: str | None) -> float | None:
    """Return the seconds since 1970 of a date; None: there is none, or it is none."""
    try:
        found = parsedate_to_datetime(field or "")
    except (ValueError, IndexError):
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _may_be_part(request: Request, tag: str, modified: float) -> bool:
    """Tell whether a part is of use to the client (If-Range, RFC 9110 section 13.1.5).

    A date is as good as a tag if the file was not written within the last second.
    """
    wanted = (request.header("if-range") or tag).strip()
    is_old = time.time() - modified >= 1
    return wanted == tag or (is_old and wanted == formatdate(modified, usegmt=True))


def _part(request: Request, size: int) -> tuple[int, range]:
    """Return the status and the bytes that a Range asks for; several ranges are answered by the whole."""
    found = _RANGE.fullmatch(request.header("range") or "")
    first, last = found.groups() if found else ("", "")
    if not (first or last) or (first and last and int(last) < int(first)):
        return 200, range(size)
    start, end = (int(first), int(last or size) + 1) if first else (size - int(last), size)
    part = range(max(0, start), min(end, size))
    return (206, part) if part else (416, part)


def _type(name: str) -> str:
    kind, packed = mimetypes.guess_type(name)
    return _PACKED.get(packed, _UNKNOWN) if packed else kind or _UNKNOWN


def _listing(top: Path, found: Path) -> Iterator[str]:
    """Yield a page with a link to each file and directory that is served."""
    yield '<!DOCTYPE html>\n<meta charset="utf-8">\n<title>Files</title>\n<ul>\n'
    if found != top:
        yield '<li><a href="../">../</a></li>\n'
    for name in sorted(os.listdir(found)):
        target = None if _is_hidden([name]) else _resolved(top, found / name)
        if target is not None and (target.is_file() or target.is_dir()):
            slash = "/" if target.is_dir() else ""
            shown = html.escape(os.fsencode(name).decode("utf-8", "replace"))
            yield f'<li><a href="./{quote(os.fsencode(name))}{slash}">{shown}{slash}</a></li>\n'
    yield "</ul>\n"


def _say(exchange: Exchange, status: int, text: str, fields: Headers = ()) -> None:
    _send_text(exchange, status, "text/plain", f"{text}\n", fields)


def _send_text(exchange: Exchange, status: int, kind: str, text: str, fields: Headers = ()) -> None:
    data = text.encode("utf-8", "replace")
    described = [("content-type", f"{kind}; charset=utf-8"), ("content-length", str(len(data)))]
    exchange.start(status, [*fields, *described])
    exchange.send(data)
