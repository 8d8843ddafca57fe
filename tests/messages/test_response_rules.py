"""response_rules.py: what a response may be, and what its stream is reset for (RFC 9113 section 8.1)."""

from collections.abc import Sequence
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperlite.errors import ErrorCode, MalformedResponse
from hyperlite.messages.fields import Field
from hyperlite.messages.response_rules import MAX_FIELDS, MAX_INFORMATIONAL, Block, Message

OK = (b":status", b"200")


def response(*fields: Field, status: bytes = b"200", head: bool = False, end_stream: bool = False) -> Message:
    """Return the message whose final header block has arrived."""
    message = Message(head=head)
    assert message.block([(b":status", status), *fields], end_stream=end_stream) is Block.RESPONSE
    return message


def length(value: bytes) -> Field:
    return (b"content-length", value)


class TestLifecycle:
    def test_nothing_has_come(self) -> None:
        message = Message()
        assert (message.status, message.length, message.complete) == (0, None, False)

    def test_headers_with_end_stream_are_all_of_it(self) -> None:
        message = response(end_stream=True)
        assert (message.status, message.length, message.complete) == (200, None, True)

    def test_headers_then_data(self) -> None:
        message = response()
        message.data(5, end_stream=False)
        assert not message.complete
        message.data(0, end_stream=True)
        assert message.complete

    def test_headers_then_data_then_trailers(self) -> None:
        message = response(length(b"5"))
        message.data(5, end_stream=False)
        assert not message.complete
        assert message.block([(b"x-sum", b"1")], end_stream=True) is Block.TRAILERS
        assert message.complete

    def test_trailers_without_data(self) -> None:
        message = response()
        assert message.block([(b"x-sum", b"1")], end_stream=True) is Block.TRAILERS

    def test_empty_trailers(self) -> None:
        message = response()
        assert message.block([], end_stream=True) is Block.TRAILERS
        assert message.complete

    def test_data_before_the_headers(self) -> None:
        with pytest.raises(MalformedResponse, match="DATA before the response's header block"):
            Message().data(1, end_stream=False)

    def test_data_after_only_a_1xx(self) -> None:
        message = Message()
        message.block([(b":status", b"100")], end_stream=False)
        with pytest.raises(MalformedResponse, match="DATA before the response's header block"):
            message.data(1, end_stream=False)

    @pytest.mark.parametrize("end_stream", [False, True])
    def test_data_after_the_end(self, end_stream: bool) -> None:
        message = response(end_stream=True)
        with pytest.raises(MalformedResponse, match="DATA after END_STREAM") as caught:
            message.data(0, end_stream=end_stream)
        assert caught.value.error_code == ErrorCode.STREAM_CLOSED

    @pytest.mark.parametrize("end_stream", [False, True])
    def test_headers_after_the_end(self, end_stream: bool) -> None:
        message = response(end_stream=True)
        with pytest.raises(MalformedResponse, match="header block after END_STREAM") as caught:
            message.block([(b"a", b"b")], end_stream=end_stream)
        assert caught.value.error_code == ErrorCode.STREAM_CLOSED

    def test_a_second_header_block_that_does_not_end_the_stream(self) -> None:
        message = response()
        with pytest.raises(MalformedResponse, match="second header block"):
            message.check_block(end_stream=False)
        with pytest.raises(MalformedResponse, match="second header block"):
            message.block([OK], end_stream=False)

    def test_a_block_is_allowed_before_it_is_decoded(self) -> None:
        message = Message()
        message.check_block(end_stream=False)
        message.check_block(end_stream=True)
        message.block([OK], end_stream=False)
        message.check_block(end_stream=True)

    def test_what_is_malformed_says_so_with_its_code(self) -> None:
        with pytest.raises(MalformedResponse, match=r"^malformed response: ") as caught:
            Message().block([], end_stream=True)
        assert caught.value.error_code == ErrorCode.PROTOCOL_ERROR


class TestStatus:
    @pytest.mark.parametrize(
        "status", [b"200", b"204", b"299", b"304", b"404", b"511", b"599", b"600", b"999"]
    )
    def test_three_digits(self, status: bytes) -> None:
        assert response(status=status).status == int(status)

    @pytest.mark.parametrize(
        "status",
        [
            pytest.param(b"", id="empty"),
            pytest.param(b"+200", id="plus"),
            pytest.param(b"-200", id="minus"),
            pytest.param(b"2000", id="four digits"),
            pytest.param(b"20", id="two digits"),
            pytest.param(b"099", id="leading zero"),
            pytest.param(b"000", id="zero"),
            pytest.param(b" 200", id="space before"),
            pytest.param(b"200 ", id="space after"),
            pytest.param(b"20 ", id="space as a digit"),
            pytest.param(b"200 OK", id="with a reason"),
            pytest.param(b"2e2", id="float"),
            pytest.param(b"0x1", id="hexadecimal"),
            pytest.param(b"2_0", id="underscore"),
            pytest.param(b"abc", id="letters"),
            pytest.param("\uff12\uff10\uff10".encode(), id="fullwidth digits"),
            pytest.param("²00".encode("latin-1"), id="superscript digit"),
            pytest.param(b"200\r\nx: y", id="crlf"),
            pytest.param(b"20\n", id="newline as a digit"),
            pytest.param(b"20\0", id="nul"),
        ],
    )
    def test_bad_forms(self, status: bytes) -> None:
        with pytest.raises(MalformedResponse, match="malformed response: status "):
            response(status=status)

    @pytest.mark.parametrize(
        "fields",
        [
            pytest.param([], id="empty block"),
            pytest.param([(b"a", b"b")], id="missing"),
            pytest.param([(b"status", b"200")], id="without its colon"),
            pytest.param([(b"a", b"b"), OK], id="after a regular field"),
            pytest.param([(b":Status", b"200")], id="upper case"),
        ],
    )
    def test_missing(self, fields: Sequence[Field]) -> None:
        with pytest.raises(MalformedResponse, match="no :status at the start"):
            Message().block(fields, end_stream=False)

    @pytest.mark.parametrize(
        "extra",
        [
            pytest.param((b":status", b"200"), id="twice"),
            pytest.param((b":status", b"404"), id="two of them"),
            pytest.param((b":path", b"/"), id="a request's"),
            pytest.param((b":method", b"GET"), id="a request's method"),
            pytest.param((b":unknown", b"x"), id="unknown"),
            pytest.param((b":", b"x"), id="only a colon"),
        ],
    )
    @pytest.mark.parametrize("before", [[], [(b"a", b"b")]], ids=["at the start", "after a field"])
    def test_other_pseudo_header_fields(self, extra: Field, before: list[Field]) -> None:
        with pytest.raises(MalformedResponse, match="pseudo-header field"):
            response(*before, extra)


class TestFields:
    @pytest.mark.parametrize(
        "name",
        [
            b"",
            b"X-Upper",
            b"uppeR",
            b"a b",
            b" a",
            b"a ",
            b"a\r\nb",
            b"a\0",
            b"a:b",
            b"a\x7f",
            b"\xe9",
            b"a\t",
            b"a,b",
            b"a/b",
        ],
    )
    @pytest.mark.parametrize("where", ["1xx", "response", "trailers"])
    def test_bad_names(self, name: bytes, where: str) -> None:
        with pytest.raises(MalformedResponse, match="field name "):
            self.take(where, (name, b"x"))

    @pytest.mark.parametrize(
        "value", [b" a", b"a ", b"\ta", b"a\t", b"a\0b", b"a\rb", b"a\nb", b"a\r\n b", b" "]
    )
    @pytest.mark.parametrize("where", ["1xx", "response", "trailers"])
    def test_bad_values(self, value: bytes, where: str) -> None:
        with pytest.raises(MalformedResponse, match="value of field b'a'"):
            self.take(where, (b"a", value))

    @pytest.mark.parametrize(
        "name", [b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"]
    )
    @pytest.mark.parametrize("where", ["1xx", "response", "trailers"])
    def test_connection_specific_fields(self, name: bytes, where: str) -> None:
        with pytest.raises(MalformedResponse, match="connection-specific field"):
            self.take(where, (name, b"x"))

    @pytest.mark.parametrize("name", [b":status", b":path", b":x"])
    def test_pseudo_header_fields_in_trailers(self, name: bytes) -> None:
        with pytest.raises(MalformedResponse, match="pseudo-header field"):
            self.take("trailers", (name, b"200"))

    @pytest.mark.parametrize(
        "value", [b"", b"caf\xe9", "café €".encode(), b"a\tb  c", b"\x01", b"x" * 100_000], ids=repr
    )
    @pytest.mark.parametrize("where", ["1xx", "response", "trailers"])
    def test_good_values(self, value: bytes, where: str) -> None:
        self.take(where, (b"a", value))

    @pytest.mark.parametrize("where", ["1xx", "response", "trailers"])
    def test_as_many_fields_as_are_allowed(self, where: str) -> None:
        first = 0 if where == "trailers" else 1
        self.take(where, *[(b"a", b"b")] * (MAX_FIELDS - first))

    @pytest.mark.parametrize("where", ["1xx", "response", "trailers"])
    def test_too_many_fields(self, where: str) -> None:
        first = 0 if where == "trailers" else 1
        with pytest.raises(MalformedResponse, match="more than 1000 header fields") as caught:
            self.take(where, *[(b"a", b"b")] * (MAX_FIELDS - first + 1))
        assert caught.value.error_code == ErrorCode.ENHANCE_YOUR_CALM

    def take(self, where: str, *fields: Field) -> None:
        if where == "trailers":
            response().block(fields, end_stream=True)
        elif where == "1xx":
            Message().block([(b":status", b"103"), *fields], end_stream=False)
        else:
            response(*fields)


class TestInformational:
    @pytest.mark.parametrize("status", [b"100", b"102", b"103", b"199"])
    def test_it_comes_before_the_response(self, status: bytes) -> None:
        message = Message()
        assert (
            message.block([(b":status", status), (b"link", b"</a>")], end_stream=False) is Block.INFORMATIONAL
        )
        assert message.status == 0
        assert message.block([OK], end_stream=False) is Block.RESPONSE
        assert message.status == 200

    def test_with_end_stream_it_is_no_response(self) -> None:
        with pytest.raises(MalformedResponse, match=r"ended with an informational response \(103\)"):
            Message().block([(b":status", b"103")], end_stream=True)

    def test_there_is_no_switching_of_protocols(self) -> None:
        with pytest.raises(MalformedResponse, match="101 Switching Protocols"):
            Message().block([(b":status", b"101")], end_stream=False)

    def test_after_the_response_it_is_a_second_header_block(self) -> None:
        with pytest.raises(MalformedResponse, match="second header block"):
            response().block([(b":status", b"100")], end_stream=False)

    def test_its_content_length_is_not_the_responses(self) -> None:
        message = Message()
        message.block([(b":status", b"103"), length(b"5")], end_stream=False)
        message.block([OK], end_stream=False)
        assert message.length is None

    def test_as_many_as_are_allowed(self) -> None:
        message = Message()
        for _ in range(MAX_INFORMATIONAL):
            message.block([(b":status", b"103")], end_stream=False)
        message.block([OK], end_stream=False)

    def test_one_too_many(self) -> None:
        message = Message()
        for _ in range(MAX_INFORMATIONAL):
            message.block([(b":status", b"103")], end_stream=False)
        with pytest.raises(MalformedResponse, match="more than 100 1xx responses") as caught:
            message.block([(b":status", b"103")], end_stream=False)
        assert caught.value.error_code == ErrorCode.ENHANCE_YOUR_CALM

    def test_their_bytes_are_bounded_together(self) -> None:
        """By the measure of RFC 9113 section 10.5.1: each field is 32 bytes longer than it looks."""
        message = Message()
        status, link = (b":status", b"103"), (b"link", b"x" * (65536 - 42 - 36))
        for _ in range(4):  # 4 x 64 KiB
            message.block([status, link], end_stream=False)
        with pytest.raises(MalformedResponse, match="more than 262144 bytes of 1xx responses") as caught:
            message.block([status], end_stream=False)
        assert caught.value.error_code == ErrorCode.ENHANCE_YOUR_CALM

    def test_the_final_header_block_and_the_trailers_have_a_limit_of_their_own(self) -> None:
        message = Message()
        large = (b"x", b"x" * 200_000)
        message.block([(b":status", b"103"), large], end_stream=False)
        message.block([OK, large], end_stream=False)
        message.block([large], end_stream=True)
        assert message.complete


class TestPromise:
    REQUEST: ClassVar = [(b":path", b"/" * 6000)]

    def test_its_fields_are_bounded_together(self) -> None:
        message = Message(promise=self.REQUEST)
        message.block([(b":status", b"103"), (b"link", b"x" * 5000)], end_stream=False)
        message.block([OK, (b"etag", b"x" * 5000)], end_stream=False)
        with pytest.raises(
            MalformedResponse, match="more than 16384 bytes of fields of a promised"
        ) as caught:
            message.block([(b"checksum", b"x" * 1000)], end_stream=True)
        assert caught.value.error_code == ErrorCode.ENHANCE_YOUR_CALM


class TestContentLength:
    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ([b"0"], 0),
            ([b"5"], 5),
            ([b"005"], 5),
            ([b"9" * 19], 10**19 - 1),
            ([b"5", b"5"], 5),
            ([b"5, 5"], 5),
            ([b"5,5,5"], 5),
            ([b"5 , 05"], 5),
            ([b"5", b"5, 5"], 5),
        ],
    )
    def test_forms(self, values: list[bytes], expected: int) -> None:
        assert response(*map(length, values)).length == expected

    @pytest.mark.parametrize(
        "value",
        [
            b"",
            b"+5",
            b"-5",
            b"5.0",
            b"0x5",
            b"5_0",
            b"5 5",
            b"five",
            b",5",
            b"5,",
            b"5,,5",
            b",",
            "\uff15".encode(),
            "²".encode("latin-1"),
            b"9" * 20,
            b"9" * 5000,
        ],
        ids=lambda value: repr(value[:20]),
    )
    def test_bad_forms(self, value: bytes) -> None:
        with pytest.raises(MalformedResponse, match="content-length"):
            response(length(value))

    @pytest.mark.parametrize("values", [[b"5", b"6"], [b"5, 6"], [b"5", b"5, 6"], [b"0", b"5"]])
    def test_two_values(self, values: list[bytes]) -> None:
        with pytest.raises(MalformedResponse, match="two values of content-length"):
            response(*map(length, values))

    @pytest.mark.parametrize("pieces", [[5], [2, 3], [0, 5, 0], [1] * 5])
    def test_what_was_announced_comes(self, pieces: list[int]) -> None:
        message = response(length(b"5"))
        for piece in pieces[:-1]:
            message.data(piece, end_stream=False)
        message.data(pieces[-1], end_stream=True)
        assert message.complete

    @pytest.mark.parametrize("end_stream", [False, True])
    def test_more_comes(self, end_stream: bool) -> None:
        message = response(length(b"5"))
        message.data(3, end_stream=False)
        with pytest.raises(MalformedResponse, match="more body than content-length: 5 announced"):
            message.data(3, end_stream=end_stream)

    def test_all_comes_but_the_end_does_not(self) -> None:
        message = response(length(b"5"))
        message.data(5, end_stream=False)
        assert not message.complete
        with pytest.raises(MalformedResponse, match="more body"):
            message.data(1, end_stream=False)

    def test_less_comes(self) -> None:
        message = response(length(b"5"))
        with pytest.raises(MalformedResponse, match="END_STREAM after 3 of 5 bytes"):
            message.data(3, end_stream=True)
        assert not message.complete

    def test_less_comes_before_the_trailers(self) -> None:
        message = response(length(b"5"))
        message.data(3, end_stream=False)
        with pytest.raises(MalformedResponse, match="END_STREAM after 3 of 5 bytes"):
            message.block([], end_stream=True)
        assert not message.complete

    def test_nothing_comes(self) -> None:
        with pytest.raises(MalformedResponse, match="END_STREAM with the header block after 0 of 5 bytes"):
            response(length(b"5"), end_stream=True)

    def test_zero_and_nothing_comes(self) -> None:
        assert response(length(b"0"), end_stream=True).complete

    def test_zero_and_something_comes(self) -> None:
        with pytest.raises(MalformedResponse, match="more body than content-length: 0 announced"):
            response(length(b"0")).data(1, end_stream=True)

    def test_in_trailers_it_means_nothing(self) -> None:
        message = response()
        message.data(3, end_stream=False)
        message.block([length(b"5")], end_stream=True)
        assert (message.complete, message.length) == (True, None)


class TestNoBody:
    """RFC 9110 section 6.4.1: HEAD, 204 and 304 have none, whatever content-length says."""

    CASES = pytest.mark.parametrize(
        ("status", "head"), [(b"200", True), (b"404", True), (b"204", False), (b"304", False), (b"204", True)]
    )

    @CASES
    @pytest.mark.parametrize("fields", [[], [length(b"1000")], [length(b"0")]])
    def test_it_ends_with_the_header_block(self, status: bytes, head: bool, fields: list[Field]) -> None:
        message = response(*fields, status=status, head=head, end_stream=True)
        assert (message.complete, message.length) == (True, 0)

    @CASES
    def test_it_ends_with_an_empty_data_frame(self, status: bytes, head: bool) -> None:
        message = response(length(b"1000"), status=status, head=head)
        message.data(0, end_stream=True)
        assert message.complete

    @CASES
    def test_it_ends_with_trailers(self, status: bytes, head: bool) -> None:
        message = response(status=status, head=head)
        assert message.block([(b"a", b"b")], end_stream=True) is Block.TRAILERS

    @CASES
    def test_a_body_comes_all_the_same(self, status: bytes, head: bool) -> None:
        with pytest.raises(MalformedResponse, match=r"a body in answer to (HEAD|status [23]04)"):
            response(length(b"1000"), status=status, head=head).data(1, end_stream=False)

    @CASES
    def test_a_bad_content_length_is_bad_here_too(self, status: bytes, head: bool) -> None:
        with pytest.raises(MalformedResponse, match="content-length"):
            response(length(b"+5"), status=status, head=head)

    @pytest.mark.parametrize("status", [b"200", b"205", b"404", b"301", b"500"])
    def test_others_may_have_one(self, status: bytes) -> None:
        message = response(length(b"3"), status=status)
        message.data(3, end_stream=True)
        assert message.complete


@given(
    announced=st.none() | st.integers(0, 40),
    pieces=st.lists(st.integers(0, 20), max_size=6),
    ending=st.sampled_from(["data", "trailers", "headers"]),
)
def test_it_is_complete_only_if_what_came_is_what_was_announced(
    announced: int | None, pieces: list[int], ending: str
) -> None:
    fields = [] if announced is None else [length(b"%d" % announced)]
    pieces = [] if ending == "headers" else pieces
    message = Message()
    try:
        message.block([OK, *fields], end_stream=ending == "headers")
        for piece in pieces:
            assert not message.complete
            message.data(piece, end_stream=False)
        if ending == "data":
            message.data(0, end_stream=True)
        elif ending == "trailers":
            message.block([], end_stream=True)
    except MalformedResponse:
        assert announced is not None
        assert announced != sum(pieces)
        assert not message.complete
    else:
        assert message.complete
        assert announced in (None, sum(pieces))
