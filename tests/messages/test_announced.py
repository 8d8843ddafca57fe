"""messages/announced.py: a body is held to its length, or to its last chunk."""

import http.client

import pytest

from hyperlite.messages.announced import NOTHING, Announced


class TestNothing:
    def test_any_number_of_bytes_fits(self) -> None:
        NOTHING.count(1 << 40)
        NOTHING.check_whole()
        assert (NOTHING.left, NOTHING.ends, NOTHING.is_whole) == (None, False, False)

    def test_a_piece_is_what_it_is(self) -> None:
        assert list(NOTHING.contents(b"5\r\n")) == [b"5\r\n"]


class TestLength:
    def test_it_is_counted_down(self) -> None:
        announced = Announced(5)
        announced.count(3)
        assert (announced.left, announced.ends, announced.is_whole) == (2, True, False)
        announced.count(2)
        assert announced.is_whole
        announced.check_whole()

    def test_too_little(self) -> None:
        announced = Announced(5)
        announced.count(3)
        with pytest.raises(http.client.CannotSendRequest, match="2 bytes of its content-length missing"):
            announced.check_whole()

    def test_what_is_too_much_is_not_counted(self) -> None:
        announced = Announced(5)
        for refuse in (announced.count, announced.check_fits):
            with pytest.raises(http.client.CannotSendRequest, match="the body is longer"):
                refuse(6)
        announced.count(5)
        assert announced.is_whole

    def test_none_at_all(self) -> None:
        announced = Announced(0)
        announced.check_whole()
        assert (announced.ends, announced.is_whole) == (True, True)


class TestChunks:
    def test_the_last_one_is_the_end(self) -> None:
        announced = Announced(chunked=True)
        assert list(announced.contents(b"3\r\nabc\r\n")) == [b"abc"]
        assert (announced.left, announced.ends, announced.is_whole) == (None, True, False)
        with pytest.raises(http.client.CannotSendRequest, match="the last chunk is missing"):
            announced.check_whole()
        assert list(announced.contents(b"0\r\n\r\n")) == []
        announced.check_whole()

    def test_the_trailers_are_there_when_they_have_come(self) -> None:
        announced = Announced(chunked=True)
        trailers = announced.trailers
        assert list(announced.contents(b"0\r\nA: 1\r\n")) == []
        assert trailers == []
        assert list(announced.contents(b"\r\n")) == []
        assert trailers == [(b"a", b"1")]

    def test_of_what_is_refused_nothing_is_taken(self) -> None:
        announced = Announced(chunked=True)
        trailers = announced.trailers
        with pytest.raises(ValueError, match="follow the last chunk"):
            announced.contents(b"0\r\nA: 1\r\n\r\nmore")
        assert (announced.is_whole, trailers) == (False, [])
        assert list(announced.contents(b"0\r\nB: 2\r\n\r\n")) == []
        assert (announced.is_whole, trailers) == (True, [(b"b", b"2")])
