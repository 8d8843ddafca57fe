"""What frames are made of: the numbers of RFC 9113 section 6, for both engines."""

import struct

# RFC 9113 section 3.4: a client begins with it.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# Length and type in one number, flags, stream: three values are cut faster than five.
FRAME_HEADER = struct.Struct(">LBL")
HEADER_SIZE = FRAME_HEADER.size

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0x0, 0x1, 0x2, 0x3, 0x4
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0x5, 0x6, 0x7, 0x8, 0x9
PRIORITY_UPDATE = 0x10  # RFC 9218 section 7.1

ACK = END_STREAM = 0x1
END_HEADERS = 0x4
PADDED = 0x8
HAS_PRIORITY = 0x20

MAX_WIRE_ID = 2**31 - 1
MAX_WINDOW = 2**31 - 1
# The smallest SETTINGS_MAX_FRAME_SIZE there is, which holds until the peer names another.
DEFAULT_FRAME = 16384
# Ours: the largest payload that we take. Tomcat puts a field of any size in one frame, whatever we announce.
MAX_FRAME = 65536
# RFC 9113 section 6.5.2: what to expect of a peer whose SETTINGS have not come yet.
CONCURRENT_BEFORE_SETTINGS = 100


def frame(kind: int, flags: int, wire_id: int, payload: bytes = b"") -> bytes:
    """Return the bytes of a frame."""
    return FRAME_HEADER.pack(len(payload) << 8 | kind, flags, wire_id) + payload
