"""SETTINGS (RFC 9113 section 6.5), as `native` writes and reads them; `reference` has h2 do it."""

import struct

from ...errors import ErrorCode
from .frames import DEFAULT_FRAME, MAX_FRAME, MAX_WINDOW, SETTINGS, frame
from .guard import Violation
from .limits import (
    ENABLE_CONNECT_PROTOCOL,
    ENABLE_PUSH,
    INITIAL_WINDOW_SIZE,
    MAX_FRAME_SIZE,
    MAX_HEADER_LIST_SIZE,
    Limits,
)

_SETTING = struct.Struct(">HL")
# What a server may say: the name, the least and the greatest value, and the error that another is.
_RANGES = {
    ENABLE_PUSH: ("ENABLE_PUSH", 0, 0, ErrorCode.PROTOCOL_ERROR),
    INITIAL_WINDOW_SIZE: ("INITIAL_WINDOW_SIZE", 0, MAX_WINDOW, ErrorCode.FLOW_CONTROL_ERROR),
    MAX_FRAME_SIZE: ("MAX_FRAME_SIZE", DEFAULT_FRAME, 2**24 - 1, ErrorCode.PROTOCOL_ERROR),
    ENABLE_CONNECT_PROTOCOL: ("ENABLE_CONNECT_PROTOCOL", 0, 1, ErrorCode.PROTOCOL_ERROR),
}


def announced(limits: Limits) -> bytes:
    """Return the SETTINGS frame of a client that takes no pushes.

    It is silent about HEADER_TABLE_SIZE, which has its default: Go (Caddy) obeys in the middle of a block.
    """
    pairs = (
        (ENABLE_PUSH, 0),
        (INITIAL_WINDOW_SIZE, limits.stream_window),
        (MAX_FRAME_SIZE, MAX_FRAME),
        (MAX_HEADER_LIST_SIZE, limits.max_header_list),
    )
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(*pair) for pair in pairs))


def read_settings(payload: bytes) -> dict[int, int]:
    """Return the settings that a server names, by number; those that are unknown too.

    Raises:
        Violation: a value is none that a server may name.
    """
    named: dict[int, int] = dict(_SETTING.iter_unpack(payload))
    for number, value in named.items():  # as the peer has ordered them (RFC 9113 section 6.5.3)
        if number in _RANGES:
            name, least, most, code = _RANGES[number]
            if not least <= value <= most:
                raise Violation(code, f"SETTINGS with {name} {value}")
    return named
