"""The first bytes of a peer that speaks another protocol than was expected.

A port has one protocol, and the first bytes of an answer often tell which.
"""

import struct

# A TLS record with an alert: its type, and the higher byte of its version (RFC 8446 section 5.1).
_TLS_ALERT = b"\x15\x03"
_FRAME_HEADER = struct.Struct(">LBL")  # length and type, flags, stream (RFC 9113 section 4.1)
_SETTINGS, _GOAWAY = 0x4, 0x7
# No server begins with more settings than this; RFC 9113 defines six.
_MAX_SETTINGS = 100

WANTS_TLS = "the port takes TLS alone (https://, secure=True)"
WANTS_HTTP2 = (
    "the port takes HTTP/2 alone, by prior knowledge "
    '(HTTP20Connection: secure=False without upgrade=True; a pool: protocols=("h2",))'
)


def is_tls(beginning: bytes) -> bool:
    """Tell whether a peer has answered with a TLS alert: it expects TLS. Two bytes show it."""
    return beginning.startswith(_TLS_ALERT)


def is_http2(beginning: bytes) -> bool:
    """Tell whether a peer begins with the SETTINGS or the GOAWAY of HTTP/2. Nine bytes show it."""
    if len(beginning) < _FRAME_HEADER.size:
        return False
    head, flags, wire_id = _FRAME_HEADER.unpack_from(beginning)
    kind, length = head & 0xFF, head >> 8
    is_plausible: bool = kind == _GOAWAY or (
        kind == _SETTINGS and length % 6 == 0 and length <= 6 * _MAX_SETTINGS
    )
    return is_plausible and not (flags or wire_id)


def may_be_one(beginning: bytes | bytearray) -> bool:
    """Tell whether a beginning is too short to tell, and may become one of these."""
    return beginning == _TLS_ALERT[:1] or (beginning[:1] == b"\0" and len(beginning) < _FRAME_HEADER.size)


def wanted(beginning: bytes) -> str | None:
    """Return in words what a peer that has answered an HTTP/1.1 request so expects; None: unknown."""
    if is_tls(beginning):
        return WANTS_TLS
    return WANTS_HTTP2 if is_http2(beginning) else None
