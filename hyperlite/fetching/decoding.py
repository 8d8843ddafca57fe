"""Content codings (RFC 9110 section 8.4.1), decoded piece by piece in bounded memory.

Rule: no call returns more bytes than were asked for.  300 KB can become 300 MB, and a chain of codings
multiplies that.  So each layer decodes one piece, and keeps the rest packed.  A body that ends before its
coding does is an error, not a short body.
"""

import functools
import importlib
import sys
import zlib
from collections.abc import Callable
from typing import Any, Protocol

from ..errors import DecodingError

# urllib3: 5 (CVE-2025-66418); curl: 5 (CVE-2022-32206). No honest server uses more than two.
MAX_CODINGS = 5
# Packed bytes to take from the source at a time.
PIECE = 16384
# Packed bytes in a row that decode to nothing: empty members, a file name without end, padding. Each read
# receives some, so no timeout ends this. The largest block that a coding must take whole is zstd's, of 128
# KiB.
MAX_BARREN = 1 << 20
# RFC 9659: a zstd window of 8 MiB is the most that a recipient must take.
ZSTD_WINDOW_LOG = 23

Read = Callable[[int], bytes]


class Codec(Protocol):
    """Decodes one coding."""

    @property
    def finished(self) -> bool:
        """Whether the data may end here."""
        ...

    def decode(self, data: bytes, limit: int) -> tuple[bytes, bytes]:
        """Decode packed bytes; return at most `limit` decoded bytes, and the packed bytes that are left."""
        ...


class _Zlib:
    """gzip (RFC 1952), whose members may follow each other, and deflate, with zlib's header or without."""

    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._inflater: Any = None
        self._members = 0
        self._over = False  # what comes now is padding, as some servers send it

    @property
    def finished(self) -> bool:
        return self._members > 0 and self._inflater is None

    def decode(self, data: bytes, limit: int) -> tuple[bytes, bytes]:
        if self._inflater is None:
            if not data:
                return b"", b""
            if self._members and not (self._gzip and data.startswith(b"\x1f")):
                self._over = True
            if self._over:
                return b"", b""
            if self._gzip:
                self._inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
            elif len(data) < 2:
                return b"", data
            else:
                bits = zlib.MAX_WBITS if _has_zlib_header(data) else -zlib.MAX_WBITS
                self._inflater = zlib.decompressobj(bits)
        inflater = self._inflater
        unpacked: bytes = inflater.decompress(data, limit)
        if not inflater.eof:
            return unpacked, inflater.unconsumed_tail
        self._inflater = None
        self._members += 1
        return unpacked, inflater.unused_data


def _has_zlib_header(data: bytes) -> bool:
    return data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0


class _Brotli:
    """br (RFC 7932), by the package Brotli, from version 1.2 on, which takes a limit of output."""

    def __init__(self) -> None:
        self._decoder = _brotli().Decompressor()

    @property
    def finished(self) -> bool:
        return bool(self._decoder.is_finished())

    def decode(self, data: bytes, limit: int) -> tuple[bytes, bytes]:
        if self._decoder.is_finished():
            if data:  # the package itself raises if they come in one piece with the end
                raise ValueError("bytes follow its end")
            return b"", b""
        if data and not self._decoder.can_accept_more_data():
            return self._decoder.process(b"", output_buffer_limit=limit), data
        return self._decoder.process(data, output_buffer_limit=limit), b""


class _Zstd:
    """zstd (RFC 8878), whose frames may follow each other; by Python 3.14, or the package backports.zstd."""

    def __init__(self) -> None:
        self._zstd = _zstd()
        self._decoder: Any = None
        self._frames = 0

    @property
    def finished(self) -> bool:
        return self._frames > 0 and self._decoder is None

    def decode(self, data: bytes, limit: int) -> tuple[bytes, bytes]:
        if self._decoder is None:
            if not data:
                return b"", b""
            options = {self._zstd.DecompressionParameter.window_log_max: ZSTD_WINDOW_LOG}
            self._decoder = self._zstd.ZstdDecompressor(options=options)
        decoder = self._decoder
        if data and not decoder.needs_input:
            return decoder.decompress(b"", limit), data
        unpacked: bytes = decoder.decompress(data, limit)
        if not decoder.eof:
            return unpacked, b""
        self._decoder = None
        self._frames += 1
        return unpacked, decoder.unused_data


@functools.cache
def _brotli() -> Any:
    found = _import("brotli")
    return found if found and hasattr(found.Decompressor, "can_accept_more_data") else None


@functools.cache
def _zstd() -> Any:
    return _import("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _codec(name: str) -> Codec | None:
    """Return a decoder for a coding; None if there is none."""
    if name in {"gzip", "x-gzip"}:
        return _Zlib(gzip=True)
    if name == "deflate":
        return _Zlib(gzip=False)
    if name == "br" and _brotli():
        return _Brotli()
    if name == "zstd" and _zstd():
        return _Zstd()
    return None


@functools.cache
def accept_encoding() -> str:
    """Return the value of Accept-Encoding: the codings that can be decoded here."""
    extras = [name for name, found in (("br", _brotli()), ("zstd", _zstd())) if found]
    return ", ".join(["gzip", "deflate", *extras])


def decoder(content_encoding: str, source: Read) -> Read | None:
    """Return a function that reads and decodes the body that `source` gives; None if there is no decoding.

    None means that the body has no coding, or an unknown one: the caller sees Content-Encoding.

    Args:
        content_encoding: the field's value; several codings are separated by commas.
        source: reads at most so many bytes; b"" at the end.

    Returns:
        A function that reads at most so many bytes, b"" at the end, and raises DecodingError.

    Raises:
        DecodingError: there are more than five codings.
    """
    names = [name.strip().lower() for name in content_encoding.split(",")]
    names = [name for name in names if name not in {"", "identity"}]
    if len(names) > MAX_CODINGS:
        raise DecodingError(f"{len(names)} content codings; at most {MAX_CODINGS} are decoded")
    codecs = [_codec(name) for name in names]
    if not codecs or None in codecs:
        return None
    read = source
    for name, codec in zip(reversed(names), reversed(codecs), strict=True):
        assert codec is not None
        read = _Layer(name, codec, read).read
    return read


class _Layer:
    """One coding, between its source and the reader."""

    def __init__(self, name: str, codec: Codec, source: Read) -> None:
        self._name = name
        self._codec = codec
        self._source = source
        self._packed = b""
        self._surplus = b""  # brotli may return a little more than was asked for
        self._barren = 0  # packed bytes since the last decoded ones
        self._started = False
        self._ended = False

    def read(self, limit: int) -> bytes:
        """Return at most `limit` bytes; at least one, except at the end."""
        if limit <= 0:
            return b""
        if self._surplus:
            unpacked, self._surplus = self._surplus[:limit], self._surplus[limit:]
            return unpacked
        hungry = False  # the last call decoded nothing and left no packed bytes
        while True:
            if (hungry or not self._started) and not self._ended and not self._fill():
                continue
            if self._ended and not self._started:
                return b""  # an empty body needs no decoding: HEAD, 304, some servers' 204
            before = len(self._packed)
            try:
                unpacked, self._packed = self._codec.decode(self._packed, limit)
            except Exception as error:  # each library has a class of its own
                raise DecodingError(f"the body is not valid in its coding {self._name}: {error}") from error
            if unpacked:
                self._barren = 0
                self._surplus = unpacked[limit:]
                return unpacked[:limit]
            if self._ended and len(self._packed) == before:
                if self._codec.finished:
                    return b""
                raise DecodingError(f"the body ends before its coding {self._name} does")
            hungry = not self._packed or len(self._packed) == before

    def _fill(self) -> bool:
        """Take a piece from the source; false at its end."""
        if self._barren > MAX_BARREN:
            raise DecodingError(f"{self._barren} bytes of the coding {self._name} decoded to nothing")
        data = self._source(PIECE)
        if not data:
            self._ended = True
            return False
        self._started = True
        self._packed += data
        self._barren += len(data)
        return True
