"""A body into a file: whole or not at all, or going on where an earlier download was cut off.

`fetch(url, stream=True)` has asked for the whole before `save(path, resume=True)` knows of a part.  That
answer is not wasted: it tells what the file is now.  If nothing came before, or a part of something else,
it is what is saved.  Otherwise its body is given up, and the request is made again with `Range`, and with
`If-Range`, by which the server decides whether the part still belongs to the file (RFC 9110 sections 13.1.5
and 14.2).  A caller that knows of the part beforehand gives its request the fields of `missing()`: then
nothing comes a second time.

Rules: the part holds bytes as they are sent, so a body whose content coding is decoded is asked for without
coding.  Each piece is given to the operating system as soon as it has come, so the end of the process loses
none.  Whatever does not agree (another range, another length, another validator) starts over from nothing.
"""

import contextlib
import email.utils
import errno
import http.client as http_client
import os
import re
import secrets
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal, Protocol, TypeAlias

from ..errors import MalformedBody, UnvalidatedResumeWarning
from ..messages.body_file import incomplete
from ..messages.fields import Header
from ..messages.response import HTTP20Response
from .checks import kind
from .headers import as_text, header_pairs
from .part import Note, Output, Part
from .reader import coding_of
from .request import FetchRequest

_STRONG_TAG = r'"[\x21\x23-\x7e\x80-\xff]*"'
_RANGE = r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})"
_MISSING = r"bytes=(\d{1,18})-"
_UNSATISFIED = r"bytes \*/(\d{1,18})"


class Streamed(Protocol):
    """A `FetchResponse` whose body was not read yet."""

    raw: HTTP20Response
    status: int

    @property
    def url(self) -> str: ...  # noqa: D102  as FetchResponse has it; and so below

    @property
    def history(self) -> "Sequence[Streamed]": ...  # noqa: D102

    @property
    def headers(self) -> http_client.HTTPMessage: ...  # noqa: D102

    @property
    def request(self) -> FetchRequest: ...  # noqa: D102

    @property
    def _packed(self) -> bool: ...

    def raise_for_status(self) -> object: ...  # noqa: D102

    def fail(self, error: BaseException, /) -> BaseException: ...  # noqa: D102

    def close(self) -> None: ...  # noqa: D102

    def __iter__(self) -> Iterator[bytes]: ...


Again = Callable[[list[Header]], Streamed]
# Called with the bytes of the file that are there, and with those of the whole, or None.
Progress: TypeAlias = Callable[[int, int | None], object]
Resume: TypeAlias = bool | Literal["later"]


@dataclass(frozen=True, slots=True)
class SavedFile:
    """What `FetchResponse.save()` has saved.

    Attributes:
        path: the file.
        size: its bytes.
        resumed_at: how many of them an earlier call had left; 0: none.
    """

    path: str
    size: int
    resumed_at: int = 0


def note_of(response: Streamed) -> Note:
    """Return the note for a response with the whole."""
    first = response.history[0] if response.history else response
    return Note(first.url.partition("#")[0], _validator(response), response.raw.length)


def _validator(response: Streamed) -> str | None:
    """Return what `If-Range` may have for this response; None: it has no strong validator."""
    tag: str | None = response.headers.get("etag")
    if tag is not None:
        return tag if re.fullmatch(_STRONG_TAG, tag) else None
    if response.history:  # a date says nothing about a file at another URL
        return None
    modified: str | None = response.headers.get("last-modified")
    try:
        changed = email.utils.parsedate_to_datetime(modified or "").timestamp()
        sent = email.utils.parsedate_to_datetime(response.headers.get("date", "")).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
    return modified if sent - changed >= 1 else None


def missing(path: str, url: str) -> list[tuple[str, str]]:
    """Return the fields of a request for what earlier calls of `save()` have not got of a file.

    Args:
        path: of the file.
        url: that will be asked for, without a content coding.

    Returns:
        `Range` and `If-Range`; nothing if there is no part, or it is one of something else.
    """
    try:
        size = os.lstat(f"{path}.part").st_size
        note = Note.read(f"{path}.part.json")
    except OSError:  # save() says what is wrong
        return []
    if note is not None and (note.url != url.partition("#")[0] or size > (note.length or size)):
        return []
    fields = [("Range", f"bytes={size}-")] if size else []
    if fields and note is not None and note.validator is not None:
        fields.append(("If-Range", note.validator))
    return fields


def _missing_from(response: Streamed) -> int | None:
    """Return where that begins which a request with the fields of `missing()` has asked for, or None."""
    fields = as_text(header_pairs(response.request.headers or ()))
    asked = [value for name, value in fields if name.lower() == "range"]
    found = re.fullmatch(_MISSING, asked[0]) if len(asked) == 1 else None
    return None if found is None else int(found[1])


def checked_path(path: "str | os.PathLike[str]") -> str:
    """Return a file's path; raise what is wrong with it before hours of download, and not behind them."""
    name = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(name, str):
        raise TypeError(f"path is a str or a pathlib.Path, not {kind(path)}")
    if not name:
        raise ValueError("path is empty: it names no file")
    folder = os.path.dirname(name)
    if folder and not os.path.exists(folder):
        raise FileNotFoundError(errno.ENOENT, "the folder of the file does not exist", folder)
    if os.path.isdir(name):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    if os.path.exists(name) and not os.path.isfile(name):  # a file would take the place of /dev/null
        raise OSError(errno.EINVAL, "it is a device, or a pipe, in whose place no file is put", name)
    return name


def save(
    response: Streamed,
    path: "str | os.PathLike[str]",
    again: Again | None,
    *,
    resume: Resume,
    progress: Progress | None = None,
) -> SavedFile:
    """Save a body to a file; see `FetchResponse.save()`.

    Args:
        response: to a request for the whole, or with the fields of `missing()`; with its body in memory if
            `resume` is false.
        path: of the file.
        again: makes the request again, with these header fields in the place of those of the same names;
            None: that cannot be done.
        resume: go on where an earlier call has stopped; "later": begin anew, and keep what comes.
        progress: called after each piece.
    """
    name = checked_path(path)
    tell = progress or _tell_nothing
    if resume not in (True, False, "later"):
        raise ValueError(f'resume is True, False or "later", not {resume!r}')
    if not resume:
        return _save_whole(response, name, tell)
    if again is None:
        raise ValueError("resume= takes the response of a GET without a body, by fetch(…, stream=True)")
    start = None if resume == "later" else _missing_from(response)
    if start is None:
        _check_status(response)
    with Part(name) as part:
        if resume == "later":
            part.forget()
        if start != part.output.size:
            _check_status(response)
            start = None
        download = _Download(response, part, again, tell)
        try:
            return download.run(name, start)
        finally:
            download.response.close()


def _tell_nothing(_done: int, _total: int | None) -> None:
    return


def _save_whole(response: Streamed, path: str, tell: Progress) -> SavedFile:
    """Save a body under another name, which becomes this one when all of it has come."""
    announced = response.headers.get("content-length", "")
    total = int(announced) if announced.isascii() and announced.isdecimal() and not response._packed else None
    temporary = f"{path}.{secrets.token_hex(4)}.part"
    with Output(temporary, os.O_EXCL) as output:
        try:
            for piece in response:
                output.write(piece)
                tell(output.size, total)
            output.move(path)
        except BaseException:
            output.close()
            with contextlib.suppress(FileNotFoundError):  # another program has removed it
                os.remove(temporary)
            raise
        return SavedFile(path, output.size)


class _Download:
    """A download that goes on where an earlier one was cut off.

    Attributes:
        response: the latest; those before it are closed.
    """

    def __init__(self, response: Streamed, part: Part, again: Again, tell: Progress) -> None:
        self.response = response
        self._part = part
        self._again = again
        self._tell = tell
        self._url = note_of(response).url
        # The coding of the bytes in the part: none, unless the caller wants them as they are sent.
        self._coding = None if response._packed else coding_of(response.raw)

    def run(self, path: str, asked: int | None) -> SavedFile:
        """Do it.

        Args:
            path: of the file.
            asked: where that begins which the response was asked for; None: it was asked for the whole.
        """
        output = self._part.output
        start, total = self._go_on(asked) if asked else self._compare()
        if not start:
            if self.response.status != HTTPStatus.OK or self.response._packed:
                self._ask(0, None)
                _check_status(self.response)
            if self.response._packed:  # although it was asked for as it is: it cannot be resumed
                output.cut(0)
                return _save_whole(self.response, path, self._tell)
            note = note_of(self.response)
            self._part.begin(note._replace(url=self._url))
            total = note.length
        if output.size != total:
            self._copy(start, total)
        size = output.size
        self._part.finish()
        return SavedFile(path, size, start)

    def _go_on(self, start: int) -> tuple[int, int | None]:
        """Take an answer that was asked for what is missing.

        Returns:
            Where it goes on, which is 0 if it cannot be used so; and how long the whole is.
        """
        known = self._part.note
        fields = dict(as_text(header_pairs(self.response.request.headers or ())))
        asked = next((value for name, value in fields.items() if name.lower() == "if-range"), None)
        if known is not None and (known.url != self._url or known.validator != asked):
            return 0, None  # the caller has asked for something else
        if self.response.status == HTTPStatus.OK:
            return 0, None
        total = self._total(start, None if known is None else known.length, self._validator(None))
        return (0 if total is None else start), total

    def _compare(self) -> tuple[int, int | None]:
        """Compare an answer that has the whole with the part, and ask for what is missing.

        Returns:
            Where the latest answer goes on, and how long the whole is, if that is known.
        """
        note = None if self.response._packed else note_of(self.response)
        start = self._start(note)
        total = None if note is None else note.length
        if start:
            validator = self._validator(note)
            if start != total:
                self._ask(start, validator)
                total = self._total(start, total, validator)
                start = start if total is not None else 0
        return start, total

    def _start(self, note: Note | None) -> int:
        """Return how many bytes of the part may be the beginning of what is there now.

        Args:
            note: of what is there now; None: it came in a coding, so only the URL can be compared.
        """
        known, size = self._part.note, self._part.output.size
        if known is not None and (known.url != self._url or (note is not None and known != note)):
            return 0
        if note is not None and note.length is not None and size > note.length:
            return 0
        if self.response.headers.get("accept-ranges", "").strip().lower() == "none":
            return 0
        return size

    def _validator(self, note: Note | None) -> str | None:
        """Return what `If-Range` has; warn if it says nothing of the bytes in the part."""
        known = self._part.note
        if known is None or known.validator is None:
            why = (
                "the server sends no validator"
                if known
                else "there is nothing beside it that says of what it is"
            )
            warnings.warn(
                f"{self._part.output.path} is resumed, and may be a part of another file: {why}",
                UnvalidatedResumeWarning,
                stacklevel=6,  # where save() is called
            )
        return (known or note or Note("", None, None)).validator

    def _ask(self, start: int, validator: str | None) -> None:
        """Make the request again, for the whole or for what begins there."""
        fields: list[Header] = []
        if self._coding is None:
            fields.append(("Accept-Encoding", "identity"))
        if start:
            fields.append(("Range", f"bytes={start}-"))
            if validator is not None:
                fields.append(("If-Range", validator))
        self.response.close()
        self.response = self._again(fields)

    def _total(self, start: int, length: int | None, validator: str | None) -> int | None:
        """Return how long the whole is, if the answer has what begins there; None: it cannot be used so.

        Args:
            start: where the missing bytes begin.
            length: of the whole, if it is known.
            validator: of the whole, if it is known.

        Raises:
            HTTPStatusError: the server refuses the request.
        """
        headers, status = self.response.headers, self.response.status
        place = headers.get("content-range", "").strip()
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            found = re.fullmatch(_UNSATISFIED, place)
            return start if found and int(found[1]) == start == (length or start) else None
        if status != HTTPStatus.PARTIAL_CONTENT:
            self.response.raise_for_status()
            return None
        found = re.fullmatch(_RANGE, place)
        several = headers.get("content-type", "").lower().startswith("multipart/byteranges")
        if found is None or several or coding_of(self.response.raw) != self._coding:
            return None
        first, last, total = map(int, found.groups())
        if first != start or not first <= last < total or (length is not None and total != length):
            return None
        announced = self.response.raw.length
        if announced is not None and announced != last - first + 1:
            return None
        if validator is not None:
            is_date = not validator.startswith('"')
            now = headers.get("last-modified" if is_date else "etag", validator)
            if now != validator or (self.response.history and is_date):
                return None
        return total

    def _copy(self, start: int, total: int | None) -> None:
        """Add the body to the part.

        Raises:
            IncompleteBody: bytes are missing at its end. MalformedBody: there are too many.
        """
        output = self._part.output
        for piece in self.response:
            if total is not None and output.size + len(piece) > total:
                output.cut(start)
                raise self.response.fail(
                    MalformedBody(f"more came than the {total} bytes that were announced")
                )
            output.write(piece)
            self._tell(output.size, total)
        if total is not None and output.size < total:
            reason = "the answer ended"
            raise self.response.fail(incomplete(reason, output.size, total))


def _check_status(response: Streamed) -> None:
    """Raise an error if this is not a response with the whole: HTTPStatusError or ValueError."""
    if response.status != HTTPStatus.OK:
        response.close()
        response.raise_for_status()
        raise ValueError(f"resume= takes a response of status 200, and {response.url} has {response.status}")
