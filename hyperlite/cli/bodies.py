"""Responses on their way out: heads and bodies to standard output, bodies into files."""

import sys
import threading
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from ..fetching.response import FetchResponse
from .exits import Exit, Failure, harmless


class Output:
    """Standard output: bytes, as they come.

    Args:
        include: write the heads, as `-i` and `-I` do.
        binary: write anything, also on a terminal, as `-o -` does.
    """

    def __init__(self, *, include: bool, binary: bool) -> None:
        self._include = include
        self._file: BinaryIO = sys.stdout.buffer
        self._is_terminal = sys.stdout.isatty()
        self._careful = self._is_terminal and not binary
        self._lock = threading.Lock()

    def head(self, response: FetchResponse) -> None:
        """Write the heads of a response and of the redirects that led to it, if they are wanted."""
        if not self._include:
            return
        with self._lock:
            for each in (*response.history, response):
                lines = list(head_lines(each))
                if self._is_terminal:
                    lines = [harmless(line) for line in lines]
                self._file.write("".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1", "replace"))
            self._file.flush()

    def body(self, response: FetchResponse) -> None:
        """Write a body, each piece as soon as it has come.

        Raises:
            Failure: it is binary, and would go to a terminal.
        """
        self._copy(response, response.url)

    def _copy(self, pieces: Iterable[bytes], url: str) -> None:
        for piece in pieces:
            if self._careful and b"\0" in piece:
                text = f"{url}: the body is binary, and not for a terminal: -o FILE saves it, -o - prints it"
                raise Failure(text, Exit.WRITE)
            self._file.write(piece)
            self._file.flush()


def head_lines(response: FetchResponse) -> Iterator[str]:
    """Yield the status line and the field lines of a response, as curl prints them."""
    reason = "" if response.http_version == "HTTP/2" else response.reason
    yield f"{response.http_version} {response.status} {reason}"
    for name, value in response.headers.items():
        yield f"{name}: {value}"


def save(response: FetchResponse, path: str, *, resume: bool) -> None:
    """Save a body to a file.

    Args:
        response: being streamed.
        path: of the file.
        resume: go on with what an earlier call has left.
    """
    response.save(path, resume=resume and response.status == 200)


def copy_to(response: FetchResponse, path: str) -> None:
    """Write a body to what is no plain file: a device, a pipe, or where a link leads."""
    with open(path, "wb") as file:
        for piece in response:
            file.write(piece)
