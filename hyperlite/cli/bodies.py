"""Responses on their way out: heads and bodies to standard output, bodies into files."""

import http.client as http_client
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from ..fetching.response import FetchResponse
from .exits import Exit, Failure, harmless
from .targets import is_plain
from .text import LINE

# Called with the bytes that are there, and those of the whole, or None.
Progress = Callable[[int, int | None], object]


class Output:
    """Standard output: bytes, as they come.

    Args:
        include: write the heads, as `-i` and `-I` do.
        binary: write anything, also on a terminal, as `-o -` does.
    """

    def __init__(self, *, include: bool, binary: bool) -> None:
        self._include = include
        self._file: BinaryIO = sys.stdout.buffer
        self.is_terminal: bool = sys.stdout.isatty()
        self._careful = self.is_terminal and not binary

    def head(self, response: FetchResponse) -> None:
        """Write the heads of a response and of the redirects that led to it, if they are wanted."""
        if not self._include:
            return
        for each in (*response.history, response):
            for lines in head_lines(each):
                self._write([*lines, ""])

    def trailers(self, response: FetchResponse) -> None:
        """Write the fields behind a body, if heads are wanted."""
        if self._include and response.raw.trailers:
            self._write(_field_lines(response, response.raw.trailers))

    def _write(self, lines: Iterable[str]) -> None:
        encoded = [line.encode("latin-1", "replace") for line in lines]
        if self.is_terminal:  # which control characters would steer
            encoded = [harmless(line.decode(errors="replace")).encode() for line in encoded]
        self._file.write(b"".join(line + b"\r\n" for line in encoded))
        self._file.flush()

    def body(self, response: FetchResponse, progress: Progress) -> None:
        """Write a body, each piece as soon as it has come.

        Raises:
            Failure: it is binary, and would go to a terminal.
        """
        total = length_of(response)
        done = 0
        for piece in response:
            if self._careful and b"\0" in piece:
                text = f"{response.url}: the body is binary: -o FILE saves it, -o - prints it nevertheless"
                raise Failure(text, Exit.WRITE)
            self._file.write(piece)
            self._file.flush()
            LINE.is_open = self.is_terminal and not piece.endswith(b"\n")
            done += len(piece)
            progress(done, total)


def save_heads(response: FetchResponse, path: str) -> None:
    """Save the heads of a response and of the redirects that led to it, as `-I -o FILE` does."""
    with open(path, "wb") as file:
        for each in (*response.history, response):
            for lines in head_lines(each):
                file.writelines(line.encode("latin-1", "replace") + b"\r\n" for line in [*lines, ""])


def head_lines(response: FetchResponse) -> Iterator[list[str]]:
    """Yield the lines of each head of a response, 1xx responses first, as curl prints them."""
    version = response.http_version
    for status, fields in response.raw.informational:
        phrase = "" if version == "HTTP/2" else http_client.responses.get(status, "")
        yield [f"{version} {status} {phrase}", *_field_lines(response, fields)]
    reason = "" if version == "HTTP/2" else response.reason
    yield [f"{version} {response.status} {reason}", *_field_lines(response, response.headers)]


def _field_lines(response: FetchResponse, fields: http_client.HTTPMessage) -> Iterator[str]:
    """Yield header fields as lines; names of HTTP/2 are in lower case."""
    for name, value in fields.items():
        yield f"{name.lower() if response.http_version == 'HTTP/2' else name}: {value}"


def length_of(response: FetchResponse) -> int | None:
    """Return how long a body is that is about to be read; None: that is not known."""
    return None if "content-encoding" in response.headers else response.raw.length


def is_resumable(response: FetchResponse) -> bool:
    """Tell whether what comes of a body can be kept, for another call to go on with."""
    asked = response.request
    return response.status == 200 and asked.method == "GET" and asked.body is None


def save(response: FetchResponse, path: str, progress: Progress, *, resume: bool, decoded: bool) -> None:
    """Save a body to a file.

    Args:
        response: it is being streamed.
        path: of the file; what is no plain file is written to as it is.
        progress: called after each piece.
        resume: go on with what an earlier call has left.
        decoded: a content coding was asked for: what comes cannot be kept for another call.
    """
    if not is_plain(path):
        total = length_of(response)
        with open(path, "wb") as file:
            for piece in response:
                file.write(piece)
                progress(file.tell() if file.seekable() else 0, total)
    elif resume:
        response.save(path, resume=True, progress=progress)
    else:
        later = is_resumable(response) and not decoded
        response.save(path, resume="later" if later else False, progress=progress)
