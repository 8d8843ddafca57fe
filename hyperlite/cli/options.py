"""The options that commands share, and the parser that declares them.

`SHARED` has the groups of options by which any command that fetches says what to trust, which way to go and
how long to wait.  `pool_keywords()` makes of them the arguments of a `ConnectionPool`, and `header_fields()`
the header fields.  Options that curl has mean what they mean there;
docs/reference/command-line.md lists those that differ.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple, NoReturn

from .exits import Exit, Failure, sentence

# What curl repeats with --retry: timeouts, too many requests, and failures that pass.
_PASSING = frozenset({408, 429, 500, 502, 503, 504})
# Seconds before the first further try, as curl waits.
BACKOFF = 1.0

Declare = Callable[[Any], None]
# A header field; one whose value is None is not to be sent.
Field = tuple[str, str | bytes | None]


class Group(NamedTuple):
    """Options that belong together, and are one screen of help.

    Attributes:
        title: what they are about.
        declare: adds them to a parser, or to a group of one.
    """

    title: str
    declare: Declare


class UsageError(Exception):
    """The command line makes no sense; the text says which option, and what it takes."""


class Parser(argparse.ArgumentParser):
    """A command's parser: its errors are one sentence, and its help is one screen for each group of options.

    Args:
        command: its name.
        usage: what may stand behind it.
        introduction: examples for a newcomer, which the first screen shows.
        groups: by the topics of `--help TOPIC`.
    """

    def __init__(self, command: str, usage: str, introduction: str, groups: Mapping[str, Group]) -> None:
        super().__init__(
            f"hyperlite {command}", usage=usage, add_help=False, allow_abbrev=False, formatter_class=_Narrow
        )
        self._introduction = introduction
        self._groups = groups
        self.add_argument("-h", "--help", action=_Help, metavar="TOPIC", nargs="?", help="show this help")
        for group in groups.values():
            group.declare(self.add_argument_group(group.title))

    def screen(self, topic: str | None) -> str:
        """Return a screen of help.

        Args:
            topic: of a group of options; "all" for all of them; None for the first screen.
        """
        if topic == "all":
            return "\n".join([self.screen(None), *map(self.screen, self._groups)])
        if topic is None:
            topics = [f"  --help {name:<12} {group.title}" for name, group in self._groups.items()]
            lines = [f"usage: {self.usage}", "", self._introduction.strip("\n"), "", "Options:", *topics]
            return "\n".join(lines) + "\n"
        if topic not in self._groups:
            raise UsageError(f"there is no help on {topic!r}: the topics are {', '.join(self._groups)}, all")
        alone = argparse.ArgumentParser(add_help=False, usage=argparse.SUPPRESS, formatter_class=_Narrow)
        self._groups[topic].declare(alone.add_argument_group(self._groups[topic].title))
        return alone.format_help()

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Return the options; `UsageError` for a wrong one."""
        return self.parse_intermixed_args(arguments)

    def error(self, message: str) -> NoReturn:
        """Raise a `UsageError` instead of printing the usage of all options."""
        raise UsageError(message)


class _Narrow(argparse.HelpFormatter):
    """Help that fits into 80 columns, whatever the terminal has: it is the same everywhere."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=79)


class _Help(argparse.Action):
    """`--help`, or `--help TOPIC`: prints a screen, and ends the program."""

    def __call__(
        self, parser: argparse.ArgumentParser, _namespace: object, values: object, _option: object = None
    ) -> NoReturn:
        assert isinstance(parser, Parser)
        sys.stdout.write(parser.screen(None if values is None else str(values)))
        raise SystemExit(0)


# -- what each option takes -----------------------------------------------------------------------


def seconds(text: str) -> float | None:
    """Return a number of seconds; None, for no limit, if it is 0."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not number >= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return number or None


def count(text: str) -> int:
    """Return a whole number, at least 0."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return int(text)


def positive(text: str) -> int:
    """Return a whole number, at least 1."""
    if not (number := count(text)):
        raise argparse.ArgumentTypeError("0 is too few")
    return number


# -- the shared groups ----------------------------------------------------------------------------


def _declare_tls(group: Any) -> None:
    group.add_argument(
        "--cacert", metavar="FILE", help="trust the authorities in this file, or directory, alone"
    )
    group.add_argument(
        "--cert", metavar="FILE", help="a client certificate (PEM), which may hold its key too"
    )
    group.add_argument("--key", metavar="FILE", help="the private key of --cert")
    group.add_argument("--pass", dest="password", metavar="PHRASE", help="the pass phrase of the key")
    group.add_argument(
        "-k",
        "--insecure",
        action="store_true",
        help="do not verify the server's certificate: any server may answer",
    )


def _declare_connection(group: Any) -> None:
    group.add_argument(
        "--http1.1", dest="protocols", action="store_const", const=("http/1.1",), help="speak HTTP/1.1 alone"
    )
    group.add_argument(
        "--http2",
        dest="protocols",
        action="store_const",
        const=None,
        help="speak HTTP/2 if the server does (the default)",
    )
    group.add_argument(
        "--http2-prior-knowledge",
        dest="protocols",
        action="store_const",
        const=("h2",),
        help="speak HTTP/2 alone, also with http:// URLs",
    )
    group.add_argument(
        "-x",
        "--proxy",
        metavar="URL",
        help='http://, socks4://, socks4a://, socks5:// or socks5h://; "" for none',
    )
    group.add_argument("--noproxy", metavar="LIST", help="hosts to ask directly, with commas; * for all")
    group.add_argument(
        "--resolve",
        action="append",
        default=[],
        metavar="HOST:PORT:ADDRESS",
        help="connect to this address for that host; several with commas; * for any host",
    )


def _declare_time(group: Any) -> None:
    group.add_argument(
        "--timeout",
        type=seconds,
        default=60.0,
        metavar="SECONDS",
        help="for each step: connecting, the header, each read (60; 0: no limit)",
    )
    group.add_argument(
        "--deadline",
        "-m",
        "--max-time",
        type=seconds,
        metavar="SECONDS",
        help="for the whole of each transfer",
    )
    group.add_argument(
        "--retry",
        type=count,
        default=0,
        metavar="TIMES",
        help="try again after a broken connection, and after 408, 429, 500, 502, 503, 504",
    )


# By the topics of help.
SHARED = {
    "tls": Group("TLS: what to trust", _declare_tls),
    "connection": Group("Connections: protocols and proxies", _declare_connection),
    "time": Group("Time, and further tries", _declare_time),
}


def declare_headers(group: Any) -> None:
    """Add the options for header fields of requests."""
    group.add_argument(
        "-H",
        "--header",
        action="append",
        default=[],
        metavar="LINE",
        help='"Name: value"; "Name;" is empty, "Name:" is not sent; @FILE has such lines',
    )
    group.add_argument("-A", "--user-agent", metavar="NAME", help='the User-Agent ("hyperlite/…")')


# -- what is made of them -------------------------------------------------------------------------


def pool_keywords(options: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of a `ConnectionPool` that the shared options make.

    Raises:
        UsageError: options contradict one another.
    """
    from ..fetching.retries import Retries  # noqa: PLC0415  help does without it

    if options.cert is None and (options.key or options.password) is not None:
        raise UsageError("--key and --pass belong to --cert")
    cert: object = options.cert
    if options.key is not None or options.password is not None:
        cert = (options.cert, options.key or options.cert, options.password)[
            : 2 + (options.password is not None)
        ]
    retries = Retries(options.retry, BACKOFF, _PASSING) if options.retry else Retries(0)
    return {
        "verify": False if options.insecure else options.cacert or True,
        "cert": cert,
        "protocols": options.protocols,
        "proxies": _proxies(options.proxy, options.noproxy),
        "timeout": options.timeout,
        "deadline": options.deadline,
        "retries": retries,
        "resolver": _resolver(options.resolve),
    }


def _proxies(proxy: str | None, noproxy: str | None) -> Any:
    """Return the argument of a pool for `--proxy` and `--noproxy`."""
    if noproxy is None:
        return False if proxy == "" else proxy
    if proxy is not None:
        return {"all": proxy, "no_proxy": noproxy}
    from urllib.request import getproxies  # noqa: PLC0415  it takes long

    found = getproxies()
    return {name: found[name] for name in ("http", "https", "all") if name in found} | {"no_proxy": noproxy}


def _resolver(entries: Sequence[str]) -> Callable[[str, int], list[str] | None] | None:
    """Return the function of a pool that says where to connect, for `--resolve`."""
    if not entries:
        return None
    import ipaddress  # noqa: PLC0415  rarely needed
    from http.client import InvalidURL  # noqa: PLC0415

    from ..messages.urls import parse  # noqa: PLC0415  help does without it

    table: dict[tuple[str, int], list[str]] = {}
    for entry in entries:
        host, _, rest = entry.removeprefix("+").partition(":")
        port, _, addresses = rest.partition(":")
        found = [address.strip().strip("[]") for address in addresses.split(",")]
        try:
            if not 1 <= count(port) <= 65535:
                raise ValueError(f"{port} is no port")
            for address in found:
                ipaddress.ip_address(address)
            host = host if host == "*" else parse(f"http://{host}/").host
        except (ValueError, InvalidURL, argparse.ArgumentTypeError) as error:
            raise UsageError(f"--resolve takes HOST:PORT:ADDRESS, not {entry!r}: {error}") from None
        table[host, int(port)] = found

    def resolve(host: str, port: int) -> list[str] | None:
        return table.get((host, port)) or table.get(("*", port))

    return resolve


def header_fields(options: argparse.Namespace) -> list[Field]:
    """Return the header fields of `-H` and `-A`.

    Raises:
        UsageError: one of them is no header field. Failure: a file of them cannot be read.
    """
    fields: list[Field] = [_field(line) for given in options.header for line in _lines(given)]
    if options.user_agent is not None and not any(name.lower() == "user-agent" for name, _ in fields):
        fields.append(("User-Agent", options.user_agent or None))
    return fields


def _lines(given: str) -> Iterable[str]:
    if not given.startswith("@"):
        return [given]
    return [os.fsdecode(line) for line in read_file(given[1:]).splitlines() if line.strip()]


def _field(line: str) -> Field:
    name, colon, value = line.partition(":")
    if colon:
        value = value.strip()
        # What is not ASCII goes out in the bytes of the command line, as with curl.
        return name.strip(), (value if value.isascii() else os.fsencode(value)) or None
    if line.rstrip().endswith(";"):
        return line.rstrip()[:-1], ""
    raise UsageError(f'-H takes "Name: value", "Name;" or "Name:", not {line!r}')


def read_file(name: str) -> bytes:
    """Return what a file holds; `-` is standard input.

    Raises:
        Failure: it cannot be read.
    """
    if name == "-":
        return sys.stdin.buffer.read()
    with opened(name) as file:
        return file.read()


def opened(name: str) -> BinaryIO:
    """Open a file that is to be read.

    Raises:
        Failure: that is not possible.
    """
    try:
        return open(name, "rb")
    except OSError as error:
        raise Failure(sentence(error), Exit.READ) from error
