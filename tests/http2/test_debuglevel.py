"""`set_debuglevel()` of a connection that is open: frames are printed as they pass."""

import pytest

import hyperlite
from hyperlite.testing.hostile.frames import FrameFactory
from tests.peer import Peer

FRAMES = FrameFactory()


@pytest.mark.parametrize("size", [100, 40_000], ids=["small", "large"])
def test_it_begins_in_the_middle_of_a_frame(
    peer: Peer, conn: hyperlite.HTTP20Connection, capsys: pytest.CaptureFixture[str], size: int
) -> None:
    stream_id = conn.request("GET", "/")
    wire = peer.accept()
    wire.greet()
    wire.send_headers(1)
    frames = FRAMES.data(1, b"first") + FRAMES.data(1, b"x" * size, end_stream=True)
    wire.send_raw(frames[: -size // 2])
    response = conn.getresponse(stream_id)
    first = response.read1()
    conn.set_debuglevel(1)
    wire.send_raw(frames[-size // 2 :])
    assert first + response.read() == b"first" + b"x" * size
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("frame in:")]
    assert [(kind, number, flag) for _, _, kind, _, number, _, _, flag in lines] == [
        ("DATA", "1", "END_STREAM")
    ]
