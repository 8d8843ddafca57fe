"""A body that is not complete is never taken for one, however it is read."""

import http.client
from collections.abc import Callable

import pytest

import hyperlite
from hyperlite.testing.certificates import certificates
from hyperlite.testing.hostile.case import Case, Script, pattern
from hyperlite.testing.hostile.cases_http1 import CHUNKED
from hyperlite.testing.hostile.cases_tls import fin_without_close_notify
from hyperlite.testing.hostile.line import Line, Stage
from tests.http2.engine.conftest import ENGINES

SENT = 50_000

Style = Callable[[http.client.HTTPResponse], bytes]


def read(response: http.client.HTTPResponse) -> bytes:
    return response.read()


def by_pieces(response: http.client.HTTPResponse) -> bytes:
    return b"".join(iter(lambda: response.read(777), b""))


def by_large_pieces(response: http.client.HTTPResponse) -> bytes:
    return b"".join(iter(lambda: response.read(1 << 20), b""))


def exactly(response: http.client.HTTPResponse) -> bytes:
    """Ask for all that was announced, at once."""
    return response.read(2 * SENT)


def read1(response: http.client.HTTPResponse) -> bytes:
    return b"".join(iter(lambda: response.read1(777), b""))


def read1_all(response: http.client.HTTPResponse) -> bytes:
    return b"".join(iter(response.read1, b""))


def readinto(response: http.client.HTTPResponse) -> bytes:
    body, buffer = bytearray(), bytearray(777)
    while size := response.readinto(buffer):
        body += buffer[:size]
    return bytes(body)


def lines(response: http.client.HTTPResponse) -> bytes:
    return b"".join(response)


def readlines(response: http.client.HTTPResponse) -> bytes:
    return b"".join(response.readlines())


def peeking(response: http.client.HTTPResponse) -> bytes:
    body = bytearray()
    while ahead := response.peek(777):
        body += response.read(len(ahead))
    return bytes(body)


STYLES = [read, by_pieces, by_large_pieces, exactly, read1, read1_all, readinto, lines, readlines, peeking]


def truncated_h2(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id, [(":status", "200"), ("content-length", str(2 * SENT))])
    line.send_body(stream_id, pattern(SENT), end_stream=False)
    line.hang_up()


def endless_h2(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id)
    line.send_body(stream_id, pattern(SENT), end_stream=False)
    line.hang_up()


def whole_length_h2(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id, [(":status", "200"), ("content-length", str(SENT))])
    line.send_body(stream_id, pattern(SENT), end_stream=False)
    line.hang_up()


def reset_h2(line: Line) -> None:
    stream_id = line.open()
    line.send_headers(stream_id, [(":status", "200"), ("content-length", str(2 * SENT))])
    line.send_body(stream_id, pattern(SENT), end_stream=False)
    line.rst(stream_id, 2)


def fixed_length(line: Line) -> None:
    line.read_head()
    line.send_raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (2 * SENT, pattern(SENT)))
    line.close_tls()


def chunked(line: Line) -> None:
    line.read_head()
    line.send_raw(CHUNKED + b"%x\r\n%b" % (2 * SENT, pattern(SENT)))
    line.close_tls()


def between_chunks(line: Line) -> None:
    line.read_head()
    line.send_raw(CHUNKED + b"%x\r\n%b\r\n" % (SENT, pattern(SENT)))
    line.close_tls()


def no_close_notify(line: Line) -> None:
    line.read_head()
    line.send_raw(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + pattern(SENT))
    fin_without_close_notify(line)


HTTP2 = [truncated_h2, endless_h2, whole_length_h2, reset_h2]
HTTP1 = [fixed_length, chunked, between_chunks, no_close_notify]


def combinations() -> list[object]:
    made = []
    for script in HTTP2 + HTTP1:
        for style in STYLES:
            for engine in ENGINES if script in HTTP2 else ENGINES[:1]:
                name = f"{script.__name__}-{style.__name__}-{engine}"
                made.append(pytest.param(script, style, engine, id=name))
    return made


def fetch(script: Script, style: Style) -> bytes:
    protocol = "h2" if script in HTTP2 else "http/1.1"
    stage = Stage(Case("truth", "truth", "error", "RFC 9112 8", script, protocol=protocol), tls=True)
    try:
        context = certificates().client_context()
        with (
            hyperlite.HTTP20Connection("127.0.0.1", stage.port, context=context, timeout=5) as conn,
            conn.getresponse(conn.request("GET", "/")) as response,
        ):
            return style(response)
    finally:
        stage.close()


@pytest.mark.parametrize(("script", "style", "engine"), combinations())
def test_a_truncated_body_is_an_error(
    script: Script, style: Style, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYPERLITE_ENGINE", engine)
    with pytest.raises((http.client.HTTPException, OSError)) as caught:
        fetch(script, style)
    assert not isinstance(caught.value, TimeoutError)
    if script in (fixed_length, chunked, between_chunks):
        assert isinstance(caught.value, http.client.IncompleteRead)


@pytest.mark.parametrize("style", STYLES)
def test_a_body_that_ends_with_close_notify_is_whole(style: Style) -> None:
    def script(line: Line) -> None:
        line.read_head()
        line.send_raw(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + pattern(SENT))
        line.close_tls()

    assert fetch(script, style) == pattern(SENT)


def test_the_partial_body_is_in_the_exception() -> None:
    for script in (truncated_h2, fixed_length):
        with pytest.raises(http.client.IncompleteRead) as caught:
            fetch(script, read)
        assert caught.value.partial == pattern(SENT)
        assert caught.value.expected == SENT
