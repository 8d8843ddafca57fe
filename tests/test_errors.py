"""errors.py: old except clauses keep working, and every error says what it knows."""

import copy
import http.client
import pickle
import ssl

import pytest

from hyperlite import errors
from hyperlite.errors import (
    BodyReset,
    BodyTooLarge,
    BufferLimitExceeded,
    ConnectionGoingAway,
    ConnectionLost,
    DecodingError,
    ErrorCode,
    HTTP2Error,
    HTTPStatusError,
    InadequateSecurity,
    IncompleteBody,
    MalformedBody,
    MalformedResponse,
    NotHTTP1,
    NotHTTP2,
    ProtocolError,
    RedirectError,
    RequestTimeout,
    StreamReset,
    TooManyRedirects,
    code_name,
)

CLASSES = [
    value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, HTTP2Error)
]
by_name = pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)


def test_every_class_is_covered_here() -> None:
    """The tables below are to grow with the hierarchy."""
    assert set(CLASSES) == {HTTP2Error, *CAUGHT_AS}


# What the docstring promises: each class, and what old code catches it as.
CAUGHT_AS: dict[type[HTTP2Error], tuple[type[BaseException], ...]] = {
    ConnectionLost: (
        http.client.RemoteDisconnected,
        http.client.BadStatusLine,
        ConnectionResetError,
        OSError,
    ),
    ConnectionGoingAway: (ConnectionLost, http.client.RemoteDisconnected, ConnectionResetError, OSError),
    ProtocolError: (),
    HTTPStatusError: (),
    NotHTTP2: (ProtocolError,),
    NotHTTP1: (ProtocolError, http.client.BadStatusLine),
    StreamReset: (ConnectionResetError, ConnectionError, OSError),
    MalformedResponse: (StreamReset, ConnectionResetError, OSError),
    IncompleteBody: (http.client.IncompleteRead,),
    BodyReset: (IncompleteBody, http.client.IncompleteRead, StreamReset, ConnectionResetError),
    MalformedBody: (BodyReset, http.client.IncompleteRead, MalformedResponse, OSError),
    RequestTimeout: (TimeoutError, OSError),
    BufferLimitExceeded: (),
    InadequateSecurity: (ssl.SSLError, OSError),
    DecodingError: (),
    BodyTooLarge: (DecodingError,),
    RedirectError: (),
    TooManyRedirects: (RedirectError,),
}


@pytest.mark.parametrize(
    ("kind", "old"),
    [
        (kind, old)
        for kind, olds in CAUGHT_AS.items()
        for old in (HTTP2Error, http.client.HTTPException, *olds)
    ],
    ids=lambda kind: kind.__name__,
)
def test_old_except_clauses_catch_it(kind: type[HTTP2Error], old: type[BaseException]) -> None:
    with pytest.raises(old, match=r"^what happened$"):
        raise kind("what happened")


@pytest.mark.parametrize("kind", [ProtocolError, NotHTTP2, BufferLimitExceeded, IncompleteBody])
def test_what_is_no_trouble_with_the_socket_is_no_os_error(kind: type[HTTP2Error]) -> None:
    """Callers retry on OSError: the peer's breach of the protocol would only be repeated."""
    assert not issubclass(kind, OSError)


@pytest.mark.parametrize("kind", [StreamReset, MalformedResponse])
def test_a_reset_stream_is_no_lost_connection(kind: type[HTTP2Error]) -> None:
    assert not issubclass(kind, http.client.RemoteDisconnected)


@by_name
def test_attributes_by_default(kind: type[HTTP2Error]) -> None:
    error = kind("what happened")
    assert (error.error_code, error.stream_id, error.retry_safe) == (None, None, False)


@by_name
def test_attributes(kind: type[HTTP2Error]) -> None:
    error = kind("what happened", error_code=7, stream_id=5, retry_safe=True)
    assert (error.error_code, error.stream_id, error.retry_safe) == (7, 5, True)


@by_name
def test_str_is_the_message(kind: type[HTTP2Error]) -> None:
    assert str(kind("what happened", error_code=7, stream_id=5)) == "what happened"


@by_name
def test_repr_names_the_class_and_the_message(kind: type[HTTP2Error]) -> None:
    assert repr(kind("what happened")).startswith(f"{kind.__name__}('what happened'")


@by_name
def test_for_stream_is_a_copy_that_names_the_stream(kind: type[HTTP2Error]) -> None:
    error = kind("what happened", error_code=7, retry_safe=True)
    one = error.for_stream(9)
    assert type(one) is kind
    assert (str(one), one.error_code, one.stream_id, one.retry_safe) == ("what happened", 7, 9, True)
    assert error.stream_id is None


@by_name
@pytest.mark.parametrize("retry_safe", [False, True])
def test_for_stream_can_say_whether_a_retry_is_safe(kind: type[HTTP2Error], retry_safe: bool) -> None:
    error = kind("what happened", retry_safe=not retry_safe)
    assert error.for_stream(1, retry_safe=retry_safe).retry_safe is retry_safe


def test_for_stream_keeps_the_cause() -> None:
    error = ConnectionLost("what happened")
    error.__cause__ = cause = BrokenPipeError()
    assert error.for_stream(1).__cause__ is cause


@by_name
@pytest.mark.parametrize("duplicate", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_errors_survive_copying_and_pickling(kind: type[HTTP2Error], duplicate) -> None:
    """As they must, to come out of a process pool."""
    one = duplicate(kind("what happened", error_code=7, stream_id=5, retry_safe=True))
    assert type(one) is kind
    assert (str(one), one.error_code, one.stream_id, one.retry_safe) == ("what happened", 7, 5, True)


def test_a_lost_connection_has_the_line_of_a_bad_status_line() -> None:
    assert ConnectionLost("what happened").line == http.client.RemoteDisconnected("what happened").line


class TestIncompleteBody:
    def test_it_carries_what_came(self) -> None:
        error = IncompleteBody("cut off", partial=b"abc", expected=7, stream_id=3)
        assert (error.partial, error.expected, error.stream_id) == (b"abc", 7, 3)

    def test_nothing_came_by_default(self) -> None:
        error = IncompleteBody("cut off")
        assert (error.partial, error.expected) == (b"", None)

    def test_its_repr_counts_the_body_and_does_not_print_it(self) -> None:
        error = IncompleteBody("cut off", partial=b"secret" * 1000)
        assert repr(error) == "IncompleteBody('cut off', 6000 bytes read)"

    def test_it_survives_pickling_with_the_body(self) -> None:
        one = pickle.loads(pickle.dumps(IncompleteBody("cut off", partial=b"abc", expected=7)))
        assert (str(one), one.partial, one.expected) == ("cut off", b"abc", 7)


class TestErrorCodes:
    def test_they_are_those_of_rfc_9113(self) -> None:
        assert [code.name for code in ErrorCode] == [
            "NO_ERROR",
            "PROTOCOL_ERROR",
            "INTERNAL_ERROR",
            "FLOW_CONTROL_ERROR",
            "SETTINGS_TIMEOUT",
            "STREAM_CLOSED",
            "FRAME_SIZE_ERROR",
            "REFUSED_STREAM",
            "CANCEL",
            "COMPRESSION_ERROR",
            "CONNECT_ERROR",
            "ENHANCE_YOUR_CALM",
            "INADEQUATE_SECURITY",
            "HTTP_1_1_REQUIRED",
        ]
        assert [code.value for code in ErrorCode] == list(range(14))

    @pytest.mark.parametrize(
        ("code", "name"),
        [
            (0, "NO_ERROR"),
            (0xB, "ENHANCE_YOUR_CALM"),
            (0xE, "error code 0xe"),
            (2**32 - 1, "error code 0xffffffff"),
        ],
    )
    def test_code_name(self, code: int, name: str) -> None:
        assert code_name(code) == name
