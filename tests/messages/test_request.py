"""request.py: what http.client's `request()` takes, in the form in which it is sent."""

import array
import http.client
import io
import mmap
import tempfile
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from hyperlite.messages.request import NO_HEADERS, Request


def make(method: str = "GET", body: Any = None, headers: Any = NO_HEADERS, **options: Any) -> Request:
    options = {"scheme": b"https", "authority": b"host", "blocksize": 4, **options}
    return Request(method, options.pop("url", "/"), body, headers, **options)


def pieces(request: Request) -> list[bytes]:
    assert request.pieces is not None
    return [bytes(piece) for piece in request.pieces]


def sent_by_http_client(method: str, body: Any, headers: Any) -> list[tuple[str, str]]:
    """Return the header fields that http.client itself sends, names in lower case."""

    class Ear(io.BytesIO):
        def sendall(self, data: Any) -> None:
            self.write(data)

    conn = http.client.HTTPConnection("host")
    conn.sock = ear = Ear()
    conn.request(method, "/", body, headers)
    _, _, head = ear.getvalue().partition(b"\r\n")
    lines = head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    pairs = [line.split(": ", 1) for line in lines]
    return [(name.lower(), value) for name, value in pairs]


class TestBodyInMemory:
    @pytest.mark.parametrize(
        ("body", "sent"),
        [
            (b"abc", b"abc"),
            (b"", b""),
            ("abc", b"abc"),
            ("", b""),
            ("caf\xe9", b"caf\xe9"),
            (bytearray(b"abc"), b"abc"),
            (memoryview(b"abc"), b"abc"),
            (memoryview(b"abcdef")[::2], b"ace"),
            (array.array("H", [1, 2]), array.array("H", [1, 2]).tobytes()),
            (memoryview(array.array("I", [1, 2, 3])), array.array("I", [1, 2, 3]).tobytes()),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_it_is_sent_whole(self, body: Any, sent: bytes) -> None:
        request = make("POST", body)
        assert (request.body, request.pieces, request.repeatable) == (sent, None, True)
        assert dict(request.fields)[b"content-length"] == b"%d" % len(sent)

    def test_bytes_are_not_copied(self) -> None:
        body = b"abc"
        assert make("POST", body).body is body

    def test_there_is_none(self) -> None:
        request = make()
        assert (request.body, request.pieces, request.repeatable) == (None, None, True)

    def test_a_bytearray_may_change_afterwards(self) -> None:
        """The request may have to be sent again."""
        body = bytearray(b"abc")
        request = make("POST", body)
        body[:] = b"xyz"
        assert request.body == b"abc"

    def test_a_str_that_is_not_latin_1(self) -> None:
        with pytest.raises(UnicodeEncodeError, match=r"body \(€\) is not valid Latin-1.*utf-8") as caught:
            make("POST", "caf\xe9 €")
        assert (caught.value.object, caught.value.start) == ("caf\xe9 €", 5)

    def test_the_error_for_a_str_is_http_clients(self) -> None:
        with pytest.raises(UnicodeEncodeError, match="is not valid Latin-1") as theirs:
            http.client.HTTPConnection("host").request("POST", "/", "caf\xe9 €")
        with pytest.raises(UnicodeEncodeError, match="is not valid Latin-1") as ours:
            make("POST", "caf\xe9 €")
        assert ours.value.args[:4] == theirs.value.args[:4]


class TestBodyInPieces:
    def test_a_binary_file_is_read_in_blocks(self) -> None:
        request = make("POST", io.BytesIO(b"abcdefghij"))
        assert not request.repeatable
        assert request.body is None
        assert pieces(request) == [b"abcd", b"efgh", b"ij"]

    def test_a_text_file_is_read_as_latin_1(self) -> None:
        assert pieces(make("POST", io.StringIO("caf\xe9!"))) == [b"caf\xe9", b"!"]

    def test_a_text_file_that_is_not_latin_1(self) -> None:
        with pytest.raises(
            UnicodeEncodeError, match=r"a text file, which goes out as Latin-1: open it in binary"
        ):
            pieces(make("POST", io.StringIO("€")))

    def test_a_file_is_read_from_where_it_stands(self) -> None:
        file = io.BytesIO(b"abcdef")
        file.seek(3)
        assert pieces(make("POST", file)) == [b"def"]

    def test_a_file_is_not_read_before_it_is_sent(self) -> None:
        file = io.BytesIO(b"abcdef")
        make("POST", file)
        assert file.tell() == 0

    def test_a_file_may_be_anything_that_reads(self) -> None:
        class Reader:
            blocks = iter([b"ab", b"c", b""])

            def read(self, size: int) -> bytes:
                assert size == 4
                return next(self.blocks)

        assert pieces(make("POST", Reader())) == [b"ab", b"c"]

    def test_a_mapped_file_is_a_file(self) -> None:
        """As in http.client, though it is bytes-like too."""
        with tempfile.TemporaryFile() as file:
            file.write(b"abcdef")
            file.flush()
            with mmap.mmap(file.fileno(), 0) as mapped:
                request = make("POST", mapped)
                assert request.body is None
                assert pieces(request) == [b"abcd", b"ef"]

    @pytest.mark.parametrize(
        ("body", "sent"),
        [
            ([b"ab", b"c"], [b"ab", b"c"]),
            ((b"ab", bytearray(b"c"), memoryview(b"d")), [b"ab", b"c", b"d"]),
            ([], []),
            ([b"", b"a"], [b"", b"a"]),
            ([array.array("H", [1])], [array.array("H", [1]).tobytes()]),
        ],
        ids=["list", "tuple", "empty list", "empty piece", "array"],
    )
    def test_an_iterable(self, body: Any, sent: list[bytes]) -> None:
        request = make("POST", body)
        assert not request.repeatable
        assert pieces(request) == sent

    def test_a_generator_is_asked_only_when_it_is_sent(self) -> None:
        asked = []

        def body() -> Iterator[bytes]:
            asked.append(1)
            yield b"ab"

        request = make("POST", body())
        assert asked == []
        assert pieces(request) == [b"ab"]

    @pytest.mark.parametrize("piece", ["text", 5, None, ["x"]])
    def test_a_piece_of_another_type(self, piece: Any) -> None:
        with pytest.raises(TypeError, match="a piece of the body should be bytes-like"):
            pieces(make("POST", [b"ok", piece]))


@pytest.mark.parametrize("body", [5, 1.5, object(), len])
def test_a_body_of_another_type(body: Any) -> None:
    with pytest.raises(TypeError, match="body should be a bytes-like object, a str, a file or an iterable"):
        make("POST", body)


BODIES = [None, b"", b"abc", "caf\xe9", bytearray(b"ab"), array.array("I", [1, 2])]
STREAMED = [lambda: io.BytesIO(b"abc"), lambda: io.StringIO("abc"), lambda: [b"abc"], lambda: iter([b"abc"])]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "post", "Patch", "BREW"]


class TestContentLength:
    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("body", BODIES, ids=repr)
    def test_it_is_http_clients(self, method: str, body: Any) -> None:
        expected = http.client.HTTPConnection._get_content_length(body, method)
        announced = dict(make(method, body).fields).get(b"content-length")
        assert announced == (None if expected is None else b"%d" % expected)

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("body", STREAMED, ids=["file", "text file", "list", "iterator"])
    def test_it_is_unknown_for_what_comes_in_pieces(self, method: str, body: Any) -> None:
        assert http.client.HTTPConnection._get_content_length(body(), method) is None
        assert b"content-length" not in dict(make(method, body()).fields)

    @pytest.mark.parametrize("name", ["Content-Length", "content-length", b"CONTENT-LENGTH"])
    @pytest.mark.parametrize("body", [b"abc", [b"abc"]], ids=repr)
    def test_that_of_the_caller_is_the_only_one(self, name: str | bytes, body: Any) -> None:
        fields = make("POST", body, {name: "3"}).fields
        assert [value for key, value in fields if key == b"content-length"] == [b"3"]

    def test_a_caller_that_says_chunked_means_no_length(self) -> None:
        fields = dict(make("POST", b"abc", {"Transfer-Encoding": "chunked"}, encode_chunked=True).fields)
        assert b"content-length" not in fields
        assert b"transfer-encoding" not in fields


class TestFields:
    def test_accept_encoding_is_identity(self) -> None:
        assert make().fields[4:] == [(b"accept-encoding", b"identity")]

    @pytest.mark.parametrize("name", ["Accept-Encoding", b"accept-encoding"])
    def test_that_of_the_caller_is_the_only_one(self, name: str | bytes) -> None:
        assert make(headers={name: "gzip"}).fields[4:] == [(b"accept-encoding", b"gzip")]

    @pytest.mark.parametrize(
        ("method", "body", "headers"),
        [
            ("GET", None, {}),
            ("GET", None, {"X-A": "1", "Accept-Encoding": "gzip"}),
            ("POST", b"abc", {"Content-Type": "text/plain", "X-A": "1"}),
            ("POST", None, {"X-A": "1"}),
            ("PUT", b"", {}),
            ("DELETE", b"x", {"Content-Length": "1"}),
            ("GET", None, {"X-Number": 5, "X-Bytes": b"caf\xe9", "X-Empty": ""}),
        ],
    )
    def test_they_are_those_of_http_client_in_its_order(
        self, method: str, body: Any, headers: dict[str, Any]
    ) -> None:
        theirs = sent_by_http_client(method, body, headers)
        assert theirs.pop(0) == ("host", "host")
        ours = [
            (name.decode(), value.decode("latin-1")) for name, value in make(method, body, headers).fields[4:]
        ]
        assert ours == theirs

    def test_headers_may_be_an_http_message(self) -> None:
        headers = http.client.HTTPMessage()
        headers["X-A"] = "1"
        headers["X-A"] = "2"
        assert make(headers=headers).fields[5:] == [(b"x-a", b"1"), (b"x-a", b"2")]

    @pytest.mark.parametrize(
        ("arguments", "kind"),
        [
            ({"method": "GET\r\n"}, ValueError),
            ({"url": "/a b"}, http.client.InvalidURL),
            ({"url": "/\r\nHost: x"}, http.client.InvalidURL),
            ({"url": "/caf\xe9"}, UnicodeEncodeError),
            ({"headers": {"a\r\nb": "c"}}, ValueError),
            ({"headers": {"a": "b\r\nc: d"}}, ValueError),
            ({"headers": {"a": "€"}}, UnicodeEncodeError),
            ({"headers": {"a": None}}, TypeError),
        ],
        ids=repr,
    )
    def test_what_http_client_refuses_is_refused_alike(
        self, arguments: dict[str, Any], kind: type[Exception]
    ) -> None:
        conn = http.client.HTTPConnection("host")
        conn.auto_open = 0
        with pytest.raises(kind):
            conn.request(**{"method": "GET", "url": "/", **arguments})
        with pytest.raises(kind):
            make(**arguments)

    @pytest.mark.parametrize("method", [b"GET", None, 5])
    def test_a_method_of_another_type(self, method: Any) -> None:
        with pytest.raises(TypeError):
            http.client.HTTPConnection("host").putrequest(method, "/")
        with pytest.raises(TypeError):
            make(method)


def test_the_caller_s_own_arguments_are_kept_for_http_1() -> None:
    body = io.BytesIO(b"abc")
    headers = {"A": "b"}
    request = make("POST", body, headers, url="/p", encode_chunked=True)
    headers["C"] = "d"  # the request may still wait in a queue
    assert (request.headers, request.checked) == ([("A", "b")], [(b"a", b"b")])
    assert (request.method, request.url) == ("POST", "/p")


class TestChunksByHand:
    """http.client takes `Transfer-Encoding: chunked` without `encode_chunked` for done by the caller."""

    CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
    HEADERS: ClassVar = {"Transfer-Encoding": "chunked"}

    def test_bytes(self) -> None:
        request = make("POST", self.CHUNKS, self.HEADERS)
        assert request.body == b"hello"

    @pytest.mark.parametrize("kind", [iter, lambda pieces: io.BytesIO(b"".join(pieces))])
    def test_pieces(self, kind: Any) -> None:
        request = make("POST", kind([self.CHUNKS[:7], self.CHUNKS[7:]]), self.HEADERS)
        assert b"".join(request.pieces or ()) == b"hello"

    def test_what_is_no_chunks(self) -> None:
        with pytest.raises(ValueError, match="last chunk"):
            make("POST", b"hello", self.HEADERS)

    def test_with_encode_chunked_it_is_the_body(self) -> None:
        assert make("POST", b"hello", self.HEADERS, encode_chunked=True).body == b"hello"

    def test_no_body(self) -> None:
        assert make("GET", None, self.HEADERS).body is None


def test_the_default_takes_no_header() -> None:
    """http.client's default is a mutable dict; ours holds nothing."""
    make()
    assert list(NO_HEADERS.items()) == []


def test_like_is_the_request_for_another_target() -> None:
    headers = {"X-Own": "value", "Cookie": "a=b"}
    template, expected = (
        Request("GET", url, None, headers, b"https", b"host", 1024) for url in ("/a", "/b?c")
    )
    other = template.like("/b?c")
    for name in Request.__slots__:
        assert getattr(other, name) == getattr(expected, name), name
    with pytest.raises(http.client.InvalidURL):
        template.like("/b c")
