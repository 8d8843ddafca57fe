"""client_hello.py: what a context makes is understood, and nothing else."""

import random
import ssl

import pytest

from hyperlite.net.client_hello import client_hello, parse


def made(context: ssl.SSLContext) -> bytes:
    outgoing = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


@pytest.fixture
def context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@pytest.fixture
def hello(context: ssl.SSLContext) -> bytes:
    context.set_alpn_protocols(["h2", "http/1.1"])
    return made(context)


@pytest.mark.parametrize("offer", [None, ["h2"], ["http/1.1"], ["a" * 255] * 100])
def test_alpn(context: ssl.SSLContext, offer: list[str] | None) -> None:
    """The last is longer than a TLS record."""
    if offer is not None:
        context.set_alpn_protocols(offer)
    found = client_hello(context, "localhost")
    assert found is not None
    assert found.protocols == (None if offer is None else tuple(offer))
    assert not found.has_psk


@pytest.mark.parametrize(("curve", "number"), [("prime256v1", 23), ("secp521r1", 25)])
def test_a_curve(context: ssl.SSLContext, curve: str, number: int) -> None:
    context.set_ecdh_curve(curve)
    found = client_hello(context, "localhost")
    assert found is not None
    assert found.groups == (number,)


def test_a_message_in_several_records(hello: bytes) -> None:
    records = b"".join(
        b"\x16\x03\x01" + len(hello[at : at + 7]).to_bytes(2) + hello[at : at + 7]
        for at in range(5, len(hello), 7)
    )
    assert parse(records) == parse(hello) is not None


def test_a_context_that_makes_none() -> None:
    assert client_hello(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "localhost") is None


def test_a_host_that_is_none(context: ssl.SSLContext) -> None:
    assert client_hello(context, "") is None


def test_what_is_cut_off_is_none(hello: bytes) -> None:
    assert all(parse(hello[:size]) is None for size in range(len(hello)))


def test_what_is_none(hello: bytes) -> None:
    for broken in (
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x15" + hello[1:],
        hello[:5] + b"\2" + hello[6:],
    ):
        assert parse(broken) is None


def test_anything_is_an_answer_or_none(hello: bytes) -> None:
    """Never an error, nor a loop."""
    chance = random.Random(7)
    for _ in range(3000):
        broken = bytearray(hello)
        for _ in range(chance.randrange(1, 4)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        found = parse(bytes(broken))
        assert found is None or isinstance(found.groups, tuple)
