"""Content codings. hyperlite does not decode yet: these wait for it."""

import gzip
import zlib

from .case import BODY, Section
from .line import Line

coding = Section("coding", {"later": "part 7: decoding"})


def encoded(line: Line, body: bytes, codings: str = "gzip") -> None:
    stream_id = line.open()
    line.send_headers(stream_id, [(":status", "200"), ("content-encoding", codings)])
    line.send_body(stream_id, body)


@coding.case(
    "gzip-bomb-300mb",
    "ok|error",
    "CVE-2025-66471/-66418 (urllib3), CVE-2026-21441; streaming read(n) must stay bounded",
    note="300 KB -> 300 MB; read by 64 KB pieces",
    body=300 << 20,
    timeout=20,
)
def _(line: Line) -> None:
    packer = zlib.compressobj(wbits=31)
    pieces = [packer.compress(bytes(1 << 20)) for _ in range(300)]
    encoded(line, b"".join([*pieces, packer.flush()]))


@coding.case(
    "gzip-layers-100",
    "ok|error",
    "CVE-2025-66418 unbounded chain of codings (urllib3 now max 5; curl MAX_ENCODE_STACK 5, CVE-2022-32206)",
)
def _(line: Line) -> None:
    body = BODY
    for _ in range(100):
        body = gzip.compress(body)
    encoded(line, body, ", ".join(["gzip"] * 100))


@coding.case("gzip-truncated", "error", "RFC 1952: an incomplete member is an error")
def _(line: Line) -> None:
    encoded(line, gzip.compress(BODY)[:-6])


@coding.case("gzip-garbage", "error", "urllib3 DecodeError")
def _(line: Line) -> None:
    encoded(line, b"this is no gzip")


@coding.case("gzip-trailing-garbage", "ok|error", "RFC 1952 2.2: members follow one another")
def _(line: Line) -> None:
    encoded(line, gzip.compress(BODY) + b"garbage")


@coding.case("gzip-of-nothing", "ok|error", "an empty body is no gzip", body=b"")
def _(line: Line) -> None:
    encoded(line, b"")
