"""`hyperlite URL …`, or `hyperlite get URL …`: fetches URLs, with a `ConnectionPool`."""

import argparse
from collections.abc import Sequence
from typing import Any

from .options import SHARED, Group, Parser, UsageError, positive
from .request import declare_payload, declare_request, payload_of, request_fields
from .targets import targets
from .watch import declare_watching

_INTRODUCTION = """
Fetches each URL, on one connection to each server, and prints what is there.

  hyperlite https://example.org/                     print what is there
  hyperlite -i -L http://example.org/                heads; follow redirects
  hyperlite -d name=value https://example.org/form   POST a form (--json: JSON)
  hyperlite -O https://example.org/big.iso           save it as big.iso
  hyperlite -C - -O https://example.org/big.iso      go on with a download
  hyperlite --parallel 20 URL URL …                  many at a time
  hyperlite -v https://example.org/                  heads, TLS, certificate
  hyperlite --timing URL URL …                       where the time goes
"""


def parser() -> Parser:
    """Return the parser of the command's options."""
    made = Parser("get", "hyperlite [get] [OPTION …] URL …", _INTRODUCTION, GROUPS)
    made.add_argument("urls", nargs="*", metavar="URL")
    return made


def _declare_output(group: Any) -> None:
    group.add_argument(
        "-o",
        "--output",
        dest="outputs",
        action="append",
        default=[],
        metavar="FILE",
        help="save the body as FILE; once for each URL; - is standard output",
    )
    group.add_argument(
        "-O",
        "--remote-name",
        dest="outputs",
        action="append_const",
        const=None,
        help="save it by the last name in its URL; once for each URL",
    )
    group.add_argument("--remote-name-all", action="store_true", help="-O for all URLs")
    group.add_argument("-C", "--continue-at", metavar="-", help="- goes on with a download that was cut off")
    group.add_argument("-i", "--include", action="store_true", help="print the heads of responses too")
    group.add_argument("-I", "--head", action="store_true", help="HEAD: print the heads alone")
    group.add_argument("--raw", action="store_true", help="leave gzip and other content codings as they are")
    group.add_argument("--compressed", action="store_true", help="undo content codings (the default)")
    group.add_argument(
        "-f", "--fail", action="store_true", help="a status of 400 or more is a failure: no output"
    )
    group.add_argument("--fail-with-body", action="store_true", help="the same, but the body is printed")
    group.add_argument("-s", "--silent", action="store_true", help="no progress bars, and no errors")
    group.add_argument("-S", "--show-error", action="store_true", help="errors nevertheless")
    group.add_argument(
        "--traceback", action="store_true", help="show where in the program an error came from"
    )
    group.add_argument("--parallel", type=positive, metavar="N", default=1, help="so many URLs at a time (1)")


GROUPS = {
    "request": Group("Requests: what is asked for", declare_request),
    "data": Group("Data: what is sent", declare_payload),
    "output": Group("Output: what becomes of responses", _declare_output),
    "watch": Group("Watching: what is said on the wire", declare_watching),
    **SHARED,
}


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = parser().parse(arguments)
    _check(options)
    found = targets(options.urls, options.outputs, all_by_name=options.remote_name_all)
    payload = payload_of(options)
    fields = request_fields(options, payload)
    from .transfers import transfer  # noqa: PLC0415  it has the pool: help, and a wrong option, do without

    return transfer(options, found, payload, fields)


def _check(options: argparse.Namespace) -> None:
    if not options.urls:
        raise UsageError("there is no URL: hyperlite --help shows examples")
    for url in options.urls:
        if "://" not in url:
            raise UsageError(f"{url!r} is no command, and no URL, which begins with https:// or http://")
    if options.continue_at not in {None, "-"}:
        raise UsageError("-C takes - alone: the file that is there says where to go on")
    if options.continue_at and options.head:
        raise UsageError("-C goes on with a body, and -I asks for none")
    if options.continue_at and not (options.outputs or options.remote_name_all):
        raise UsageError("-C goes on with a file: it takes -o or -O")
