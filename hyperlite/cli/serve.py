"""`hyperlite serve`: the embedded server, for this machine alone, until Ctrl-C."""

import argparse
import errno
import math
import shlex
import shutil
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any, TextIO

from ..testing.bookstore import routes
from ..testing.files import directory
from ..testing.server import Server
from .exits import Exit, Failure, harmless
from .options import Group, Parser, count

_INTRODUCTION = """
Serves a bookstore of 3,000 books, or a directory, over HTTP/2 and HTTP/1.1, to
this machine alone, and prints its URL.  Ctrl-C ends it.

  hyperlite serve                the bookstore: /book?id=7 is a book
  hyperlite serve .              the files of this directory
  hyperlite serve --latency 50   with a round trip of 50 ms
"""
_BOOKSTORE = "bookstore"
# Seconds between two looks at what was requested.
_GLANCE = 0.1


def parser() -> Parser:
    """Return the parser of the command's options."""
    made = Parser("serve", "hyperlite serve [OPTION …] [bookstore | DIRECTORY]", _INTRODUCTION, GROUPS)
    made.add_argument("what", nargs="?", default=_BOOKSTORE, metavar="DIRECTORY")
    return made


def _declare(group: Any) -> None:
    group.add_argument("--port", type=_port, default=0, help="the port to listen on (any that is free)")
    group.add_argument("--cleartext", action="store_true", help="http://, without TLS")
    group.add_argument(
        "--http1.1",
        dest="alpn",
        action="store_const",
        const=("http/1.1",),
        help="over TLS, speak HTTP/1.1 alone",
    )
    group.add_argument(
        "--latency", type=_milliseconds, default=0.0, metavar="MS", help="the time of a round trip (0)"
    )
    group.add_argument(
        "--write-ca", metavar="FILE", help="write the certificate of its authority to FILE, too"
    )
    group.add_argument("-q", "--quiet", action="store_true", help="do not print what is requested")


GROUPS = {"server": Group("The server", _declare)}


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = parser().parse(arguments)
    # By default the signal would leave the certificates' files behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with _server(options) as server:
        if options.write_ca is not None and server.tls is not None:
            shutil.copyfile(server.ca_file, options.write_ca)
        _introduce(server, options)
        _follow(server, None if options.quiet else sys.stderr)
    return Exit.DONE


def _server(options: argparse.Namespace) -> Server:
    try:
        return Server(
            routes() if options.what == _BOOKSTORE else directory(options.what),
            secure=not options.cleartext,
            alpn=options.alpn or ("h2", "http/1.1"),
            latency=options.latency / 1000,
            port=options.port,
        )
    except ImportError as error:
        raise Failure(f"{error} Or serve without TLS: --cleartext.", Exit.USAGE) from error
    except OSError as error:
        if error.filename is not None or isinstance(error, NotADirectoryError):
            raise Failure(f"{options.what} is no directory that can be read", Exit.USAGE) from error
        cause = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used: {error}"
        raise Failure(f"port {options.port} {cause}", Exit.CONNECTION) from error


def _introduce(server: Server, options: argparse.Namespace) -> None:
    """Print where the server is, and how it is asked."""
    is_shop = options.what == _BOOKSTORE
    print(
        f"serving {'3,000 books' if is_shop else harmless(options.what)} on {server.url()} (Ctrl-C ends it)"
    )
    trust = ""
    if server.tls is not None:
        ca_file = options.write_ca or server.ca_file
        print(f"its authority: {ca_file}")
        trust = f"--cacert {shlex.quote(ca_file)} "
    print(f"try: hyperlite {trust}{shlex.quote(server.url('/book?id=7' if is_shop else '/'))}", flush=True)


def _follow(server: Server, file: TextIO | None) -> None:
    """Print requests as they come, until an interrupt."""
    never = threading.Event()
    try:
        while True:
            never.wait(_GLANCE)
            _print_requests(server, file)
    except KeyboardInterrupt:
        _print_requests(server, file)
        print(file=sys.stderr)


def _print_requests(server: Server, file: TextIO | None) -> None:
    """Print what was requested since the last look; the list of it that the server keeps stays short."""
    seen = server.log[:]
    del server.log[: len(seen)]
    for protocol, connection, method, target in seen if file is not None else ():
        print(
            f"connection {connection} ({protocol}): {harmless(f'{method} {target}')}", file=file, flush=True
        )


def _port(text: str) -> int:
    number = count(text)
    if number > 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port")
    return number


def _milliseconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no number of milliseconds")
    return number
