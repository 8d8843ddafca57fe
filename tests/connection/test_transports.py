"""The transports of a connection object: the current one, and those that finish what they have."""

import contextlib
import gc
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from hyperlite import HTTP20Response, RequestTimeout
from hyperlite.messages.request import NO_HEADERS, Request
from hyperlite.net.dialer import Dialer
from hyperlite.net.protocols import Protocols
from hyperlite.pending import Pending
from hyperlite.testing.server import Server
from hyperlite.transports import Speaker, TransportOptions, Transports
from tests.peer import TIMEOUT, Task


class Owner:
    """A connection object that is no more than what its transports ask of it."""

    def __init__(self, server: Server, **options: Any) -> None:
        self.server = server
        self.sock: Any = None
        self.timeout: float | None = TIMEOUT
        self.debuglevel = 0
        self.auto_open = 1
        self.transports = Transports(self, TransportOptions(), Protocols(None, secure=True), **options)

    def connect(self) -> None:
        self.transports.connect()

    def _dial(self, alpn: tuple[str, ...], by: float | None, session: Any) -> tuple[socket.socket, str]:
        dialer = Dialer("localhost", self.server.port, context=self.server.context(), session=session)
        return dialer.dial(alpn, timeout=self.timeout, by=by)

    def _speak(self, sock: Any) -> http.client.HTTPConnection:
        return Speaker("localhost", self.server.port, 443)(sock)

    def request(self, target: str = "/") -> Request:
        return Request("GET", target, None, NO_HEADERS, b"https", b"localhost", 65536)


@pytest.fixture
def owner(server: Server) -> Iterator[Owner]:
    """One whose server chooses the protocol in each way."""
    owner = Owner(server)
    with contextlib.closing(owner.transports):
        yield owner


class TestTransports:
    def test_the_first_use_connects_and_the_next_does_not(self, owner: Owner) -> None:
        first = owner.transports.usable(None)
        assert owner.transports.usable(None) is first is owner.transports.current
        assert owner.sock is not None
        assert owner.server.connections == 1

    def test_one_that_has_ended_is_replaced(self, owner: Owner) -> None:
        first = owner.transports.usable(None)
        first.close()
        second = owner.transports.usable(None)
        assert second is not first
        assert owner.server.connections == 2

    def test_not_where_the_program_wants_none_opened(self, owner: Owner) -> None:
        owner.transports.usable(None).close()
        owner.auto_open = 0
        with pytest.raises(http.client.NotConnected, match="auto_open is off"):
            owner.transports.usable(None)
        assert owner.server.connections == 1

    def test_a_retired_one_finishes_what_it_has(self, owner: Owner) -> None:
        pending = Pending(owner.transports)
        (stream_id,) = pending.begin([owner.request("/chunks?n=1000")])
        response = pending.answered(pending.take(stream_id)).make_response(HTTP20Response)
        owner.transports.retire()
        assert (owner.transports.current, owner.sock) == (None, None)
        assert len(response.read()) == 10_000

    def test_a_retired_one_finishes_what_was_not_answered(self, owner: Owner) -> None:
        """On HTTP/1.1 too, where requests wait in a queue; then it closes."""
        pending = Pending(owner.transports)
        before = pending.begin([owner.request(f"/sized?n={n}") for n in (1, 2, 3)])
        retired = owner.transports.current
        assert retired is not None
        owner.transports.retire()
        assert (retired.check(), retired.closed) == (False, False)
        after = pending.begin([owner.request("/sized?n=4")])
        taken = [pending.answered(pending.take(one)).make_response(HTTP20Response) for one in before + after]
        assert [response.read() for response in taken] == [b"x", b"xx", b"xxx", b"xxxx"]
        assert retired.closed
        assert owner.server.connections == 2

    def test_a_retired_one_with_nothing_to_finish_closes(self, owner: Owner) -> None:
        idle = owner.transports.usable(None)
        owner.transports.retire()
        assert idle.closed

    def test_a_socket_that_the_program_brings(self, owner: Owner) -> None:
        """It is what connect() would have opened."""
        owner.sock, protocol = owner._dial(("h2", "http/1.1"), None, None)
        assert owner.transports.usable(None).protocol == protocol
        assert owner.server.connections == 1

    def test_what_is_no_socket(self, owner: Owner) -> None:
        owner.sock = object()
        with pytest.raises(TypeError, match="needs a socket"):
            owner.transports.usable(None)

    def test_another_protocol_goes_over_http_1_1(self, owner: Owner) -> None:
        """Beside the current transport, where that speaks HTTP/2."""
        current = owner.transports.usable(None)
        beside = owner.transports.in_http1(None)
        assert beside.protocol == "http/1.1"
        assert (beside is current) is (current.protocol == "http/1.1")
        assert owner.transports.in_http1(None) is beside
        assert owner.transports.current is current

    def test_closed_they_all_are(self, owner: Owner) -> None:
        ended = [owner.transports.usable(None), owner.transports.in_http1(None)]
        owner.transports.close()
        assert [one.closed for one in ended] == [True, True]
        assert (owner.transports.current, owner.sock) == (None, None)

    def test_they_do_not_keep_their_owner(self, server: Server) -> None:
        owner = Owner(server)
        transports = owner.transports
        gc.collect()
        gc.disable()
        try:
            del owner
            with pytest.raises(http.client.NotConnected, match="gone"):
                transports.usable(None)
        finally:
            gc.enable()


class TestDialling:
    def test_one_thread_at_a_time(self, owner: Owner) -> None:
        held, over = threading.Event(), threading.Event()

        def dial() -> None:
            held.set()
            over.wait(TIMEOUT)

        other = Task(owner.transports.while_dialling, None, dial)
        assert held.wait(TIMEOUT)
        with pytest.raises(RequestTimeout, match="another thread has been connecting") as caught:
            owner.transports.while_dialling(time.monotonic() + 0.05, dial)
        assert caught.value.retry_safe
        over.set()
        other.result()
        assert owner.transports.while_dialling(None, lambda: "free") == "free"

    def test_a_failure_lets_the_next_thread_dial(self, owner: Owner) -> None:
        def fail() -> None:
            raise LookupError("no such host")

        with pytest.raises(LookupError):
            owner.transports.while_dialling(None, fail)
        assert Task(owner.transports.while_dialling, None, lambda: "free").result() == "free"

    def test_in_a_child_of_the_process_the_lock_is_free(self, owner: Owner) -> None:
        """Another thread of the parent had it, which the child has not."""
        transports, over, held = owner.transports, threading.Event(), threading.Event()

        def dial() -> None:
            held.set()
            over.wait(TIMEOUT)

        other = Task(transports.while_dialling, None, dial)
        assert held.wait(TIMEOUT)
        before = transports.dialling
        transports.after_fork()
        try:
            assert transports.while_dialling(time.monotonic() + 0.05, lambda: "free") == "free"
        finally:
            transports.dialling = before
            over.set()
            other.result()
