"""Responses on their way out: heads and bodies to standard output, bodies into files."""

import sys
from collections.abc import Callable, Iterator
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
            lines = [line.encode("latin-1", "replace") for line in head_lines(each)]
            if self.is_terminal:  # which control characters would steer
                lines = [harmless(line.decode(errors="replace")).encode() for line in lines]
            self._file.write(b"".join(line + b"\r\n" for line in [*lines, b""]))
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


def head_lines(response: FetchResponse) -> Iterator[str]:
    """Yield the status line and the field lines of a response, as curl prints them."""
    reason = "" if response.http_version == "HTTP/2" else response.reason
    yield f"{response.http_version} {response.status} {reason}"
    for name, value in response.headers.items():
        yield f"{name}: {value}"


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
