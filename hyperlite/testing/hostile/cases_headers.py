"""Header blocks and HPACK."""

import struct
from collections.abc import Callable

import hpack
from hyperframe.frame import ContinuationFrame, HeadersFrame

from hyperlite.errors import ErrorCode

from .case import BODY, Section
from .line import Line

COMPRESSION = ErrorCode.COMPRESSION_ERROR
PROTOCOL = ErrorCode.PROTOCOL_ERROR
CALM = ErrorCode.ENHANCE_YOUR_CALM
END_STREAM, END_HEADERS, PADDED, PRIORITY = 0x1, 0x4, 0x8, 0x20

headers: Section = Section("headers")
STATUS_200 = b"\x88"


def in_frames(line: Line, stream_id: int, block: bytes, size: int, *, end_stream: bool = False) -> bytes:
    """Return a header block in frames of `size` bytes."""
    pieces = [block[at : at + size] for at in range(0, len(block), size)] or [b""]
    kinds = [HeadersFrame.type] + [ContinuationFrame.type] * (len(pieces) - 1)
    return b"".join(
        line.frames.raw(
            kind,
            (END_HEADERS if at == len(pieces) - 1 else 0) | (END_STREAM if end_stream and at == 0 else 0),
            stream_id,
            piece,
        )
        for at, (kind, piece) in enumerate(zip(kinds, pieces, strict=True))
    )


def many_fields(count: int, size: int) -> list[tuple[str, str]]:
    return [(":status", "200"), *((f"x-{number}", "v" * size) for number in range(count))]


def block_of(count: int, size: int, per_frame: int = 16384) -> Callable[[Line], None]:
    def script(line: Line) -> None:
        stream_id = line.open()
        encoder = hpack.Encoder()
        line.send_raw(in_frames(line, stream_id, encoder.encode(many_fields(count, size), False), per_frame))
        line.send_data(stream_id, BODY, end_stream=True)

    return script


def raw_block(block: bytes, *more: bytes) -> Callable[[Line], None]:
    """Send a header block as it is, and after it others, as trailers."""

    def script(line: Line) -> None:
        stream_id = line.open()
        line.send_frame(HeadersFrame.type, END_HEADERS, stream_id, block)
        for trailers in more:
            line.send_frame(HeadersFrame.type, END_HEADERS | END_STREAM, stream_id, trailers)
        if not more:
            line.send_data(stream_id, BODY, end_stream=True)

    return script


headers.add(
    "headers-continuation-ok",
    "ok",
    "RFC 9113 6.10",
    block_of(10, 4000),
    note="40 KB header list in 3 frames (below h2's 64 KB)",
    alive=True,
)
headers.add(
    "headers-continuation-28k",
    "ok",
    "Tomcat: a field of any size is in one frame",
    block_of(1, 28_000, 28_500),
    note="a field of 28,000 bytes in one frame",
    alive=True,
)
headers.add(
    "headers-split-1-byte",
    "ok|error",
    "RFC 9113 6.10; h2 limits a block to 64 frames",
    block_of(1, 20, 1),
    note="a 30-byte block in 30 CONTINUATIONs",
)
headers.add(
    "headers-100kb", "ok|error", "Go accepts 10 MB, curl 300 KB a header, Chrome 256 KB", block_of(25, 4000)
)
headers.add(
    "headers-10mb",
    "error",
    "Go errResponseHeaderListSize (10 MB); nghttp2 64 KB a block; okhttp 256 KB; h2/hpack 64 KB",
    block_of(2500, 4000),
    note="10 MB header list with END_HEADERS",
)
headers.add("headers-one-field-1mb", "error", "curl CURLE_TOO_LARGE: 300 KB a header", block_of(1, 1 << 20))
headers.add("headers-5000-fields", "error", "curl: 5,000 fields; http.client: 100", block_of(5000, 1))


@headers.case("headers-empty-continuations", "ok|error", "RFC 9113 6.10: an empty CONTINUATION is no error")
def _(line: Line) -> None:
    stream_id = line.open()
    block = line.frames.block([(":status", "200"), ("x", "y")])
    line.send_frame(HeadersFrame.type, 0, stream_id, block)
    for _ in range(3):
        line.send_raw(line.frames.continuation(stream_id, b"", end_headers=False))
    line.send_raw(line.frames.continuation(stream_id, b""))
    line.send_data(stream_id, BODY, end_stream=True)


@headers.case("headers-empty-first-frame", "ok", "RFC 9113 6.10: the whole block in CONTINUATION", alive=True)
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_frame(HeadersFrame.type, 0, stream_id, b"")
    line.send_raw(line.frames.continuation(stream_id, line.frames.block([(":status", "200")])))
    line.send_data(stream_id, BODY, end_stream=True)


@headers.case("headers-padded-priority", "ok", "RFC 9113 6.2", alive=True)
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id, padding=200, priority=struct.pack(">LB", 0, 15))
    line.send_data(stream_id, BODY, end_stream=True)


@headers.case("headers-padding-too-long", "error", "RFC 9113 6.2; h2spec 6.2/4", goaway=PROTOCOL)
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_frame(HeadersFrame.type, END_HEADERS | PADDED, stream_id, b"\xff" + STATUS_200)
    line.listen()


@headers.case(
    "headers-padding-empty-frame",
    "error",
    "RFC 9113 6.2: no room for the pad length",
    goaway=(PROTOCOL, ErrorCode.FRAME_SIZE_ERROR),
)
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_frame(HeadersFrame.type, END_HEADERS | PADDED, stream_id, b"")
    line.listen()


@headers.case(
    "headers-priority-short", "error", "RFC 9113 6.2", goaway=(PROTOCOL, ErrorCode.FRAME_SIZE_ERROR)
)
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_frame(HeadersFrame.type, END_HEADERS | PRIORITY, stream_id, b"\0\0\0")
    line.listen()


@headers.case("headers-self-dependency", "ok|error", "RFC 7540 5.3.1; RFC 9113 5.3: priorities are ignored")
def _(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id, priority=struct.pack(">LB", stream_id, 15))
    line.send_data(stream_id, BODY, end_stream=True)


def hint(line: Line, stream_id: int) -> None:
    """Send a 1xx response of 60 KB; not in Huffman's code, which takes the script seconds."""
    block = line.frames.block([(":status", "103"), ("link", "x" * 60_000)], huffman=False)
    line.send_raw(in_frames(line, stream_id, block, 16384))


@headers.case(
    "1xx-many-bytes",
    "error",
    "Go: 1xx header bytes are bounded together",
    note="ten of 60 KB; a hundred of 256 KiB would be 25 MB for each request",
    count=3,
    together=True,
    rst=CALM,
)
def _(line: Line) -> None:
    line.greet()
    streams = [line.request() for _ in range(3)]
    for _ in range(10):
        for stream_id in streams:
            hint(line, stream_id)
    for stream_id in streams:
        line.ok(stream_id)


@headers.case("1xx-240-kb", "ok", "RFC 9110 15.2: below the bound", alive=True)
def _(line: Line) -> None:
    stream_id = line.open()
    for _ in range(4):
        hint(line, stream_id)
    line.ok(stream_id)


# 30 characters of a never-added literal, named by index 62, the newest entry of the dynamic table.
BOMB = b"\x40\x01a" + b"\x7f\xe1\x1e" + b"b" * 4064  # 127 + 3937 = 4064 bytes of value


def bomb(line: Line) -> None:
    stream_id = line.open()
    line.send_raw(in_frames(line, stream_id, STATUS_200 + BOMB[:-10] + b"\xbe" * 16000, 16384))
    line.send_data(stream_id, BODY, end_stream=True)


headers.add(
    "hpack-bomb",
    "error",
    "CVE-2016-6581 (hpack); nghttp2; Go",
    bomb,
    note="4 KB entry in the dynamic table named 16000 times: 64 MB from 20 KB",
)


for _name, _reference, _block in (
    ("hpack-index-0", "RFC 7541 6.1: index 0 is a decoding error", STATUS_200 + b"\x80"),
    ("hpack-index-9999", "RFC 7541 2.3.3 COMPRESSION_ERROR", STATUS_200 + b"\xff\x90\x4d"),
    ("hpack-index-62-empty-table", "RFC 7541 2.3.3", STATUS_200 + b"\xbe"),
    ("hpack-name-index-9999", "RFC 7541 2.3.3", STATUS_200 + b"\x7f\xd0\x4d\x01a"),
    (
        "hpack-huge-integer",
        "RFC 7541 5.1 excessively large integers COMPRESSION_ERROR",
        STATUS_200 + b"\xff" + b"\xff" * 40 + b"\x01",
    ),
    (
        "hpack-endless-zero-integer",
        "RFC 7541 5.1: padded with zeroes",
        STATUS_200 + b"\xff" + b"\x80" * 10000 + b"\x00",
    ),
    ("hpack-huge-string-length", "RFC 7541 5.1", STATUS_200 + b"\x40\x7f" + b"\xff" * 20 + b"\x01"),
    ("hpack-table-size-too-big", "RFC 7541 6.3 COMPRESSION_ERROR", b"\x3f\xe1\xff\x03" + STATUS_200),
    ("hpack-table-size-huge", "RFC 7541 6.3", b"\x3f" + b"\xff" * 20 + b"\x01" + STATUS_200),
    ("hpack-size-update-mid-block", "RFC 7541 4.2 COMPRESSION_ERROR", STATUS_200 + b"\x20"),
    ("hpack-truncated", "RFC 7541 / RFC 9113 4.3 COMPRESSION_ERROR", STATUS_200 + b"\x40\x05ab"),
    ("hpack-truncated-integer", "RFC 7541 5.1", STATUS_200 + b"\xff\x80"),
    ("hpack-truncated-before-value", "RFC 7541 6.2", STATUS_200 + b"\x40\x01a"),
    (
        "hpack-huffman-long-padding",
        "RFC 7541 5.2 COMPRESSION_ERROR",
        STATUS_200 + b"\x40\x01a\x83\x1f\xff\xff",
    ),
    (
        "hpack-huffman-zero-padding",
        "RFC 7541 5.2: padding is the EOS prefix",
        STATUS_200 + b"\x40\x01a\x81\x18",
    ),
    ("hpack-huffman-eos", "RFC 7541 5.2: EOS in a string", STATUS_200 + b"\x40\x01a\x84\xff\xff\xff\xff"),
    ("hpack-string-length-lie", "RFC 7541 5.2 COMPRESSION_ERROR", STATUS_200 + b"\x40\x01a\x7f\x00ab"),
):
    headers.add(_name, "error", _reference, raw_block(_block), goaway=COMPRESSION)

headers.add("hpack-empty-block", "error", "RFC 9113 8.3.2", raw_block(b""), rst=PROTOCOL)
headers.add(
    "hpack-two-size-updates",
    "ok",
    "RFC 7541 4.2: two at the start are allowed",
    raw_block(b"\x20\x3f\xe1\x1f" + STATUS_200),
)
headers.add(
    "hpack-20-size-updates", "ok|error", "nghttp2, Go: no more than two", raw_block(b"\x20" * 20 + STATUS_200)
)
headers.add("hpack-in-trailers", "error", "RFC 9113 4.3", raw_block(STATUS_200, b"\x80"), goaway=COMPRESSION)
headers.add(
    "hpack-never-indexed", "ok", "RFC 7541 6.2.3", raw_block(STATUS_200 + b"\x10\x01a\x01b"), alive=True
)
headers.add(
    "hpack-entry-larger-than-table",
    "ok",
    "RFC 7541 4.4: it empties the table and is no error",
    raw_block(STATUS_200 + b"\x40\x01a\x7f\x89\x27" + b"b" * 5128),
    after=False,
)
