"""Docstrings and signatures, as the reference shows them.

- `host, port: text` in a list of arguments becomes an entry for each of them.
- A default that has a name (`PING_TIMEOUT`) is shown by its value.
"""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from hyperlite.fetching.event_stream import MAX_EVENT
from hyperlite.fetching.lines import MAX_LINE
from hyperlite.http2.engine import MAX_HEADER_LIST
from hyperlite.http2.liveness import KEEPALIVE_IDLE, PING_TIMEOUT
from hyperlite.http2.unread import MAX_BUFFERED

DEFAULTS = {
    "KEEPALIVE_IDLE": str(KEEPALIVE_IDLE),
    "PING_TIMEOUT": str(PING_TIMEOUT),
    "MAX_BUFFERED": f"{MAX_BUFFERED >> 20} << 20",
    "MAX_HEADER_LIST": f"{MAX_HEADER_LIST >> 10} << 10",
    "MAX_LINE": f"{MAX_LINE >> 20} << 20",
    "MAX_EVENT": f"{MAX_EVENT >> 20} << 20",
    "ADDED_ALONE": "()",
    "NO_HEADERS": "{}",
    "UNSET": "…",
    "UNSET_TIMEOUT": "socket.getdefaulttimeout()",
}
SEVERAL = re.compile(r"( +)(\w+(?:, \w+)+): ")


def split_entries(lines: list[str]) -> list[str]:
    """Return a docstring in which each argument has an entry of its own."""
    found: list[str] = []
    rest = [*lines]
    while rest:
        line = rest.pop(0)
        several = SEVERAL.match(line)
        if several is None:
            found.append(line)
            continue
        following = []
        while rest and rest[0].startswith(several[1] + "    "):
            following.append(rest.pop(0))
        for name in several[2].split(", "):
            found += [f"{several[1]}{name}: {line[several.end() :]}", *following]
    return found


def docstring(
    _app: Sphinx, _what: str, _name: str, _thing: object, _options: object, lines: list[str]
) -> None:
    """Change a docstring before napoleon reads it."""
    lines[:] = split_entries(lines)


def signature(
    _app: Sphinx,
    _what: str,
    _name: str,
    _thing: object,
    _options: object,
    arguments: str | None,
    returned: str | None,
) -> tuple[str | None, str | None]:
    """Show the values of defaults that have names."""
    for name, value in DEFAULTS.items():
        arguments = arguments and re.sub(rf"= ?{name}\b", f"= {value}", arguments)
    return arguments, returned


def dashes(app: Sphinx, tree: nodes.document) -> None:
    """Put dashes where Sphinx leaves that to smart quotes: behind the names of arguments."""
    if app.env.docname.startswith("reference/"):
        for text in list(tree.findall(nodes.Text)):
            if text == " -- ":
                text.parent.replace(text, nodes.Text(" – "))  # noqa: RUF001


def setup(app: Sphinx) -> dict[str, Any]:
    """Take docstrings and signatures as autodoc finds them."""
    app.connect("autodoc-process-docstring", docstring, priority=100)
    app.connect("autodoc-process-signature", signature)
    app.connect("doctree-read", dashes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
