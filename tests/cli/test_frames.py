"""`--frames`: what it shows of each frame."""

import re

import pytest

import hyperlite
from hyperlite.cli.frames import FrameLines
from hyperlite.testing import Response
from tests.conftest import Serve

from .watching import Page, pool_of

LINE = re.compile(
    r" +(?P<ms>[0-9]+\.[0-9]) +(?P<conn>[0-9]+) (?P<way>[<>]) "
    r"(?P<kind>\S+) +(?P<stream>[0-9]+) +(?P<length>[0-9]+)(  (?P<said>.*))?"
)


def frames(page: Page) -> list[dict[str, str]]:
    """Return what the lines say that are about a frame, once each line was recognized."""
    lines = [LINE.fullmatch(line) for line in page.lines if not re.match(r" {16}[<>] |  +ms conn", line)]
    assert None not in lines, page.text
    return [line.groupdict() for line in lines if line is not None]


def test_each_frame(serve: Serve) -> None:
    server, page = serve(routes=lambda _: Response(body=b"x" * 700), record=True), Page()
    with pool_of(server, [FrameLines(page.write)], headers={"Cookie": "a=s3cret"}) as pool:
        for number in range(3):
            pool.fetch(server.url(f"/{number}?token=s3cret"))
    shown = frames(page)
    assert [float(one["ms"]) for one in shown] == sorted(float(one["ms"]) for one in shown)
    assert page.text.count("ms conn") == 1
    told = [(frame.type, frame.stream_id, frame.length, frame.sent) for frame in server.frames]
    for sent, way in ((True, "<"), (False, ">")):  # each direction has the frames that the server has seen
        theirs = [one[:3] for one in told if one[3] is sent]
        ours = [
            (one["kind"], int(one["stream"]), int(one["length"]))
            for one in shown
            if one["way"] == way and one["kind"] != "preface"
        ]
        assert ours[: len(theirs)] == theirs[: len(ours)]
        assert len(theirs) > 3
    assert f"{'':16}> :path: /0?token=…" in page.lines
    assert f"{'':16}> cookie: …" in page.lines
    assert f"{'':16}> ENABLE_PUSH=0" in page.lines
    assert f"{'':16}< :status: 200" in page.lines
    assert "s3cret" not in page.text
    assert [one["said"] for one in shown if one["kind"] == "DATA"][-1].startswith("END_STREAM")


def test_secrets(serve: Serve) -> None:
    server, page = serve(routes=lambda _: Response()), Page()
    with pool_of(server, [FrameLines(page.write, secrets=True)], headers={"Cookie": "a=s3cret"}) as pool:
        pool.fetch(server.url("/"))
    assert f"{'':16}> cookie: a=s3cret" in page.lines


def test_what_other_frames_say(serve: Serve) -> None:
    server, page = serve(routes=lambda _: Response()), Page()
    server.faults.reset("/", error_code=2)
    with pool_of(server, [FrameLines(page.write)]) as pool, pytest.raises(hyperlite.FetchError):
        pool.fetch(server.url("/"))
    [reset] = [one for one in frames(page) if one["kind"] == "RST_STREAM"]
    assert (reset["way"], reset["stream"], reset["said"]) == ("<", "1", "INTERNAL_ERROR")


def test_http1_has_no_frames(serve: Serve) -> None:
    server, page = serve(routes=lambda _: Response(), alpn=("http/1.1",)), Page()
    with pool_of(server, [FrameLines(page.write)]) as pool:
        pool.fetch(server.url("/"))
    [line] = page.lines
    assert line.endswith("speaks HTTP/1.1, which has no frames")


def test_nothing_steers_the_terminal() -> None:
    page = Page()
    lines = FrameLines(page.write, clock=lambda: 0.0)
    connection = hyperlite.observing.ConnectionInfo(
        1, "a", 1, None, None, "h2", None, None, 0.0, None, 0.0, None
    )
    lines.frame(
        connection, hyperlite.observing.Frame(False, "GOAWAY", 0, 8, detail="last stream 0, \x1b[2J\x9b")
    )
    lines.frame(connection, hyperlite.observing.Frame(False, "HEADERS", 1, 8, fields=(("x", "\r\x1b]0;"),)))
    assert "\x1b" not in page.text
    assert "\r" not in page.text
    assert "\x9b" not in page.text
    assert "\\x1b[2J" in page.text
