"""A Thrift service over HTTP, in its binary protocol: `i32 add(1: i32 a, 2: i32 b)`."""

import struct

from hyperlite.testing.server import Request, Response

from .answers import as_text

KIND = ("content-type", "application/x-thrift")


def add(request: Request) -> Response:
    version, length = struct.unpack(">Ii", request.body[:8])
    name, rest = request.body[8 : 8 + length], request.body[8 + length :]
    assert (version, request.header("content-type"), request.method) == (
        0x80010001,
        "application/x-thrift",
        "POST",
    )
    number, kind_a, _, a, kind_b, _, b, stop = struct.unpack(">iBhiBhiB", rest)
    assert (kind_a, kind_b, stop) == (8, 8, 0)
    reply = struct.pack(">Ii", 0x80010002, length) + name + struct.pack(">iBhiB", number, 8, 0, a + b, 0)
    return Response(200, [KIND, ("x-mark", request.header("x-mark") or "")], reply)


ROUTES = {
    "/sums": add,
    "/down": lambda _: as_text("down", 503),
}
