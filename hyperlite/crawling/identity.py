"""What makes two URLs the same: their WHATWG form.  The URL that was given is the one that is fetched."""

import hashlib
from http.client import InvalidURL

from ..messages.urls import parse
from .keys import whatwg_form

# Bytes of a key. Two of 2**64 URLs are taken for one another by chance, or on purpose with as much work.
SIZE = 16


def identity(url: str) -> tuple[bytes, str]:
    """Return the key of a URL, and its host; one that is invalid has no host, and is like no other."""
    try:
        parsed = parse(url)
    except InvalidURL:
        return _short(url), ""
    return _short(whatwg_form(url, parsed)), parsed.host


def _short(form: str) -> bytes:
    return hashlib.blake2b(form.encode(), digest_size=SIZE).digest()
