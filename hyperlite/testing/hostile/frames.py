"""The bytes of HTTP/2 frames: made, valid or not, and cut out of what a client sends."""

import struct
from collections.abc import Iterable, Mapping

import hpack
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
ACK = END_STREAM = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITY = 0x20

Text = str | bytes
Fields = Iterable[tuple[Text, Text]]

OK: Fields = ((":status", "200"),)

_SETTINGS = {
    "header_table_size": SettingsFrame.HEADER_TABLE_SIZE,
    "enable_push": SettingsFrame.ENABLE_PUSH,
    "max_concurrent_streams": SettingsFrame.MAX_CONCURRENT_STREAMS,
    "initial_window_size": SettingsFrame.INITIAL_WINDOW_SIZE,
    "max_frame_size": SettingsFrame.MAX_FRAME_SIZE,
    "max_header_list_size": SettingsFrame.MAX_HEADER_LIST_SIZE,
}


def _octets(text: Text) -> bytes:
    return text.encode("latin-1") if isinstance(text, str) else text


def fields_of(frame: HeadersFrame) -> list[tuple[str, str]]:
    """Return the fields of a header block that a `FrameReader` has read."""
    fields: list[tuple[str, str]] = frame.fields  # type: ignore[attr-defined]
    return fields


class FrameFactory:
    """Makes the bytes of frames, valid or not, with one HPACK encoder for all header blocks."""

    def __init__(self) -> None:
        self.encoder: hpack.Encoder = hpack.Encoder()

    def raw(self, kind: int, flags: int = 0, stream_id: int = 0, payload: bytes = b"") -> bytes:
        """Return any frame: `stream_id` is written as it is, reserved bit included."""
        length = len(payload)
        return struct.pack(">HBBBL", length >> 8, length & 0xFF, kind, flags, stream_id) + payload

    def block(self, fields: Fields, *, huffman: bool = True) -> bytes:
        """Return a header block, as the client's decoder must see it next."""
        return self.encoder.encode([(_octets(name), _octets(value)) for name, value in fields], huffman)

    def headers(
        self,
        stream_id: int,
        fields: Fields = OK,
        *,
        end_stream: bool = False,
        end_headers: bool = True,
        padding: int | None = None,
        priority: bytes = b"",
        split: int = 0,
    ) -> bytes:
        """Return a header block in frames.

        Args:
            end_headers: False leaves the block open, for `continuation` or for nothing.
            padding: bytes of padding, not counting the byte that says how many; None: not padded.
            priority: the five bytes of a priority, if there is to be one.
            split: bytes of each frame but the last; the others are CONTINUATION. 0: one frame.
        """
        block = self.block(fields)
        pieces = [block[at : at + split] for at in range(0, len(block), split)] if split else [block]
        flags = (END_STREAM if end_stream else 0) | (PRIORITY if priority else 0)
        last = END_HEADERS if end_headers else 0
        payload = priority + pieces[0]
        if padding is not None:
            flags |= PADDED
            payload = bytes([padding]) + payload + bytes(padding)
        frames = [self.raw(HeadersFrame.type, flags | (0 if pieces[1:] else last), stream_id, payload)]
        frames += [self.raw(ContinuationFrame.type, 0, stream_id, piece) for piece in pieces[1:-1]]
        if pieces[1:]:
            frames.append(self.raw(ContinuationFrame.type, last, stream_id, pieces[-1]))
        return b"".join(frames)

    def continuation(self, stream_id: int, fragment: bytes, *, end_headers: bool = True) -> bytes:
        """Return a CONTINUATION of a header block that was left open."""
        return self.raw(ContinuationFrame.type, END_HEADERS if end_headers else 0, stream_id, fragment)

    def data(
        self, stream_id: int, data: bytes = b"", *, end_stream: bool = False, padding: int | None = None
    ) -> bytes:
        """Return a DATA frame; `padding` does not count the byte that says how much of it there is."""
        flags = END_STREAM if end_stream else 0
        if padding is not None:
            flags |= PADDED
            data = bytes([padding]) + data + bytes(padding)
        return self.raw(DataFrame.type, flags, stream_id, data)

    def settings(self, settings: Mapping[int, int] | Iterable[tuple[int, int]] = (), **named: int) -> bytes:
        """Return SETTINGS: by number, or as pairs (which may repeat), or by lower-case name."""
        pairs = list(settings.items() if isinstance(settings, Mapping) else settings)
        pairs += [(_SETTINGS[name], value) for name, value in named.items()]
        return self.raw(SettingsFrame.type, payload=b"".join(struct.pack(">HL", *pair) for pair in pairs))

    def settings_ack(self) -> bytes:
        """Return the acknowledgement of SETTINGS."""
        return self.raw(SettingsFrame.type, ACK)

    def rst(self, stream_id: int, code: int = 0) -> bytes:
        """Return RST_STREAM."""
        return self.raw(RstStreamFrame.type, 0, stream_id, struct.pack(">L", code))

    def goaway(self, last_stream_id: int, code: int = 0, debug: bytes = b"") -> bytes:
        """Return GOAWAY."""
        return self.raw(GoAwayFrame.type, payload=struct.pack(">LL", last_stream_id, code) + debug)

    def ping(self, payload: bytes = b"peerping", *, ack: bool = False) -> bytes:
        """Return PING."""
        return self.raw(PingFrame.type, ACK if ack else 0, payload=payload)

    def window_update(self, stream_id: int, increment: int) -> bytes:
        """Return WINDOW_UPDATE."""
        return self.raw(WindowUpdateFrame.type, 0, stream_id, struct.pack(">L", increment))

    def push_promise(self, stream_id: int, promised_id: int, fields: Fields) -> bytes:
        """Return PUSH_PROMISE."""
        payload = struct.pack(">L", promised_id) + self.block(fields)
        return self.raw(PushPromiseFrame.type, END_HEADERS, stream_id, payload)


class FrameReader:
    """Makes hyperframe's frames of what a client sent.

    A HEADERS frame is returned when its block is complete, with its decoded `fields`, a list of
    (name, value) in str (Latin-1); the CONTINUATION frames behind it are swallowed.
    """

    def __init__(self) -> None:
        self.decoder: hpack.Decoder = hpack.Decoder()
        self._input = bytearray()
        self._greeted = False
        self._open: HeadersFrame | None = None

    def feed(self, data: bytes) -> None:
        """Take what came."""
        self._input += data

    @property
    def midway(self) -> bool:
        """Whether the bytes so far end in the middle of something."""
        return bool(self._input) or self._open is not None

    def next(self) -> Frame | None:
        """Return the next frame, or None if it has not arrived whole."""
        if not self._greeted:
            start = bytes(self._input[: len(PREFACE)])
            assert PREFACE.startswith(start), f"the client began with {start!r}"
            if start != PREFACE:
                return None
            del self._input[: len(PREFACE)]
            self._greeted = True
        while (frame := self._cut()) is not None:
            if isinstance(frame, HeadersFrame):
                self._open = frame
            elif isinstance(frame, ContinuationFrame):
                assert self._open is not None, f"{frame!r} continues nothing"
                assert frame.stream_id == self._open.stream_id
                self._open.data += frame.data
            else:
                assert self._open is None, f"{frame!r} in the middle of a header block"
                return frame
            if "END_HEADERS" in frame.flags:
                whole, self._open = self._open, None
                decoded = self.decoder.decode(bytes(whole.data), raw=True)
                whole.fields = [  # type: ignore[attr-defined]
                    (name.decode("latin-1"), value.decode("latin-1")) for name, value in decoded
                ]
                return whole
        return None

    def _cut(self) -> Frame | None:
        if len(self._input) < 9:
            return None
        frame, length = Frame.parse_frame_header(memoryview(bytes(self._input[:9])))
        if len(self._input) < 9 + length:
            return None
        frame.parse_body(memoryview(bytes(self._input[9 : 9 + length])))
        frame.body_len = length
        del self._input[: 9 + length]
        return frame
