"""Content codings, and what is not what it says."""

import functools
import gzip
import importlib.util
import itertools
import resource
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from hyperlite import BodyTooLarge, ConnectionPool, DecodingError
from hyperlite.fetching import decoding
from hyperlite.net.heap import keep_heap
from hyperlite.testing.server import Response, Server
from tests.conftest import MakePool, Serve

TEXT = bytes(range(256)) * 1000


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def _source(data: bytes) -> Callable[[int], bytes]:
    view = memoryview(data)
    taken = 0

    def read(size: int) -> bytes:
        nonlocal taken
        piece = bytes(view[taken : taken + size])
        taken += len(piece)
        return piece

    return read


def unpack(coding: str, data: bytes, size: int = 65536) -> bytes:
    read = decoding.decoder(coding, _source(data))
    assert read is not None
    whole = b""
    while piece := read(size):
        assert len(piece) <= size
        whole += piece
    return whole


PACKED = {
    "gzip": gzip.compress(TEXT),
    "x-gzip": gzip.compress(TEXT),
    "GZip": gzip.compress(TEXT),
    "deflate": zlib.compress(TEXT),
    " deflate": raw_deflate(TEXT),
    "gzip, deflate": zlib.compress(gzip.compress(TEXT)),
    "identity, gzip": gzip.compress(TEXT),
    "gzip,gzip,gzip,gzip,gzip": gzip.compress(
        gzip.compress(gzip.compress(gzip.compress(gzip.compress(TEXT))))
    ),
}
if importlib.util.find_spec("brotli"):
    import brotli

    PACKED["br"] = brotli.compress(TEXT)
    PACKED["br, gzip"] = gzip.compress(brotli.compress(TEXT))
if decoding._zstd():
    PACKED["zstd"] = decoding._zstd().compress(TEXT)
    PACKED[" zstd"] = decoding._zstd().compress(TEXT[:1000]) + decoding._zstd().compress(TEXT[1000:])


@pytest.mark.parametrize("coding", PACKED)
@pytest.mark.parametrize("size", [1000, 65536])
def test_whole(coding: str, size: int):
    assert unpack(coding, PACKED[coding], size) == TEXT


@pytest.mark.parametrize("coding", PACKED)
def test_truncated(coding: str):
    packed = PACKED[coding]
    for cut in (1, len(packed) // 2, len(packed) - 1):
        with pytest.raises(DecodingError):
            unpack(coding, packed[:cut])


@pytest.mark.parametrize("coding", PACKED)
def test_garbage(coding: str):
    with pytest.raises(DecodingError):
        unpack(coding, b"this was never packed" * 100)


@pytest.mark.parametrize("coding", PACKED)
def test_nothing_at_all_is_nothing(coding: str):
    assert unpack(coding, b"") == b""


def test_members_of_gzip_follow_each_other_and_padding_is_skipped():
    packed = gzip.compress(b"one") + gzip.compress(b"two")
    assert unpack("gzip", packed) == b"onetwo"
    assert unpack("gzip", packed + bytes(100_000)) == b"onetwo"
    assert unpack("gzip", gzip.compress(TEXT * 10) * 3) == TEXT * 30
    assert unpack("gzip", gzip.compress(b"") * 10_000) == b""
    with pytest.raises(DecodingError):
        unpack("gzip", packed + gzip.compress(b"three")[:-1])


def test_bytes_behind_brotli_are_an_error_wherever_its_pieces_begin():
    packed = PACKED["br"] + b"\0\0"
    for size in (1, 2, len(PACKED["br"]), len(packed)):
        source = _source(packed)
        read = decoding.decoder("br", lambda _, size=size, source=source: source(size))
        assert read is not None
        with pytest.raises(DecodingError):
            while read(65536):
                pass


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        pytest.param(b"", gzip.compress(b""), id="empty members"),
        pytest.param(gzip.compress(b"")[:10], b"\0\0\0\xff\xff", id="empty blocks"),
        pytest.param(b"\x1f\x8b\x08\x08" + bytes(6), b"a", id="a file name"),
        pytest.param(gzip.compress(b""), bytes(1), id="padding"),
    ],
)
def test_what_comes_to_nothing_for_ever_is_an_error(start: bytes, piece: bytes):
    pieces = itertools.chain([start], itertools.repeat(piece * (16384 // len(piece))))
    read = decoding.decoder("gzip", lambda _: next(pieces) or next(pieces))
    with pytest.raises(DecodingError, match="decoded to nothing"):
        read(65536)


def test_a_corrupt_checksum_is_noticed():
    packed = bytearray(gzip.compress(TEXT))
    packed[-8] ^= 1
    with pytest.raises(DecodingError):
        unpack("gzip", bytes(packed))


@pytest.mark.parametrize("count", [6, 100])
def test_too_many_codings(count: int):
    with pytest.raises(DecodingError, match="codings"):
        decoding.decoder(", ".join(["gzip"] * count), _source(b""))


@pytest.mark.parametrize("coding", ["identity", "", "compress", "gzip, unheard-of"])
def test_what_is_left_as_it_is(coding: str):
    assert decoding.decoder(coding, _source(b"")) is None


# -- by fetch() -----------------------------------------------------------------------------------


@functools.cache
def bomb() -> bytes:
    """Return 300 MB in 300 KB; packing them takes a second."""
    return gzip.compress(bytes(300_000_000), 9)


@pytest.fixture(params=["h2", "http/1.1"])
def packed(request: pytest.FixtureRequest, serve: Serve) -> Server:
    def give(coding: str, body: bytes):
        return lambda _: Response(headers=[("content-encoding", coding)], body=body)

    return serve(
        alpn=(request.param,),
        routes={
            "/gzip": give("gzip", PACKED["gzip"]),
            "/gzip-bomb-300mb": give("gzip", bomb()),
            "/bomb-in-bomb": give("gzip, gzip", gzip.compress(bomb())),
            "/gzip-layers-100": give(", ".join(["gzip"] * 100), gzip.compress(b"x")),
            "/gzip-truncated": give("gzip", PACKED["gzip"][:-5]),
            "/gzip-garbage": give("gzip", b"this was never packed"),
            "/unknown": give("unheard-of", b"as it is"),
        },
    )


def test_fetch_unpacks(pool: ConnectionPool, packed: Server):
    assert pool.fetch(packed.url("/gzip")).body == TEXT
    assert pool.fetch(packed.url("/gzip"), decode=False).body == PACKED["gzip"]
    assert pool.fetch(packed.url("/unknown")).body == b"as it is"


def test_a_head_says_how_it_would_be_packed(pool: ConnectionPool, packed: Server):
    assert pool.fetch(packed.url("/gzip"), "HEAD").body == b""


@pytest.mark.parametrize("case", ["gzip-layers-100", "gzip-truncated", "gzip-garbage"])
def test_what_is_wrong_is_an_error(pool: ConnectionPool, packed: Server, case: str):
    for _ in range(2):
        with pytest.raises(DecodingError):
            pool.fetch(packed.url(f"/{case}"))
        with pytest.raises(DecodingError), pool.fetch(packed.url(f"/{case}"), stream=True) as response:
            while response.read(1000):
                pass
    [outcome] = pool.fetch_many([packed.url(f"/{case}")])
    assert isinstance(outcome.error, DecodingError)
    assert pool.fetch(packed.url("/gzip")).body == TEXT


@pytest.mark.parametrize("case", ["gzip-bomb-300mb", "bomb-in-bomb"])
def test_a_bomb_does_not_go_off(make_pool: MakePool, packed: Server, case: str):
    pool = make_pool(max_body=1 << 20)
    keep_heap()  # its block, of which no page is touched, is not what is measured
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLarge, match="max_body"):
            pool.fetch(packed.url(f"/{case}"))
        [outcome] = pool.fetch_many([packed.url(f"/{case}")])
        assert isinstance(outcome.error, BodyTooLarge)
        with pool.fetch(packed.url(f"/{case}"), stream=True) as response:
            for _ in range(50):
                assert 0 < len(response.read(65536)) <= 65536
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20


def test_a_bomb_can_be_read_in_pieces(pool: ConnectionPool, packed: Server):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pool.fetch(packed.url("/gzip-bomb-300mb"), stream=True) as response:
        assert sum(map(len, response)) == 300_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def test_by_default_a_body_may_have_64_mib(pool: ConnectionPool, packed: Server):
    with pytest.raises(BodyTooLarge):
        pool.fetch(packed.url("/gzip-bomb-300mb"))
    assert len(pool.fetch(packed.url("/gzip-bomb-300mb"), max_body=1 << 30).body) == 300_000_000
