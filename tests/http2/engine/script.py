"""What the scripts of these tests have in common: requests, pieces of frames, and what came of them."""

import struct
from collections.abc import Callable

from hyperlite.http2.engine.events import (
    ConnectionFailed,
    DataReceived,
    Event,
    ResponseReceived,
)
from hyperlite.testing.hostile.frames import FrameFactory
from tests.peer import EnginePeer

from .conftest import request

GET = request("GET")
POST = request("POST")
LARGEST = 2**31 - 1
ALTSVC, ORIGIN, UNKNOWN = 0xA, 0xC, 0xEE


def failure(events: list[Event]) -> ConnectionFailed:
    """Return the failure of the connection, which must be the last event and the only one of its kind."""
    assert isinstance(events[-1], ConnectionFailed), events
    assert sum(isinstance(event, ConnectionFailed) for event in events) == 1
    return events[-1]


def of(kind: type, events: list[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, kind)]


def goes_on(peer: EnginePeer) -> bool:
    """Tell whether a new request is answered: the connection is whole, and its HPACK state too."""
    wire_id = peer.engine.open(GET, end_stream=True)
    events = peer.answer(wire_id, b"alive", fields=[("x-alive", "yes"), ("content-length", "5")])
    return events == [
        ResponseReceived(
            wire_id, 200, [(b":status", b"200"), (b"x-alive", b"yes"), (b"content-length", b"5")], 5, False
        ),
        DataReceived(wire_id, b"alive", True),
    ]


def pack_settings(identifier: int, value: int) -> bytes:
    return struct.pack(">HL", identifier, value)


# What is wrong with one stream alone: the frames that come on it, of which the last shows it.
Build = Callable[[FrameFactory, int], bytes]


def data(body: bytes = b"", *, end_stream: bool = False) -> Build:
    return lambda frames, wire_id: frames.data(wire_id, body, end_stream=end_stream)
