"""Content codings, which a pool undoes: in each of the three ways to fetch, on HTTP/2 and on HTTP/1.1."""

import functools
import gzip
import importlib
import importlib.util
import itertools
import random
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from .case import BODY, CLEAR, TLS, Section
from .judging import Run
from .line import Line
from .scripts import MB

coding: Section = Section("coding")

BOMB = 300 * MB
# What a pool holds of a body (`max_body`), and what else may be about.
HELD = 64 + 24
# What reading by 64 KiB may take, the server's part included.
STREAMED = 24


def send(line: Line, packed: bytes | Iterator[bytes], codings: str) -> None:
    """Answer the first request with a body of these codings: bytes, or pieces without end."""
    if line.case.protocol == "h2":
        stream_id = line.open()
        line.send_headers(stream_id, [(":status", "200"), ("content-encoding", codings)])
        if isinstance(packed, bytes):
            line.send_body(stream_id, packed)
            return
        windows = line.window
        for piece in packed:
            while min(windows[0], windows[stream_id]) < len(piece) and stream_id not in line.reset_by_client:
                line.next_frame()
            if stream_id in line.reset_by_client:
                return
            windows[0] -= len(piece)
            windows[stream_id] -= len(piece)
            line.send_data(stream_id, piece)
        return
    line.read_head()
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\n" % codings.encode()
    if isinstance(packed, bytes):
        line.send_raw(head + b"Content-Length: %d\r\n\r\n" % len(packed) + packed)
        return
    line.send_raw(head + b"Transfer-Encoding: chunked\r\n\r\n")
    for piece in packed:
        line.send_raw(b"%X\r\n%b\r\n" % (len(piece), piece))


def fails_as(*names: str) -> Callable[[Run], None]:
    """Return a check that each failure was of one of these classes."""

    def check(run: Run) -> None:
        for outcome in run.outcomes:
            assert outcome.kind == "ok" or outcome.detail.split(":")[0] in names, outcome.detail

    return check


def declare(
    name: str,
    expected: str,
    reference: str,
    make: Callable[[], bytes | Iterator[bytes]],
    codings: str = "gzip",
    *,
    streamed: str | None = None,
    error: tuple[str, ...] = ("DecodingError",),
    memory: float = STREAMED,
    **options: Any,
) -> None:
    """Declare a case for each way to fetch and each protocol.

    Args:
        name, expected, reference, options: as of any case.
        make: returns what is sent.
        codings: the value of content-encoding.
        streamed: what is expected where the body is read piece by piece, if that is something else.
        error: the classes of what may be raised.
        memory: where it is not.
    """
    for way, protocol in itertools.product(("whole", "stream", "many"), ("h2", "http/1.1")):
        by_pieces = way == "stream"
        coding.add(
            ("" if protocol == "h2" else "h1-") + name + ("" if way == "whole" else f"-{way}"),
            streamed if by_pieces and streamed else expected,
            reference,
            lambda line: send(line, make(), codings),
            fetch=way,
            protocol=protocol,
            over=(TLS,) if protocol == "h2" else (CLEAR,),
            alive=True if protocol == "h2" else None,
            memory=STREAMED if by_pieces else memory,
            check=fails_as(*error),
            **options,
        )


# -- the codings that can be undone here ----------------------------------------------------------


def _zlib(wbits: int, size: int) -> bytes:
    packer = zlib.compressobj(wbits=wbits)
    pieces = [packer.compress(bytes(MB)) for _ in range(size // MB)]
    return b"".join([*pieces, packer.flush()])


def _brotli(data: bytes) -> bytes:
    brotli: Any = importlib.import_module("brotli")  # it need not be there
    packed: bytes = brotli.compress(data, quality=5)
    return packed


def _brotli_bomb(size: int) -> bytes:
    """Pack zeros in a process of its own: the packer takes 10 MB, and a case measures this process."""
    program = (
        "import brotli, sys; packer = brotli.Compressor(quality=5); "
        f"out = [packer.process(bytes({MB})) for _ in range({size // MB})]; "
        "sys.stdout.buffer.write(b''.join(out) + packer.finish())"
    )
    return subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout


def _zstd() -> Any:
    return importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")


def _zstd_bomb(size: int) -> bytes:
    packer = _zstd().ZstdCompressor()
    pieces = [packer.compress(bytes(MB)) for _ in range(size // MB)]
    return b"".join([*pieces, packer.flush()])


def _has(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:
        return False


PACKERS: dict[str, tuple[Callable[[bytes], bytes], Callable[[int], bytes]]] = {
    "gzip": (gzip.compress, functools.partial(_zlib, 31)),
    "deflate": (zlib.compress, functools.partial(_zlib, 15)),
}
if _has("brotli"):
    PACKERS["br"] = _brotli, _brotli_bomb
if sys.version_info >= (3, 14) or _has("backports.zstd"):
    PACKERS["zstd"] = (lambda data: _zstd().compress(data)), _zstd_bomb

# Not to be packed: the last bytes are then as much of the body as the first.
NOISE = random.Random(1).randbytes(200_000)
URLLIB3 = "CVE-2025-66471/-66418 (urllib3), CVE-2026-21441; streaming read(n) must stay bounded"


def declare_coding(name: str, pack: Callable[[bytes], bytes], make_bomb: Callable[[int], bytes]) -> None:
    """Declare what can be wrong with any coding."""
    bomb = functools.cache(lambda: make_bomb(BOMB))
    declare(
        f"{name}-bomb-300mb",
        "error",
        URLLIB3,
        bomb,
        name,
        streamed="ok",
        error=("BodyTooLarge",),
        note="read by 64 KB pieces where it is streamed",
        body=BOMB,
        timeout=20,
        memory=HELD,
        prepare=bomb,
    )
    declare(f"{name}-good", "ok", "RFC 9110 8.4.1", lambda: pack(BODY), name)
    declare(f"{name}-truncated", "error", "RFC 1952: an incomplete member", lambda: pack(BODY)[:-6], name)
    declare(
        f"{name}-truncated-late", "error", "CVE-2025-66471", lambda: pack(NOISE)[:-1], name, body=len(NOISE)
    )
    declare(f"{name}-garbage", "error", "urllib3 DecodeError", lambda: b"\xffthis is nothing packed", name)
    declare(f"{name}-of-nothing", "ok", "an empty body", lambda: b"", name, body=b"")


for _name, (_pack, _make_bomb) in PACKERS.items():
    declare_coding(_name, _pack, _make_bomb)


# -- chains ---------------------------------------------------------------------------------------


def layers(count: int, body: bytes = BODY) -> bytes:
    for _ in range(count):
        body = gzip.compress(body)
    return body


CHAIN = (
    "CVE-2025-66418 unbounded chain of codings (urllib3 now max 5; curl MAX_ENCODE_STACK 5, CVE-2022-32206)"
)
for _count in (5, 6, 100):
    declare(
        f"gzip-layers-{_count}",
        "ok" if _count == 5 else "error",
        CHAIN,
        functools.partial(layers, _count),
        ", ".join(["gzip"] * _count),
    )
declare(
    "gzip-bomb-in-gzip",
    "error",
    CHAIN,
    functools.cache(lambda: layers(2, _zlib(31, BOMB))),
    "gzip, gzip, gzip",
    streamed="ok",
    error=("BodyTooLarge",),
    note="2 KB -> 300 KB -> 300 MB",
    body=BOMB,
    timeout=20,
    memory=HELD,
)
declare("gzip-layer-missing", "error", "RFC 9110 8.4", lambda: layers(1), "gzip, gzip")
declare("coding-identity", "ok", "RFC 9110 8.4.1: identity", lambda: BODY, "identity, ,identity")
declare("coding-unknown", "ok", "RFC 9110 8.4: it is the caller's", lambda: BODY, "gzip, compress")

# -- what only one of them can have wrong ---------------------------------------------------------

MEMBER = gzip.compress(BODY)
declare("gzip-trailing-garbage", "ok|error", "RFC 1952 2.2: members", lambda: MEMBER + b"garbage")
declare("gzip-two-members", "ok", "RFC 1952 2.2", lambda: layers(1, BODY[:5]) + layers(1, BODY[5:]))
declare("gzip-second-member-truncated", "error", "RFC 1952 2.2", lambda: MEMBER + MEMBER[:-6])
declare("gzip-wrong-checksum", "error", "RFC 1952 2.3.1", lambda: MEMBER[:-8] + bytes(4) + MEMBER[-4:])
declare("gzip-wrong-length", "error", "RFC 1952 2.3.1", lambda: MEMBER[:-4] + bytes(4))
declare(
    "deflate-wrong-checksum", "error", "RFC 1950 2.2", lambda: zlib.compress(BODY)[:-4] + bytes(4), "deflate"
)
if "zstd" in PACKERS:
    declare(
        "zstd-window-128mb",
        "error",
        "RFC 9659: 8 MiB is enough",
        lambda: bytes.fromhex("28b52ffd0088010000"),  # no size, a window of 2**27 bytes, one empty block
        "zstd",
    )

# -- packed bytes without end, that come to nothing -----------------------------------------------

EMPTY = gzip.compress(b"") * 400  # 8 KB


def endless(start: bytes, piece: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: itertools.chain([start], itertools.repeat(piece))


# fetch_many() unpacks what it has as a whole, so there it is its length that is too much.
NOTHING: dict[str, Any] = {
    "timeout": 2,
    "body": b"",
    "error": ("DecodingError", "BodyTooLarge"),
    "memory": HELD,
}
declare("gzip-empty-members-endless", "error", "as CVE-2019-9518", endless(EMPTY, EMPTY), **NOTHING)
declare(
    "gzip-empty-blocks-endless",
    "error",
    "as CVE-2019-9518",
    endless(MEMBER[:10], b"\0\0\0\xff\xff" * 2000),
    **NOTHING,
)
declare(
    "gzip-name-endless",
    "error",
    "RFC 1952 2.3: a file name ends with a zero",
    endless(b"\x1f\x8b\x08\x08" + bytes(6), b"a" * 8000),
    **NOTHING,
)
declare(
    "gzip-padding-endless",
    "error",
    "what follows is no member",
    endless(MEMBER, bytes(8000)),
    timeout=2,
    error=("DecodingError", "BodyTooLarge"),
    memory=HELD,
)
