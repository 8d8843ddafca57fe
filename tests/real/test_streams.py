"""Both directions at once, trailers, 1xx, priorities, deadlines and PING: what real servers make of them.

Node's http2 and Go's net/http are programs of ours (`programs/`) with the same paths; nghttpd, nginx and
h2o serve files.
"""

import io
import itertools
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import hyperlite
import hyperlite.http2.uploads

from .conftest import MEBIBYTE
from .runtimes import node
from .servers import PATIENCE, Site, nghttpd

PIECE = 16384
LINKS = [(103, "</style.css>; rel=preload"), (103, "</script.js>; rel=preload")]
# What set_debuglevel shows of a frame of a body.
DATA = re.compile(r"^frame in: DATA stream (\d+) [1-9]", re.MULTILINE)


# Go's HTTP/1.1, for what HTTP/1.1 can do.
HTTP1_TOO = pytest.mark.parametrize("site", ["node", "go", "go_h1"], indirect=True)


@pytest.fixture(params=["node", "go"])
def site(request: pytest.FixtureRequest) -> Site:
    return request.getfixturevalue(f"{request.param}_site")


@pytest.fixture
def conn(site: Site) -> Iterator[hyperlite.HTTP20Connection]:
    with site.connect() as conn:
        yield conn


def test_short_lines(go_site: Site) -> None:
    """Go sends a frame for each line that is flushed, which is no flood."""
    with go_site.connect() as conn:
        response = conn.getresponse(conn.request("GET", "/lines"))
        assert sum(1 for _ in response) == 20_000


class TestBothDirections:
    def test_a_conversation(self, conn: hyperlite.HTTP20Connection) -> None:
        stream_id = conn.request("POST", "/echo", end_stream=False)
        response = conn.getresponse(stream_id)
        for number in range(100):
            conn.send(b"%d" % number, stream_id)
            assert response.read1() == b"%d" % number
        conn.end(stream_id)
        assert response.read1() == b""
        assert response.trailers["checksum"] == "abc"

    def test_the_server_may_speak_first(self, conn: hyperlite.HTTP20Connection) -> None:
        """The response's header fields are there before anything was sent, and a read waits for the rest."""
        stream_id = conn.request("POST", "/echo", end_stream=False)
        response = conn.getresponse(stream_id)
        timer = threading.Timer(0.05, conn.send, (b"late", stream_id))
        timer.start()
        buffer = bytearray(10)
        assert response.readinto1(buffer) == 4
        assert buffer[:4] == b"late"
        timer.join()
        response.close()

    def test_one_sends_while_another_reads(self, conn: hyperlite.HTTP20Connection) -> None:
        """Far more than all windows and buffers hold: it goes through because both go on at once."""
        block = bytes(range(256)) * 1024
        stream_id = conn.request("POST", "/echo", end_stream=False)
        response = conn.getresponse(stream_id)

        def send() -> None:
            for _ in range(64):
                conn.send(block, stream_id)
            conn.end(stream_id)

        sender = threading.Thread(target=send)
        sender.start()
        for _ in range(64):
            assert response.read(len(block)) == block
        assert response.read() == b""
        sender.join()

    def test_one_thread_sends_before_it_reads(self, conn: hyperlite.HTTP20Connection) -> None:
        """What comes back meanwhile is taken, up to `max_buffered`, where the server would stop otherwise."""
        block = bytes(range(256)) * 1024
        stream_id = conn.request("POST", "/echo", end_stream=False)
        for _ in range(64):
            conn.send(block, stream_id)
        conn.end(stream_id)
        assert conn.getresponse(stream_id).read() == 64 * block

    def test_giving_up_in_the_middle(self, conn: hyperlite.HTTP20Connection) -> None:
        stream_id = conn.request("POST", "/echo", end_stream=False)
        response = conn.getresponse(stream_id)
        conn.send(b"hello", stream_id)
        assert response.read1() == b"hello"
        response.close()
        with pytest.raises(hyperlite.StreamReset, match="cancelled"):
            conn.send(b"more", stream_id)
        conn.request("GET", "/")
        assert conn.getresponse().read() == b"hello"


class TestTrailers:
    def test_behind_a_whole_content_length(self, conn: hyperlite.HTTP20Connection) -> None:
        conn.request("GET", "/trailers")
        response = conn.getresponse()
        assert (response.length, response.read()) == (4, b"body")
        assert dict(response.trailers.items()) == {"checksum": "abc"}

    @pytest.mark.parametrize("read", [lambda response: response.read(4), lambda response: response.read1(4)])
    def test_the_body_may_be_read_in_pieces(
        self, conn: hyperlite.HTTP20Connection, read: Callable[[Any], bytes]
    ) -> None:
        conn.request("GET", "/trailers")
        response = conn.getresponse()
        body = b""
        while piece := read(response):
            body += piece
        assert body == b"body"
        assert response.trailers["checksum"] == "abc"

    @HTTP1_TOO
    @pytest.mark.parametrize(
        "make",
        [lambda: b"abc", lambda: io.BytesIO(b"abc"), lambda: iter([b"a", b"bc"]), lambda: b""],
        ids=["bytes", "file", "iterator", "nothing"],
    )
    def test_behind_a_request(self, conn: hyperlite.HTTP20Connection, make: Callable[[], Any]) -> None:
        body = make()
        # Go hands on only the trailers that were announced.
        conn.request("POST", "/back", body, {"Trailer": "X-Sum"}, trailers={"X-Sum": "17"})
        response = conn.getresponse()
        assert response.read() == (b"" if body == b"" else b"abc")
        assert (response.trailers["x-sum"], response.trailers["checksum"]) == ("17", "abc")

    @HTTP1_TOO
    def test_behind_a_request_whose_body_came_later(self, conn: hyperlite.HTTP20Connection) -> None:
        stream_id = conn.request("POST", "/back", headers={"Trailer": "X-Sum"}, end_stream=False)
        conn.send(b"abc", stream_id)
        conn.end(stream_id, trailers={"X-Sum": "17"})
        response = conn.getresponse(stream_id)
        assert (response.read(), response.trailers["x-sum"]) == (b"abc", "17")


def test_trailers_of_nghttpd(tmp_path: Path, root: Path) -> None:
    with nghttpd(tmp_path, root, "--trailer=checksum: abc") as site, site.connect() as conn:
        conn.request("GET", "/mebibyte")
        response = conn.getresponse()
        assert (response.length, len(response.read())) == (MEBIBYTE, MEBIBYTE)
        assert dict(response.trailers.items()) == {"checksum": "abc"}


@HTTP1_TOO
class TestInformational:
    def test_early_hints(self, conn: hyperlite.HTTP20Connection) -> None:
        conn.request("GET", "/hints")
        response = conn.getresponse()
        assert (response.status, response.getheader("link"), response.read()) == (200, None, b"page")
        assert [(status, fields["link"]) for status, fields in response.informational] == LINKS

    @pytest.fixture
    def _patient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hyperlite.http2.uploads, "EXPECT_WAIT", PATIENCE)

    @pytest.mark.usefixtures("_patient")
    @pytest.mark.parametrize("make", [bytes, lambda size: iter([bytes(size)])], ids=["bytes", "iterator"])
    def test_continue(self, conn: hyperlite.HTTP20Connection, make: Callable[[int], Any]) -> None:
        start = time.monotonic()
        conn.request("POST", "/count", make(100_000), {"Expect": "100-continue"})
        response = conn.getresponse()
        assert response.read() == b"100000"
        assert [status for status, _ in response.informational] == [100]
        assert time.monotonic() - start < PATIENCE  # it is the server that let the body go

    @pytest.mark.usefixtures("_patient")
    def test_a_body_that_is_not_wanted(self, conn: hyperlite.HTTP20Connection) -> None:
        def body() -> Iterator[bytes]:
            raise AssertionError("the server asked for no more")
            yield b""

        conn.request("POST", "/unwanted", body(), {"Expect": "100-continue"})
        response = conn.getresponse()
        assert (response.status, response.read(), response.informational) == (417, b"no", [])
        conn.request("GET", "/")
        assert conn.getresponse().read() == b"hello"


@HTTP1_TOO
class TestDeadline:
    def test_an_endless_body(self, conn: hyperlite.HTTP20Connection) -> None:
        """It never stops for long enough for a time-out; its siblings do not notice."""
        conn.request("GET", "/endless", deadline=0.3, timeout=PATIENCE)
        response = conn.getresponse()
        start = time.monotonic()
        with pytest.raises(hyperlite.RequestTimeout, match="deadline"):
            while response.read(65536):
                pass
        assert time.monotonic() - start < PATIENCE
        conn.request("GET", "/")
        assert (response.stream_id, conn.getresponse().read()) == (1, b"hello")

    def test_an_answer_that_does_not_come(self, conn: hyperlite.HTTP20Connection) -> None:
        conn.request("GET", "/silent", deadline=0.2)
        with pytest.raises(hyperlite.RequestTimeout, match="deadline"):
            conn.getresponse()
        conn.request("GET", "/")
        assert conn.getresponse().read() == b"hello"

    def test_an_unread_body(self, conn: hyperlite.HTTP20Connection) -> None:
        """The windows are full after a while: that, too, comes to an end."""
        with pytest.raises(hyperlite.RequestTimeout, match="deadline"):
            conn.request("POST", "/silent", itertools.repeat(bytes(65536)), deadline=0.3)
        conn.request("GET", "/")
        assert conn.getresponse().read() == b"hello"


class TestHealth:
    def test_ping(self, conn: hyperlite.HTTP20Connection) -> None:
        conn.request("GET", "/")
        conn.getresponse().read()
        assert 0 < conn.ping() < PATIENCE

    def test_a_ping_along_with_each_request(self, site: Site) -> None:
        with site.connect(keepalive_idle=0.0) as conn:
            for _ in range(10):
                conn.request("GET", "/")
                assert conn.getresponse().read() == b"hello"

    def test_a_server_that_has_stopped(self, tmp_path: Path) -> None:
        """Its machine takes what is sent, but no process answers, as behind a NAT that has forgotten us."""
        with node(tmp_path) as site, site.connect(keepalive_idle=0.0, ping_timeout=0.2) as conn:
            conn.request("GET", "/")
            conn.getresponse().read()
            os.kill(site.pid, signal.SIGSTOP)
            try:
                conn.request("POST", "/", b"may be processed")
                with pytest.raises(hyperlite.ConnectionLost, match="PING"):
                    conn.getresponse()
            finally:
                os.kill(site.pid, signal.SIGCONT)
            conn.request("GET", "/")
            assert conn.getresponse().read() == b"hello"


class TestPriority:
    @pytest.mark.parametrize("priority", [0, 7, (3, True)])
    def test_it_is_taken(self, conn: hyperlite.HTTP20Connection, priority: Any) -> None:
        conn.request("GET", "/", priority=priority)
        assert conn.getresponse().read() == b"hello"

    @pytest.mark.parametrize("urgencies", [(7, 7, 0), (0, 7, 7), (7, 0, 7)])
    def test_what_is_urgent_comes_first(
        self, tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str], urgencies: tuple[int, ...]
    ) -> None:
        """Three large files, asked for in one breath: all of the urgent one comes before any other."""
        with nghttpd(tmp_path, root, "--no-rfc7540-pri") as site, site.connect() as conn:
            conn.request("GET", "/")  # the settings are exchanged
            conn.getresponse().read()
            conn.set_debuglevel(1)
            ids = conn.request_many(
                ("GET", "/mebibyte", None, {"Priority": f"u={urgency}"}) for urgency in urgencies
            )
            for stream_id in ids:
                assert len(conn.getresponse(stream_id).read()) == MEBIBYTE
        order = [int(number) for number in DATA.findall(capsys.readouterr().out)]
        urgent = ids[urgencies.index(0)]
        assert set(order) == set(ids)
        assert order.index(urgent) == 0
        assert set(order[: order.count(urgent)]) == {urgent}


class TestPriorityUpdate:
    def test_a_server_that_does_not_know_it_takes_no_notice(self, conn: hyperlite.HTTP20Connection) -> None:
        stream_id = conn.request("GET", "/endless", priority=7)
        response = conn.getresponse(stream_id)
        conn.prioritize(stream_id, (0, True))
        assert response.read(PIECE)
        response.close()
        conn.request("GET", "/")
        assert conn.getresponse().read() == b"hello"

    def test_nghttpd_understands_it(self, tmp_path: Path, root: Path) -> None:
        """It would close the connection if the frame were wrong."""
        with nghttpd(tmp_path, root, "--no-rfc7540-pri") as site, site.connect() as conn:
            stream_id = conn.request("GET", "/four-mebibytes", priority=7)
            response = conn.getresponse(stream_id)
            conn.prioritize(stream_id, (2, True))
            assert conn.ping() < PATIENCE
            assert len(response.read()) == 4 * MEBIBYTE


class TestPush:
    """A client that does not ask for pushed responses gets none: it tells the servers so beforehand."""

    def test_a_server_that_would_like_to(self, conn: hyperlite.HTTP20Connection) -> None:
        conn.request("GET", "/push")
        response = conn.getresponse()
        assert (response.getheader("x-push"), response.read()) == ("false", b"page")

    def test_nghttpd(self, tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with nghttpd(tmp_path, root, "--push=/=/mebibyte") as site, site.connect() as conn:
            conn.set_debuglevel(1)
            conn.request("GET", "/")
            assert conn.getresponse().read()
            assert conn.ping() < PATIENCE  # what was sent before it would be here now
        frames = capsys.readouterr().out
        assert "frame in: HEADERS stream 1" in frames
        assert "PUSH_PROMISE" not in frames


class TestPriorKnowledge:
    """HTTP/2 without TLS, with a server that is known to speak it."""

    @pytest.fixture(params=["nginx", "h2o", "nghttpd", "node"])
    def cleartext(self, request: pytest.FixtureRequest, root: Path, tmp_path: Path) -> Iterator[Site]:
        match request.param:
            case "nginx":
                yield request.getfixturevalue("nginx")["cleartext"]
            case "h2o":
                yield request.getfixturevalue("h2o_sites")["cleartext"]
            case "nghttpd":
                with nghttpd(tmp_path, root, secure=False) as site:
                    yield site
            case "node":
                with node(tmp_path, secure=False) as site:
                    yield site

    def test_a_hundred_requests(self, cleartext: Site) -> None:
        with cleartext.connect() as conn:
            ids = [conn.request("GET", "/") for _ in range(100)]
            responses = [conn.getresponse(stream_id) for stream_id in ids]
            assert {(response.version, response.status) for response in responses} == {(20, 200)}
            assert len({response.read() for response in responses}) == 1

    def test_h2o_with_tls(self, h2o_sites: dict[str, Site]) -> None:
        with h2o_sites["h2"].connect() as conn:
            conn.request("GET", "/mebibyte")
            response = conn.getresponse()
            assert (response.version, len(response.read())) == (20, MEBIBYTE)
