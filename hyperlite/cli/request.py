"""What is asked for: header fields, bodies, and what follows from these: the method, the query."""

import argparse
import io
import os
import sys
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import quote, quote_plus

from .options import Field, UsageError, count, declare_headers, header_fields, opened, read_file

_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"


class Payload(NamedTuple):
    """What the options say of a request's body.

    Attributes:
        method: of the request, unless `-X` names another one.
        body: its body, or None.
        fields: header fields that describe it, unless `-H` has others.
        query: what `-G` adds to the query of each URL.
        upload: a file to send, whose name is added to URLs that end with a slash; or None.
    """

    method: str = "GET"
    body: bytes | None = None
    fields: tuple[Field, ...] = ()
    query: str | None = None
    upload: str | None = None

    def for_url(self, url: str) -> tuple[str, Any, list[Field]]:
        """Return a URL as it is asked for, the body that is sent there, and a field with its length.

        Raises:
            Failure: the file to send cannot be read.
        """
        if self.upload is None:
            return url, self.body, []
        if url.endswith("/") and self.upload != "-":
            url += quote(os.path.basename(self.upload))
        file = _opened(self.upload)
        if not file.seekable():
            return url, file, []
        length = file.seek(0, os.SEEK_END)
        file.seek(0)
        return url, file, [("Content-Length", str(length))]


def _opened(name: str) -> BinaryIO:
    if name != "-":
        return opened(name)
    given = sys.stdin.buffer
    return given if given.seekable() else io.BytesIO(given.read())


class Data(argparse.Action):
    """One of the options that add to the body: keeps what it is given, and which option it was."""

    def __call__(
        self, _parser: object, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        """Add a piece."""
        namespace.data = [*namespace.data, (option, values)]


def declare_request(group: Any) -> None:
    """Add the options of a request, but for its body."""
    group.add_argument(
        "-X", "--request", metavar="METHOD", help="the method, if it is not what the data imply"
    )
    declare_headers(group)
    group.add_argument("-u", "--user", metavar="NAME:PASSWORD", help="Basic authentication")
    group.add_argument("-b", "--cookie", metavar="TEXT", help='cookies to send: "a=1; b=2"')
    group.add_argument("-e", "--referer", metavar="URL", help="the Referer")
    group.add_argument("-L", "--location", action="store_true", help="follow redirects")
    group.add_argument("--max-redirs", type=count, default=20, metavar="TIMES", help="at most so many (20)")
    group.add_argument(
        "--allow-downgrade", action="store_true", help="follow redirects from https:// to http:// too"
    )


def request_fields(options: argparse.Namespace, payload: Payload) -> list[Field]:
    """Return the header fields of the requests: those of the options, and others as curl sends them.

    Raises:
        UsageError: an option is none. Failure: a file of fields cannot be read.
    """
    given = header_fields(options)
    implied: list[Field] = []
    if options.user is not None:
        from ..messages.fields import basic  # noqa: PLC0415  help does without it

        implied.append(("Authorization", basic(_user(options.user))))
    if options.cookie is not None:
        if "=" not in options.cookie:
            raise UsageError('-b takes cookies to send, "name=value", and no file')
        implied.append(("Cookie", os.fsencode(options.cookie)))
    if options.referer is not None:
        implied.append(("Referer", options.referer))
    implied += [*payload.fields, ("Accept", "*/*")]
    names = {name.lower() for name, _ in given}
    for name, value in implied:
        if name.lower() not in names:
            names.add(name.lower())
            given.append((name, value))
    return given


def _user(given: str) -> bytes:
    """Return `name:password`; the terminal is asked for a password that is not given."""
    if ":" not in given:
        from getpass import getpass  # noqa: PLC0415  rarely needed

        try:
            given += ":" + getpass(f"password of {given}: ")
        except EOFError:
            raise UsageError(
                "-u takes NAME:PASSWORD where no terminal can be asked for the password"
            ) from None
    return os.fsencode(given)


def declare_payload(group: Any) -> None:
    """Add the options of a request's body."""
    group.set_defaults(data=[])
    for names, text in (
        (("-d", "--data"), "a body to POST; @FILE is a file without its line ends"),
        (("--data-raw",), "the same, but @ has no meaning"),
        (("--data-binary",), "the same as -d, but @FILE keeps its line ends"),
        (("--data-urlencode",), "the same, encoded: TEXT, NAME=TEXT, @FILE, NAME@FILE"),
        (("--json",), "JSON to POST; @FILE is a file"),
    ):
        group.add_argument(*names, dest="data", action=Data, metavar="TEXT", help=text)
    group.add_argument("-G", "--get", action="store_true", help="put the data into the URL, and GET")
    group.add_argument("-T", "--upload-file", metavar="FILE", help="PUT this file")


def payload_of(options: argparse.Namespace) -> Payload:
    """Return what the options say of the body.

    Raises:
        UsageError: they contradict one another. Failure: a file cannot be read.
    """
    if sum((bool(options.data) and not options.get, options.head, options.upload_file is not None)) > 1:
        raise UsageError("-d, -I and -T are different requests: choose one of them")
    if options.upload_file is not None:
        return Payload("PUT", upload=options.upload_file)
    method = "HEAD" if options.head else "GET"
    if not options.data:
        return Payload(method)
    is_json = any(option == "--json" for option, _ in options.data)
    body = b""
    for place, (option, text) in enumerate(options.data):
        joint = b"&" if place and option != "--json" else b""
        body += joint + _piece(option, text)
    if options.get:
        return Payload(method, query=os.fsdecode(body))
    fields = (("Content-Type", _JSON), ("Accept", _JSON)) if is_json else (("Content-Type", _FORM),)
    return Payload("POST", body, fields)


def _piece(option: str, text: str) -> bytes:
    """Return what one option adds to the body."""
    if option == "--data-urlencode":
        return _encoded(text)
    if option == "--data-raw" or not text.startswith("@"):
        return os.fsencode(text)
    data = read_file(text[1:])
    if option in {"-d", "--data"}:
        return data.translate(None, b"\r\n\0")
    return data


def _encoded(text: str) -> bytes:
    """Return `TEXT`, `=TEXT`, `NAME=TEXT`, `@FILE` or `NAME@FILE`, with the text encoded for a form."""
    name, sign, rest = text, "", text
    for place, letter in enumerate(text):
        if letter in "=@":
            name, sign, rest = text[:place], letter, text[place + 1 :]
            break
    value = read_file(rest) if sign == "@" else os.fsencode(rest)
    encoded = quote_plus(value).encode()
    return os.fsencode(name) + b"=" + encoded if sign and name else encoded
