"""The tags of an HTML page, one after the other, as the HTML standard tokenizes them (section 13.2.5).

Links need no tree.  A parser that builds one takes time, and memory, that grow with the square of what a
hostile page has in it: a hundred thousand nested elements take minutes.  This one takes time that grows with
the length of the page, whatever that is.
"""

import html
import re
from collections.abc import Container, Iterator
from html.entities import html5

_start = re.compile(r"<(?=[A-Za-z/!?])").search
# A tag from its "<" to its ">", which may stand within quotes in it.  No quantifier here gives anything back.
_tag = re.compile(
    r"""<(/?)([A-Za-z][^\s/>]*+)((?:[^>=]++|=\s*+(?:"[^"]*+"|'[^']*+'|(?!["'])[^\s>]*+))*+)>"""
).match
_attribute = re.compile(r"""([^\s/=][^\s/=]*+)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|(\S*+)))?+""").finditer
# Comments, and what is treated as one.
_comment = re.compile(r"<!--(?:-?>|.*?(?:--!?>|\Z))|<[!?/][^>]*+>?", re.DOTALL).match
_reference = re.compile(r"&(?:#[0-9]++;?|#[xX][0-9A-Fa-f]++;?|[A-Za-z][A-Za-z0-9]*+;?+(?!=))").sub
# What is in these is text.
_TEXT = frozenset({"iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp"})
# Characters of the longest reference by number that has a code point, with room for zeros before it: int()
# raises for thousands of digits.
_LONGEST_NUMBER = 100
_ends = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search for name in _TEXT}


def tags(text: str, wanted: Container[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the start tags of a page: their names, and their attributes, in lower case.

    Args:
        text: the page.
        wanted: the names of those to yield.
    """
    place = 0
    while start := _start(text, place):
        place = start.start()
        if found := _tag(text, place):
            closes, name, attributes = found.groups()
            place, name = found.end(), name.lower()
            if not closes:
                if name in wanted:
                    yield name, _attributes(attributes)
                if name == "plaintext":
                    return
                if name in _TEXT:
                    end = _ends[name](text, place)
                    place = len(text) if end is None else end.start()
        elif text[place + 1 : place + 2].isalpha():
            return  # it ends within this tag, which is none therefore
        else:
            comment = _comment(text, place)
            place = place + 1 if comment is None else comment.end()


def _attributes(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in _attribute(text):
        value = one[2] if one[2] is not None else one[3] if one[3] is not None else one[4] or ""
        found.setdefault(one[1].lower(), _reference(_replacement, value) if "&" in value else value)
    return found


def _replacement(found: re.Match[str]) -> str:
    """Return what a character reference in an attribute stands for; "&copy=1" is none."""
    text = found[0]
    if text[1] == "#":
        return html.unescape(text) if len(text) <= _LONGEST_NUMBER else "\ufffd"
    return html.unescape(text) if text[1:] in html5 else text
