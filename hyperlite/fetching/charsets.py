"""From the bytes of a response to text, by the charset that its Content-Type names.

The peer chooses the charset, so it may choose only among the charsets of text in the standard library.  It
may not choose a codec of another kind (idna, punycode, undefined, unicode_escape, base64, …), or one that the
program has registered: those raise, warn, or take time that grows with the square of the length.  It may not
choose UTF-7, HZ and ISO-2022-KR either: in these, what looks like plain ASCII to a filter becomes "<"
(browsers have dropped them, WHATWG Encoding section 4.2).  An unknown name is not even looked up: Python
remembers each name that it has looked up, for ever.
"""

import functools
import re
from encodings.aliases import aliases

_NAMES = """
    ascii big5 big5hkscs cp037 cp1006 cp1026 cp1125 cp1140 cp1250 cp1251 cp1252 cp1253 cp1254 cp1255
    cp1256 cp1257 cp1258 cp273 cp424 cp437 cp500 cp720 cp737 cp775 cp850 cp852 cp855 cp856 cp857 cp858
    cp860 cp861 cp862 cp863 cp864 cp865 cp866 cp869 cp874 cp875 cp932 cp949 cp950 euc_jis_2004
    euc_jisx0213 euc_jp euc_kr gb18030 gb2312 gbk hp_roman8 iso2022_jp iso2022_jp_1 iso2022_jp_2
    iso2022_jp_2004 iso2022_jp_3 iso2022_jp_ext iso8859_1 iso8859_10 iso8859_11 iso8859_13 iso8859_14
    iso8859_15 iso8859_16 iso8859_2 iso8859_3 iso8859_4 iso8859_5 iso8859_6 iso8859_7 iso8859_8 iso8859_9
    johab koi8_r koi8_t koi8_u kz1048 latin_1 mac_arabic mac_croatian mac_cyrillic mac_farsi mac_greek
    mac_iceland mac_latin2 mac_roman mac_romanian mac_turkish ptcp154 shift_jis shift_jis_2004
    shift_jisx0213 tis_620 utf_16 utf_16_be utf_16_le utf_32 utf_32_be utf_32_le utf_8 utf_8_sig
"""
_CODECS = frozenset(_NAMES.split())
# RFC 9110 section 5.6.6, as servers write it: a value that is not quoted goes on to the next semicolon.
_PARAMETER = r';[ \t]*([^=;"\s]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^;]*)'
_NOT_IN_NAME = r"[^a-z0-9]+"
# The longest name that Python knows has 21 characters.
_LONGEST_NAME = 40


def text(body: bytes, content_type: str | None) -> str:
    """Return a body as text; invalid bytes become U+FFFD, and a byte order mark is removed.

    Args:
        body: decoded from its content coding.
        content_type: the value of Content-Type; without a known charset the body is read as UTF-8.
    """
    decoded = body.decode(codec(content_type or ""), "replace")
    return decoded.removeprefix("\ufeff")


@functools.lru_cache(64)
def codec(content_type: str) -> str:
    """Return the name of the codec for a Content-Type."""
    for found in re.finditer(_PARAMETER, content_type):
        if found[1].lower() == "charset":
            label = found[2].strip(" \t\"'").lower()
            if len(label) > _LONGEST_NAME or not label.isascii():
                break
            name = re.sub(_NOT_IN_NAME, "_", label)
            name = aliases.get(name, name)
            if name in _CODECS:
                return name
            break
    return "utf_8"
