"""Chunks of HTTP/1.1."""

from .case import BODY
from .cases_http1 import CHUNKED, reply

# -- chunks ------------------------------------------------------------------------------------------

for _name, _body in (
    ("size-text", b"xyz\r\n"),
    ("size-empty", b"\r\n"),
    ("size-minus", b"-5\r\nhello\r\n0\r\n\r\n"),
    ("size-minus-zero", b"-0\r\n\r\n"),
    ("size-plus", b"+f\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("size-0x", b"0xf\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("size-underscore", b"0_f\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("size-huge", b"f" * 20 + b"\r\n" + BODY),
    ("size-with-zeros", b"0" * 16 + b"f\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("size-cr-before", b"\rf\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("size-space-before", b" f\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("size-tab-before", b"\tf\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("size-line-before", b"\r\nf\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("size-lf", b"f\n" + BODY + b"\r\n0\r\n\r\n"),
    ("size-cr-cr", b"f\r\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("size-vt", b"f\x0b\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("size-two", b"f f\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("size-latin-1", b"\xb9\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("extension-cr", b"f;a\rb\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("extension-lf", b"f;a\n" + BODY + b"\r\n0\r\n\r\n"),
    ("extension-nul", b"f;a=\0\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("extension-del", b"f;a=\x7f\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("lf-after", b"f\r\n" + BODY + b"\n0\r\n\r\n"),
    ("cr-after", b"f\r\n" + BODY + b"\r0\r\n\r\n"),
    ("last-lf", b"f\r\n" + BODY + b"\r\n0\n\r\n"),
    ("last-extension-cr", b"f\r\n" + BODY + b"\r\n0;\r\r\n\r\n"),
    ("end-lf", b"f\r\n" + BODY + b"\r\n0\r\n\n"),
    ("trailer-lf", b"f\r\n" + BODY + b"\r\n0\r\nX: y\n\r\n"),
    ("trailer-cr", b"f\r\n" + BODY + b"\r\n0\r\nX: y\rz\r\n\r\n"),
    ("trailer-nul", b"f\r\n" + BODY + b"\r\n0\r\nX: \0\r\n\r\n"),
    ("trailer-no-colon", b"f\r\n" + BODY + b"\r\n0\r\nX y\r\n\r\n"),
    ("no-crlf-after", b"f\r\n" + BODY + b"0\r\n\r\n"),
    ("longer-than-said", b"5\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("cut-in-data", b"f\r\nhello"),
    ("cut-after-data", b"f\r\n" + BODY),
    ("cut-after-chunk", b"f\r\n" + BODY + b"\r\n"),
    ("cut-in-size", b"f\r\n" + BODY + b"\r\n0"),
    ("no-chunks", b""),
):
    reply(f"h1-chunk-{_name}", "error", "RFC 9112 7.1, 8", CHUNKED + _body, close=True)
for _name, _body in (
    ("cut-after-last-size", b"f\r\n" + BODY + b"\r\n0\r\n"),
    ("cut-in-trailers", b"f\r\n" + BODY + b"\r\n0\r\nX: y\r\n"),
):
    reply(
        f"h1-chunk-{_name}",
        "ok|error",
        "RFC 9112 7.1, 8: the last chunk has come",
        CHUNKED + _body,
        close=True,
    )
for _name, _value in (
    ("gzip", b"gzip, chunked"),
    ("twice", b"chunked, chunked"),
    ("identity", b"identity"),
    ("not-last", b"chunked, gzip"),
    ("unknown", b"xchunked"),
    ("tab", b"\x0bchunked"),
):
    reply(
        f"h1-te-{_name}",
        "error",
        "RFC 9112 6.1, 6.3",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: " + _value + b"\r\n\r\nf\r\n" + BODY + b"\r\n0\r\n\r\n",
        close=True,
    )
reply(
    "h1-te-case",
    "ok",
    "RFC 9112 7: names have no case",
    CHUNKED.replace(b"chunked", b"ChUnKeD") + b"f\r\n" + BODY + b"\r\n0\r\n\r\n",
)
