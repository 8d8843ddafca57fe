"""URLs, beside a WHATWG parser where ada-url is installed; Locations."""

import importlib.util
import re
from http.client import InvalidURL
from urllib.parse import urlsplit

from hyperlite.crawling.identity import identity
from hyperlite.crawling.keys import whatwg_form
from hyperlite.messages.urls import URL, join, parse, without_credentials

from .target import check

BASE = parse("https://base.example:8443/a/b?c=d#e")
ADA = importlib.util.find_spec("ada_url") is not None


def url(data: bytes) -> None:
    """Take a URL apart: no other parser may read another host, and its form has that form."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        parsed = parse(text)
    except InvalidURL as error:
        check_secret(text, error)
        identity(data.decode("utf-8", "replace"))  # a crawl takes it so
        return
    check_url(parsed)
    check_others(text.strip(" \t\r\n"), parsed)
    form = whatwg_form(text, parsed)
    check(whatwg_form(form, parse(form)) == form, f"the form of a form: {form!r}")
    check(identity(form)[0] == identity(text)[0], f"the identity of {form!r}")


def location(data: bytes) -> None:
    """Resolve a Location, as http.client has decoded it: browsers are led to the same host."""
    text = data.decode("latin-1")
    try:
        joined = join(BASE, text)
    except InvalidURL as error:
        check_secret(text, error)
        return
    check_url(joined)
    if not ADA:
        return
    import ada_url  # noqa: PLC0415  in [dev] alone

    try:
        whatwg = ada_url.URL(bytes(data).decode("utf-8", "replace"), base=str(BASE))
    except ValueError:
        return
    same = whatwg.protocol == f"{joined.scheme}:" and whatwg.hostname == hostname(joined)
    check(same, f"{text!r} leads to {joined} here and to {whatwg.href} in browsers")


def check_url(parsed: URL) -> None:
    """Check what is sent of a URL: nothing in it ends a line or a target, and it is parsed as it was."""
    for part in (parsed.host, parsed.target, parsed.netloc):
        good = part.isascii() and part.isprintable() and " " not in part
        check(good, f"{part!r} would be sent")
    check(parsed.target.startswith("/"), f"the target {parsed.target!r}")
    again = parse(str(parsed))
    check(again == parsed._replace(user=None), f"{parsed!r} is written as {parsed}, which is {again!r}")


def check_others(text: str, parsed: URL) -> None:
    """Compare the host with the one that other parsers read, where they read one."""
    if text.isascii():
        try:
            split = urlsplit(text)
            host, port = split.hostname, split.port
        except ValueError:
            pass
        else:
            host = (host or "").replace("%25", "%")
            check(host in (parsed.host, "") or ":" in host, f"{parsed.host!r} here, {host!r} in urllib")
            check(port in (None, parsed.port), f"port {parsed.port} here, {port} in urllib")
    if ADA and "%" not in parsed.host:  # browsers have no zones
        import ada_url  # noqa: PLC0415  in [dev] alone

        try:
            whatwg = ada_url.URL(text)
        except ValueError:
            return
        check(whatwg.hostname == hostname(parsed), f"{parsed.host!r} here, {whatwg.hostname!r} in browsers")
        port = int(whatwg.port) if whatwg.port else {"http:": 80, "https:": 443}[whatwg.protocol]
        check(port == parsed.port, f"port {parsed.port} here, {port} in browsers")


def hostname(parsed: URL) -> str:
    """Return a host as a WHATWG parser writes it."""
    return f"[{parsed.host}]" if ":" in parsed.host else parsed.host


def check_secret(text: str, error: InvalidURL) -> None:
    """Check that an error shows no password."""
    if re.match(r"(?i)\s*(https?:)?//[^/?#\\]*secret@", text):
        shown = without_credentials(text)
        check("secret@" not in shown and "secret@" not in str(error), f"{error}")
