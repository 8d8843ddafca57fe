"""How a command ends: an exit status for each kind of failure, and one sentence that says what has failed.

Where curl has a number for the same failure, it is that number.
docs/reference/command-line.md has the table.
"""

import contextlib
import enum
import http.client as http_client
import os
import socket
import ssl
import sys
from collections.abc import Callable

from ..errors import (
    DecodingError,
    FetchError,
    HTTPStatusError,
    IncompleteBody,
    MalformedResponse,
    NotHTTP1,
    ProtocolError,
    RedirectError,
    StreamReset,
)


class Exit(enum.IntEnum):
    """The exit statuses, with curl's numbers."""

    DONE = 0
    USAGE = 2
    URL = 3
    NAME = 6
    CONNECTION = 7
    REPLY = 8
    HTTP2 = 16
    PARTIAL = 18
    STATUS = 22
    WRITE = 23
    READ = 26
    TIMEOUT = 28
    TLS = 35
    REDIRECT = 47
    EMPTY = 52
    TRANSFER = 56
    CLIENT_CERTIFICATE = 58
    CERTIFICATE = 60
    CODING = 61
    AUTHORITIES = 77
    STREAM = 92
    INTERRUPTED = 130


class Failure(Exception):
    """A failure of the command itself; the text is the sentence.

    Args:
        text: what has failed, and why.
        status: the exit status.
    """

    def __init__(self, text: str, status: Exit) -> None:
        super().__init__(text)
        self.status = status


# The first row that fits counts: a class of error, how far the request had come (None: anywhere), the status.
_STATUSES: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str | None, Exit], ...] = (
    (HTTPStatusError, None, Exit.STATUS),
    (RedirectError, None, Exit.REDIRECT),
    (DecodingError, None, Exit.CODING),
    (TimeoutError, None, Exit.TIMEOUT),
    (ssl.SSLCertVerificationError, None, Exit.CERTIFICATE),
    (ssl.SSLError, "connecting", Exit.TLS),
    (ssl.SSLError, None, Exit.TRANSFER),
    (socket.gaierror, None, Exit.NAME),
    (NotHTTP1, None, Exit.REPLY),
    (ProtocolError, None, Exit.HTTP2),
    (MalformedResponse, None, Exit.REPLY),
    (StreamReset, None, Exit.STREAM),
    (IncompleteBody, None, Exit.PARTIAL),
    (http_client.RemoteDisconnected, "asking", Exit.EMPTY),
    (ConnectionError, "reading", Exit.TRANSFER),
    (ConnectionError, "asking", Exit.TRANSFER),
    (OSError, "connecting", Exit.CONNECTION),
    (OSError, None, Exit.TRANSFER),
    (http_client.CannotSendRequest, None, Exit.USAGE),
    (http_client.HTTPException, None, Exit.REPLY),
)
# The library's errors name its arguments; here the options that set them are named.
_SPELT = (
    (
        "verify= takes the file of an authority that is to be trusted",
        "--cacert takes the file of an authority that is to be trusted",
    ),
    (
        'the port takes HTTP/2 alone: pass protocols=("h2",)',
        "the port takes HTTP/2 alone: --http2-prior-knowledge",
    ),
    ('and protocols=("h2",) allows nothing else', "and --http2-prior-knowledge allows nothing else"),
    ('; protocols=("h2",) allows nothing else', "; --http2-prior-knowledge allows nothing else"),
    ('protocols=("h2",): ', "--http2-prior-knowledge: "),
    ("its absence (cert=)", "its absence (--cert)"),
    ("pass cert=", "pass --cert"),
    ("cert= cannot be read", "--cert cannot be read"),
    ("verify= cannot be read", "--cacert cannot be read"),
    ("verify=", "--cacert "),
    ("(allow_downgrade=True?)", "(--allow-downgrade?)"),
    (
        "resume= takes the response of a GET without a body, by fetch(…, stream=True)",
        "-C goes on with a GET without data, and with no other request",
    ),
    ("resume= takes", "-C takes"),
    ("redirects (redirects=)", "redirects (--max-redirs)"),
    ("read it in pieces with stream=True, or pass max_body=", "write it to a file, or leave out --parallel"),
)


def status_of(error: BaseException) -> Exit:
    """Return the exit status for an error."""
    if isinstance(error, Failure):
        return error.status
    if isinstance(error, KeyboardInterrupt):
        return Exit.INTERRUPTED
    if isinstance(error, http_client.InvalidURL):
        return Exit.URL
    if isinstance(error, FetchError):
        fitting = (
            status
            for kind, stage, status in _STATUSES
            if isinstance(error, kind) and stage in (None, error.stage)
        )
        if (status := next(fitting, None)) is not None:
            # An orderly end of the connection has no cause.
            broken = status in {Exit.PARTIAL, Exit.EMPTY} and isinstance(error.__cause__, OSError)
            return Exit.TRANSFER if broken else status
    if isinstance(error, OSError):  # of a file, by this command
        return Exit.WRITE
    return Exit.USAGE


def sentence(error: BaseException) -> str:
    """Return an error as one sentence on one line, which names the options of the command."""
    text = str(error) or type(error).__name__
    if isinstance(error, OSError) and not isinstance(error, FetchError) and error.strerror:
        text = error.strerror
        if error.filename is not None:
            text = f"{os.fsdecode(error.filename)}: {text}"
    for library, command in _SPELT:
        text = text.replace(library, command)
    if isinstance(error, FetchError) and error.url not in text:
        text = f"{error.url}: {text}"
    return harmless(text)


def harmless(text: str) -> str:
    """Return text without characters that steer a terminal, and on one line."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )


def trace_of(error: BaseException) -> str:
    """Return where in the program an error came from, as lines."""
    import traceback  # noqa: PLC0415  rarely needed

    return "".join(traceback.format_exception(error))


def guarded(command: Callable[[], int], *, trace: bool = False) -> int:
    """Run a command, and return its exit status, or that of its failure.

    Args:
        command: returns its exit status.
        trace: show where failures have happened.
    """
    try:
        try:
            status = command()
        except SystemExit as ended:  # argparse has printed help, or what is wrong
            if not ended.code:
                sys.stdout.flush()
            raise
        if not status:  # otherwise what has failed was said
            sys.stdout.flush()
        return status
    except BrokenPipeError:  # the program that reads the output has ended, as `head` does
        return Exit.WRITE
    except KeyboardInterrupt as error:
        if trace:
            print(trace_of(error), end="", file=sys.stderr)
        return Exit.INTERRUPTED
    except Exception as error:
        with contextlib.suppress(OSError):  # standard error may be closed
            print(
                f"{trace_of(error) if trace else ''}hyperlite: {sentence(error)}", file=sys.stderr, flush=True
            )
        return status_of(error)
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:  # Python flushes it once more at its end, and would complain
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
