"""`FetchResponse.text` and `.json()`: whatever charset a server names, there is text."""

import codecs
import encodings
import random
import warnings
from collections.abc import Callable, Iterator

import pytest

from hyperlite import ConnectionPool, FetchResponse
from hyperlite.fetching.charsets import _CODECS
from hyperlite.testing.server import Request, Response
from tests.conftest import Serve

Answer = Callable[[str, bytes], FetchResponse]


@pytest.fixture(params=["h2", "http/1.1"])
def answer(request: pytest.FixtureRequest, serve: Serve, pool: ConnectionPool) -> Answer:
    """Return the response to a request, of the Content-Type and the body that are given."""
    answers: list[Response] = []

    def take(_: Request) -> Response:
        return answers.pop()

    server = serve(routes=take, alpn=(request.param,))

    def fetch(content_type: str, body: bytes) -> FetchResponse:
        answers.append(Response(headers=[("content-type", content_type)], body=body))
        return pool.fetch(server.url("/"))

    return fetch


# What Python makes of each: an exception, a warning, a codec that makes no text, or a quadratic time.
NO_CHARSETS = [
    "idna",
    "punycode",
    "undefined",
    "unicode_escape",
    "raw-unicode-escape",
    "base64",
    "hex",
    "rot13",
    "zlib",
    "bz2",
    "uu",
    "quopri",
    "mbcs",
    "oem",
    "charmap",
    "utf-7",
    "UTF7",
    "unicode-1-1-utf-7",
    "hz-gb-2312",
    "iso-2022-kr",
    "utf8mb4",
    "aliases",
    "../secret",
    "x" * 5000,
    "\xfctf-8",
    "\xb2",
    "",
    '"',
]


@pytest.mark.parametrize("charset", NO_CHARSETS, ids=lambda charset: ascii(charset[:20]))
def test_what_is_no_charset_counts_as_none(answer: Answer, charset: str) -> None:
    body = "<ä \\N{nothing} +ADw-".encode() + b"\xff" * 100
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = answer(f"text/html; charset={charset}", body).text
    assert text == "<ä \\N{nothing} +ADw-" + "\ufffd" * 100


@pytest.mark.parametrize(
    "parameter",
    [
        "charset*=undefined'x'utf-8",
        "charset*=a%00b'x'utf-8",
        "charset*=; charset*0=x",
        f"charset*{'9' * 5000}=x",
        'charset="utf-8',
        'charset="\\',
        "charset",
        "=; charset==",
        ";;;charset= ; charset=big5",
    ],
)
def test_parameters_that_email_stumbles_over(answer: Answer, parameter: str) -> None:
    """Of RFC 2231's continuations and charsets of charsets HTTP has nothing (RFC 9110 section 5.6.6)."""
    assert answer(f"text/html; {parameter}", "ä".encode() + b"\xff").text == "ä\ufffd"


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("text/html; charset=utf8", b"\xef\xbb\xbf\xc3\xa4", "ä"),
        ("text/html; charset=utf-16le", b"\xff\xfe\xe4\x00", "ä"),
        ("text/html; charset=UTF-16", b"\xff\xfe\xe4\x00", "ä"),
        ("text/html;charset=iso-8859-1", b"\xe4\x80", "ä\x80"),
        ("text/html; CHARSET = windows-1252", b"\x80", "€"),
        ('text/html; charset="koi8-r"', b"\xc1", "а"),  # noqa: RUF001  Cyrillic
        ("text/html; charset='koi8-r'", b"\xc1", "а"),  # noqa: RUF001  Cyrillic
        ("text/html; charset=Shift_JIS", b"\x83\x65", "テ"),
        ('x/y; a="; charset=utf-16"; charset=cp1252', b"\x80", "€"),
        ('x/y; a="\\"; charset=utf-16"; charset=cp1252', b"\x80", "€"),
        ("x/y; charset=cp1252; charset=utf-16", b"\x80", "€"),
        ("x/y; charset=ibm037", b"\x81", "a"),
        ("x/y; charset=us-ascii", b"\xe4", "\ufffd"),
        ("x/y; charset=utf-16", b"\xff\xfe\xe4\x00\xe4", "ä\ufffd"),
    ],
)
def test_charsets(answer: Answer, content_type: str, body: bytes, text: str) -> None:
    assert answer(content_type, body).text == text


@pytest.mark.parametrize("name", sorted(_CODECS))
def test_nothing_that_a_charset_cannot_read_is_an_error(name: str) -> None:
    assert codecs.lookup(name)._is_text_encoding
    dice = random.Random(name)
    for alphabet in (bytes(range(256)), b"\x1b$()BJK~{}+-AE\x0e\x0f\xff\x00\xd8a"):
        for _ in range(50):
            text = bytes(dice.choices(alphabet, k=dice.randrange(80))).decode(name, "replace")
            assert not any("\ud800" <= letter <= "\udfff" for letter in text)


@pytest.fixture
def _codec_of_the_program() -> Iterator[None]:
    """A codec that the program has registered for its own use."""

    def search(name: str) -> codecs.CodecInfo | None:
        assert name != "launch_missiles", "a server has chosen it"
        return None

    codecs.register(search)
    yield
    codecs.unregister(search)


@pytest.mark.usefixtures("_codec_of_the_program")
def test_a_server_does_not_reach_pythons_codecs(answer: Answer) -> None:
    """Each name that is looked up stays in memory, whether a codec has it or not."""
    assert answer("text/html; charset=launch-missiles", b"text").text == "text"
    assert not [name for name in encodings._cache if "missiles" in name]


def test_json_that_is_nested_too_deep(answer: Answer) -> None:
    with pytest.raises(ValueError, match="nested too deep"):
        answer("application/json", b"[" * 200_000).json()


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00", b"\xff", b"1" * 5000, b"{", b"\x00"])
def test_what_is_no_json(answer: Answer, body: bytes) -> None:
    with pytest.raises(ValueError):
        answer("application/json", body).json()
