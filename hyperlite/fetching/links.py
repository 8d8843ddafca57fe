"""The links of a response to other resources (RFC 8288)."""

import re
from collections.abc import Iterable
from http.client import InvalidURL
from urllib.parse import unquote

from ..messages.urls import URL, join

# RFC 8288 section 3: a target in angle brackets, and parameters; values may be quoted.
_target = re.compile(r"[\s,]*<([^>]*)>").match
_parameter = re.compile(
    r"""[\s]*;[\s]*(?:([^\s=;,"<>]+)[\s]*(?:=[\s]*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?)?"""
).match
_escape = re.compile(r"\\(.)").sub
# RFC 8187: charset, language, and percent-encoded text.
_extended = re.compile(r"(utf-8|iso-8859-1)'[^']*'(.*)", re.IGNORECASE).fullmatch


def links(values: Iterable[str], base: URL) -> dict[str, dict[str, str]]:
    """Return the links of a response by their relation: for each its `url`, and its parameters.

    Of several links with one relation the first counts. Those of another context (`anchor`) are left out, and
    so are those that lead to no http(s) URL.

    Args:
        values: of its Link fields.
        base: its URL, for relative targets.
    """
    found: dict[str, dict[str, str]] = {}
    for value in values:
        position = 0
        while match := _target(value, position):
            parameters: dict[str, str] = {}
            position = match.end()
            while parameter := _parameter(value, position):
                position = parameter.end()
                name, quoted, plain = parameter.groups()
                if name:
                    text = _escape(r"\1", quoted) if quoted is not None else plain or ""
                    parameters.setdefault(name.lower(), text)
            _add(found, match[1].strip(), parameters, base)
    return found


def _add(found: dict[str, dict[str, str]], target: str, parameters: dict[str, str], base: URL) -> None:
    relations = [one for one in parameters.get("rel", "").lower().split() if one not in found]
    if "anchor" in parameters or not relations:
        return
    try:
        url = str(join(base._replace(fragment=""), target))
    except (InvalidURL, ValueError):
        return
    link: dict[str, str] = {}
    for name, value in parameters.items():
        if name.endswith("*"):
            if extended := _extended(value):
                link[name[:-1]] = unquote(extended[2], encoding=extended[1], errors="replace")
        else:
            link.setdefault(name, value)
    link["url"] = url  # whatever the server calls a parameter
    found.update(dict.fromkeys(relations, link))
