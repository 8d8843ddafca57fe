"""spelling.py: names in lower case, as servers of HTTP/1.1 write them."""

import pytest

from hyperlite.messages import spelling
from hyperlite.messages.fields import REMEMBERED, REMEMBERED_LENGTH, is_field_name
from hyperlite.messages.spelling import spelled_message, spellings


@pytest.mark.parametrize(
    "name",
    [
        *("Content-Type", "Content-Length", "Set-Cookie", "Date", "Server", "Age", "Vary", "Location"),
        *("ETag", "WWW-Authenticate", "Content-MD5", "TE", "DAV", "P3P", "NEL", "DASL", "IM", "A-IM", "SLUG"),
        *("Accept-CH", "ALPN", "CDN-Cache-Control", "Expect-CT", "MIME-Version", "OData-Version", "TCN"),
        *(
            "Sec-WebSocket-Accept",
            "HTTP2-Settings",
            "DPoP-Nonce",
            "CalDAV-Timezones",
            "Sec-GPC",
            "SoapAction",
        ),
        *("Optional-WWW-Authenticate", "Last-Event-ID", "X-Frame-Options", "X-Content-Type-Options", "URI"),
    ],
)
def test_registered_names_are_as_iana_writes_them(name: str) -> None:
    assert spellings[name.lower().encode()] == name


def test_the_table() -> None:
    assert len(spelling._REGISTERED) > 230
    for name, spelt in spelling._REGISTERED.items():
        assert is_field_name(name)
        assert spelt.lower().encode() == name


@pytest.mark.parametrize(
    "name",
    [
        *("x-amz-request-id", "x-amz-id-2", "x-amz-meta-my-key", "x-amz-", "x-goog-hash", "x-ms-request-id"),
        *("grpc-status", "grpc-accept-encoding", "x-ms-"),
    ],
)
def test_what_servers_write_in_lower_case(name: str) -> None:
    assert spellings[name.encode()] == name


@pytest.mark.parametrize(
    "name",
    [
        *("X-Request-Id", "X-Cache", "Cf-Ray", "Cf-Cache-Status", "X-Ua-Compatible", "X-Xss-Protection", "X"),
        *("X-Amzn-Requestid", "X-Amz", "X-Msft", "Grpc", "X-Grpc-Status", "X-2fa", "X-1-A2b", "1a", "X_y.z"),
        *("-", "--", "X-", "-X", "X--Y", "!#$%&'*+-.^_`|~"),
    ],
)
def test_others_have_each_word_capitalised(name: str) -> None:
    assert spellings[name.lower().encode()] == name


def test_a_message() -> None:
    fields = [(b":status", b"200"), (b"etag", b'"1"'), (b"x-one", b"a"), (b"x-one", b"\xe9"), (b"x-two", b"")]
    message = spelled_message(fields)
    assert message.items() == [("ETag", '"1"'), ("X-One", "a"), ("X-One", "\xe9"), ("X-Two", "")]
    assert (message["etag"], message.get_all("x-ONE")) == ('"1"', ["a", "\xe9"])


def test_a_peer_cannot_fill_the_memory() -> None:
    for number in range(REMEMBERED * 3 + 7):
        assert spellings[b"x-endless-%d" % number] == f"X-Endless-{number}"
        assert len(spellings) <= len(spelling._REGISTERED) + REMEMBERED
    assert b"x-endless-%d" % (REMEMBERED * 3) in spellings  # it still remembers
    long = b"x-" + b"y" * REMEMBERED_LENGTH
    assert spellings[long] == "X-Y" + "y" * (REMEMBERED_LENGTH - 1)
    assert long not in spellings
    assert spellings.items() >= spelling._REGISTERED.items()
