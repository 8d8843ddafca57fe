"""HTTP20Connection against the embedded server: what holds on either protocol, and what only on HTTP/2."""

import contextlib
import gc
import http.client
import io
import json
import subprocess
import sys
import time
from typing import Any

import pytest

import hyperlite
from hyperlite.testing.server import Server
from tests.conftest import Connect, Serve
from tests.inside import transport_of


def get(conn: hyperlite.HTTP20Connection, target: str, **options: Any) -> hyperlite.HTTP20Response:
    return conn.getresponse(conn.request("GET", target, **options))


def reported(conn: hyperlite.HTTP20Connection, *args: Any, **options: Any) -> dict[str, Any]:
    """Make a request to /report and return what the server has received."""
    method, *rest = args
    return json.loads(conn.getresponse(conn.request(method, "/report", *rest, **options)).read())


class TestOnEitherProtocol:
    def test_ids_are_odd_and_ascend(self, conn: hyperlite.HTTP20Connection) -> None:
        assert [conn.request("GET", "/") for _ in range(5)] == [1, 3, 5, 7, 9]

    def test_ids_go_on_after_a_reconnect(self, conn: hyperlite.HTTP20Connection) -> None:
        assert get(conn, "/").stream_id == 1
        conn.close()
        assert get(conn, "/").stream_id == 3

    def test_responses_in_order(self, conn: hyperlite.HTTP20Connection) -> None:
        ids = [conn.request("GET", f"/sized?n={n}") for n in range(20)]
        assert [len(conn.getresponse(stream_id).read()) for stream_id in ids] == list(range(20))

    def test_responses_in_reverse(self, conn: hyperlite.HTTP20Connection) -> None:
        ids = [conn.request("GET", f"/sized?n={n}") for n in range(20)]
        assert [len(conn.getresponse(i).read()) for i in reversed(ids)] == list(reversed(range(20)))

    def test_headers_in_one_order_and_bodies_in_another(self, conn: hyperlite.HTTP20Connection) -> None:
        ids = [conn.request("GET", f"/chunks?n={n}") for n in range(1, 6)]
        responses = [conn.getresponse(stream_id) for stream_id in ids]
        assert [len(response.read()) for response in reversed(responses)] == [50, 40, 30, 20, 10]

    def test_getresponse_without_an_id_takes_the_oldest(self, conn: hyperlite.HTTP20Connection) -> None:
        first, second, third = (conn.request("GET", "/") for _ in range(3))
        conn.getresponse(second).read()
        assert conn.getresponse().stream_id == first
        assert conn.getresponse().stream_id == third
        with pytest.raises(http.client.ResponseNotReady, match="no request of this thread"):
            conn.getresponse()

    def test_a_response_is_given_once(self, conn: hyperlite.HTTP20Connection) -> None:
        stream_id = conn.request("GET", "/")
        conn.getresponse(stream_id).read()
        with pytest.raises(http.client.ResponseNotReady, match=f"id {stream_id}"):
            conn.getresponse(stream_id)

    def test_request_many(self, conn: hyperlite.HTTP20Connection) -> None:
        ids = conn.request_many(
            [("GET", "/report"), ("POST", "/report", b"abc"), ("PUT", "/report", "d", {"x-y": "z"})]
        )
        seen = [json.loads(conn.getresponse(stream_id).read()) for stream_id in ids]
        assert [(one["method"], one["body"]) for one in seen] == [("GET", ""), ("POST", "abc"), ("PUT", "d")]
        assert ["x-y", "z"] in seen[2]["headers"]

    def test_request_many_sends_nothing_if_one_is_wrong(
        self, conn: hyperlite.HTTP20Connection, server: Server
    ) -> None:
        with pytest.raises(ValueError, match="Invalid header value"):
            conn.request_many([("GET", "/"), ("GET", "/", None, {"a": "b\r\nc: d"})])
        with pytest.raises(ValueError, match="file"):
            conn.request_many([("GET", "/"), ("PUT", "/", io.BytesIO(b"x"))])
        assert server.log == []
        assert get(conn, "/").stream_id == 1

    @pytest.mark.parametrize("announced", [3, 5])
    @pytest.mark.parametrize(
        "make", [lambda: b"abcd", lambda: "abcd", lambda: io.BytesIO(b"abcd"), lambda: iter([b"ab", b"cd"])]
    )
    def test_a_body_of_another_length_than_announced(
        self, conn: hyperlite.HTTP20Connection, make: Any, announced: int
    ) -> None:
        """It harms no other thread: what is in memory is not even begun."""
        other = conn.request("GET", "/late")
        with pytest.raises(http.client.CannotSendRequest, match=r"announced|content-length"):
            conn.request("POST", "/count", make(), {"Content-Length": str(announced)})
        if transport_of(conn).protocol == "h2" or isinstance(make(), bytes | str):
            assert conn.getresponse(other).read() == b"late"
        right = conn.request("POST", "/count", make(), {"Content-Length": "4"})
        assert conn.getresponse(right).read() == b"4"

    def test_a_body_that_comes_later_and_has_another_length(self, conn: hyperlite.HTTP20Connection) -> None:
        """Nothing of what is too much is sent, and what is missing can still be."""
        stream_id = conn.request("POST", "/count", headers={"Content-Length": "4"}, end_stream=False)
        conn.send(b"abc", stream_id)
        with pytest.raises(http.client.CannotSendRequest, match="the body is longer"):
            conn.send(b"de", stream_id)
        with pytest.raises(http.client.CannotSendRequest, match="1 bytes of its content-length missing"):
            conn.end(stream_id)
        conn.send(b"d", stream_id)
        conn.end(stream_id)
        assert conn.getresponse(stream_id).read() == b"4"

    @pytest.mark.parametrize("length", ["five", "-1", "1, 1", "9" * 20])
    def test_a_length_that_is_no_number(self, conn: hyperlite.HTTP20Connection, length: str) -> None:
        with pytest.raises(ValueError, match="is no number"):
            conn.request("POST", "/count", b"a", {"Content-Length": length})
        assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"

    def test_as_ready_yields_all_ids(self, conn: hyperlite.HTTP20Connection) -> None:
        ids = [conn.request("GET", f"/sized?n={n}") for n in range(10)]
        assert sorted(conn.as_ready(ids)) == ids
        assert [len(conn.getresponse(stream_id).read()) for stream_id in ids] == list(range(10))

    def test_as_ready_looks_even_if_it_may_not_wait(self, conn: hyperlite.HTTP20Connection) -> None:
        """A thread that does something else in between, and asks from time to time, gets all of them."""
        ids = [conn.request("GET", "/") for _ in range(5)]
        came: list[int] = []
        until = time.monotonic() + 10
        while len(came) < len(ids) and time.monotonic() < until:
            with contextlib.suppress(hyperlite.RequestTimeout):
                came.extend(conn.as_ready(set(ids).difference(came), timeout=0))
        assert sorted(came) == ids

    def test_as_ready_of_an_unknown_id(self, conn: hyperlite.HTTP20Connection) -> None:
        with pytest.raises(http.client.ResponseNotReady, match="id 99"):
            list(conn.as_ready([99]))

    @pytest.mark.parametrize(
        ("body", "received", "length"),
        [
            pytest.param(b"bytes", "bytes", "5", id="bytes"),
            pytest.param("caf\xe9", "caf\xe9", "4", id="str"),
            pytest.param(bytearray(b"array"), "array", "5", id="bytearray"),
            pytest.param(memoryview(b"view"), "view", "4", id="memoryview"),
            pytest.param(b"", "", "0", id="empty"),
            pytest.param(None, "", "0", id="none"),
            pytest.param(lambda: io.BytesIO(b"file"), "file", None, id="file"),
            pytest.param(lambda: io.StringIO("t\xebxt"), "t\xebxt", None, id="text file"),
            pytest.param(lambda: iter([b"a", b"", b"bc"]), "abc", None, id="iterable"),
            pytest.param(lambda: [b"l", b"ist"], "list", None, id="list"),
            pytest.param(lambda: iter(()), "", None, id="empty iterable"),
        ],
    )
    def test_bodies(
        self, conn: hyperlite.HTTP20Connection, body: Any, received: str, length: str | None
    ) -> None:
        seen = reported(conn, "POST", body() if callable(body) else body)
        assert seen["body"] == received
        assert dict(seen["headers"]).get("content-length") == length

    def test_what_http_client_adds_by_itself(self, conn: hyperlite.HTTP20Connection, server: Server) -> None:
        seen = reported(conn, "GET")
        assert seen["authority"] == f"localhost:{server.port}"
        assert [field for field in seen["headers"] if field[0] != "host"] == [["accept-encoding", "identity"]]

    def test_headers_of_the_caller(self, conn: hyperlite.HTTP20Connection) -> None:
        headers = {"Host": "elsewhere", "Accept-Encoding": "gzip", "X-Int": 7, "X-Bytes": b"\xe9"}
        seen = reported(conn, "GET", None, headers)
        assert seen["authority"] == "elsewhere"
        fields = dict(seen["headers"])
        assert (fields["accept-encoding"], fields["x-int"], fields["x-bytes"]) == ("gzip", "7", "\xe9")

    @pytest.mark.parametrize("target", ["/nothing", "/unchanged"])
    def test_answers_without_a_body(self, conn: hyperlite.HTTP20Connection, target: str) -> None:
        response = get(conn, target)
        assert response.status in (204, 304)
        assert response.read() == b""
        assert get(conn, "/").read() == b"hello"

    def test_head(self, conn: hyperlite.HTTP20Connection) -> None:
        response = conn.getresponse(conn.request("HEAD", "/"))
        assert response.getheader("content-length") == "5"
        assert response.read() == b""
        assert get(conn, "/").read() == b"hello"

    def test_several_cookies(self, conn: hyperlite.HTTP20Connection) -> None:
        response = get(conn, "/cookies")
        assert response.headers.get_all("Set-Cookie") == ["a=1", "b=2"]
        assert response.getheader("set-cookie") == "a=1, b=2"
        name = "Set-Cookie" if response.version == 20 else "set-cookie"  # as the server wrote it
        assert [field for field in response.getheaders() if field[0].lower() == "set-cookie"] == [
            (name, "a=1"),
            (name, "b=2"),
        ]

    @pytest.mark.parametrize(
        ("arguments", "error"),
        [
            (("GET\r\nX: y", "/"), ValueError),
            (("G ET", "/"), ValueError),
            (("", "/"), ValueError),
            (("GET", "/a b"), http.client.InvalidURL),
            (("GET", "/\r\nHost: evil"), http.client.InvalidURL),
            (("GET", "/\0"), http.client.InvalidURL),
            (("GET", "/\xe9"), UnicodeEncodeError),
            (("GET", "/", None, {"a\r\nb": "c"}), ValueError),
            (("GET", "/", None, {"a b": "c"}), ValueError),
            (("GET", "/", None, {"": "c"}), ValueError),
            (("GET", "/", None, {":path": "/x"}), ValueError),
            (("GET", "/", None, {"a": "b\r\nc: d"}), ValueError),
            (("GET", "/", None, {"a": "b\0"}), ValueError),
            (("GET", "/", None, {"a": 1.5}), TypeError),
            (("POST", "/", 17), TypeError),
            (("POST", "/", "\u20ac"), UnicodeEncodeError),
        ],
    )
    def test_what_may_not_be_sent_is_not(
        self, conn: hyperlite.HTTP20Connection, server: Server, arguments: Any, error: type[Exception]
    ) -> None:
        with pytest.raises(error):
            conn.request(*arguments)
        assert server.log == []
        assert get(conn, "/").read() == b"hello"

    def test_a_bad_piece_of_a_body_cancels_the_request(self, conn: hyperlite.HTTP20Connection) -> None:
        with pytest.raises(TypeError):
            conn.request("POST", "/count", iter([b"good", 17]))
        assert get(conn, "/").read() == b"hello"
        with pytest.raises(http.client.ResponseNotReady):
            conn.getresponse()

    def test_an_upload_that_raises_is_cancelled(self, conn: hyperlite.HTTP20Connection) -> None:
        def pieces() -> Any:
            yield b"x"
            raise RuntimeError("the source dried up")

        with pytest.raises(RuntimeError, match="dried up"):
            conn.request("POST", "/count", pieces())
        assert get(conn, "/").read() == b"hello"

    def test_a_large_upload(self, conn: hyperlite.HTTP20Connection) -> None:
        size = 5_000_000
        assert conn.getresponse(conn.request("POST", "/count", b"x" * size)).read() == str(size).encode()
        pieces = (b"y" * 50_000 for _ in range(100))
        assert conn.getresponse(conn.request("POST", "/count", pieces)).read() == b"5000000"

    def test_a_large_download(self, conn: hyperlite.HTTP20Connection) -> None:
        assert get(conn, "/sized?n=5000000").read() == b"x" * 5_000_000
        assert len(get(conn, "/chunks?n=20000").read()) == 200_000

    def test_a_response_closed_early_is_no_trouble_for_the_next(
        self, conn: hyperlite.HTTP20Connection
    ) -> None:
        response = get(conn, "/sized?n=3000000")
        assert response.read(10) == b"x" * 10
        response.close()
        assert response.closed
        assert response.isclosed()
        assert get(conn, "/").read() == b"hello"

    def test_cancel(self, conn: hyperlite.HTTP20Connection) -> None:
        first = conn.request("GET", "/sized?n=2000000")
        second = conn.request("GET", "/")
        conn.cancel(first)
        with pytest.raises(http.client.ResponseNotReady):
            conn.getresponse(first)
        with pytest.raises(http.client.ResponseNotReady):
            conn.cancel(first)
        assert conn.getresponse(second).read() == b"hello"

    def test_close_forgets_what_was_not_taken(self, conn: hyperlite.HTTP20Connection) -> None:
        stream_id = conn.request("GET", "/")
        conn.close()
        conn.close()
        with pytest.raises(http.client.ResponseNotReady):
            conn.getresponse(stream_id)
        assert "closed" in repr(conn)

    def test_a_response_outlives_its_connection(self, conn: hyperlite.HTTP20Connection) -> None:
        response = get(conn, "/sized?n=3000000")
        conn.close()
        assert conn.sock is None
        assert len(response.read()) == 3_000_000

    def test_a_timeout_consumes_its_request(self, server: Server, connect: Connect) -> None:
        conn = connect(server, timeout=0.2)
        conn.request("GET", "/slow")
        with pytest.raises(TimeoutError):
            conn.getresponse()
        with pytest.raises(http.client.ResponseNotReady):
            conn.getresponse()
        assert get(conn, "/").read() == b"hello"

    def test_no_server_listens(self) -> None:
        with Server({}, secure=False) as server:
            port = server.port
        with pytest.raises(ConnectionRefusedError):
            hyperlite.HTTP20Connection("localhost", port, timeout=5).request("GET", "/")

    def test_connect_is_audited(self, server: Server) -> None:
        """In a process of its own: a hook stays for ever, and would slow down all tests that follow."""
        script = (
            "import sys, hyperlite\n"
            "heard = []\n"
            "sys.addaudithook(lambda event, args: heard.append((event, args)))\n"
            "context = hyperlite.create_context(cafile=sys.argv[2])\n"
            "conn = hyperlite.HTTP20Connection('localhost', int(sys.argv[1]), context=context)\n"
            "conn.connect()\n"
            "assert ('http.client.connect', (conn, 'localhost', conn.port)) in heard\n"
            "conn.close()\n"
        )
        subprocess.run([sys.executable, "-c", script, str(server.port), server.ca_file], check=True)

    def test_the_context_is_left_as_it_was(self, server: Server) -> None:
        context = server.context()
        with hyperlite.HTTP20Connection("localhost", server.port, context=context, timeout=10) as conn:
            get(conn, "/").read()
        plain = http.client.HTTPSConnection("localhost", server.port, context=context, timeout=10)
        plain.request("GET", "/")
        assert plain.getresponse().read() == b"hello"
        assert plain.sock.selected_alpn_protocol() is None
        plain.close()


class TestProtocols:
    def test_versions(self, serve: Serve, connect: Connect) -> None:
        for alpn, version in [(("h2",), 20), (("http/1.1",), 11), ((), 11)]:
            assert get(connect(serve(alpn=alpn)), "/").version == version

    def test_cleartext_by_prior_knowledge(self, serve: Serve, connect: Connect) -> None:
        server = serve(secure=False)
        conn = connect(server, secure=False)
        assert conn.default_port == 80
        response = get(conn, "/report")
        assert response.version == 20
        assert server.log[0][0] == "h2"

    def test_default_ports_are_not_named(self) -> None:
        assert hyperlite.HTTP20Connection("example.org")._authority == b"example.org"
        assert hyperlite.HTTP20Connection("example.org:8443")._authority == b"example.org:8443"
        assert hyperlite.HTTP20Connection("[::1]", 80, secure=False)._authority == b"[::1]"

    def test_it_is_an_http_client_connection(self, h2: hyperlite.HTTP20Connection) -> None:
        assert isinstance(h2, http.client.HTTPSConnection)
        assert isinstance(get(h2, "/"), http.client.HTTPResponse)


class TestOnHTTP2:
    def test_one_connection_serves_all(self, serve: Serve, connect: Connect) -> None:
        server = serve()
        conn = connect(server)
        ids = [conn.request("GET", "/") for _ in range(300)]
        assert {conn.getresponse(stream_id).read() for stream_id in ids} == {b"hello"}
        assert server.connections == 1

    def test_as_ready_follows_the_server_not_the_caller(self, h2: hyperlite.HTTP20Connection) -> None:
        late, early = h2.request("GET", "/late"), h2.request("GET", "/")
        assert list(h2.as_ready()) == [early, late]

    def test_as_ready_gives_up(self, h2: hyperlite.HTTP20Connection) -> None:
        slow, quick = h2.request("GET", "/slow"), h2.request("GET", "/")
        ready = h2.as_ready(timeout=0.1)
        assert next(ready) == quick
        with pytest.raises(TimeoutError, match="1 responses"):
            next(ready)
        h2.cancel(slow)

    def test_one_timeout_leaves_the_siblings_alone(self, serve: Serve, connect: Connect) -> None:
        server = serve()
        conn = connect(server, timeout=0.2)
        slow, quick = conn.request("GET", "/slow"), conn.request("GET", "/")
        with pytest.raises(hyperlite.RequestTimeout, match=r"within 0\.2 s") as caught:
            conn.getresponse(slow)
        assert caught.value.stream_id == slow
        assert conn.getresponse(quick).read() == b"hello"
        assert server.connections == 1

    def test_a_response_dropped_unread_is_reset(self, h2: hyperlite.HTTP20Connection) -> None:
        response = get(h2, "/sized?n=3000000")
        assert response.status == 200
        del response
        gc.collect()
        assert get(h2, "/").read() == b"hello"
        assert "0 streams" in repr(h2)

    def test_echo_while_it_is_sent(self, h2: hyperlite.HTTP20Connection) -> None:
        """The answer is larger than its window before the request is over: neither waits for the other."""
        data = bytes(range(256)) * 20_000
        assert h2.getresponse(h2.request("POST", "/echo", data)).read() == data

    def test_informational_and_trailers(self, h2: hyperlite.HTTP20Connection) -> None:
        response = get(h2, "/hints")
        assert [(status, fields["link"]) for status, fields in response.informational] == [
            (103, "</style.css>")
        ]
        response = get(h2, "/trailers")
        assert response.read() == b"body"
        assert response.trailers["x-sum"] == "4"

    def test_ping(self, h2: hyperlite.HTTP20Connection) -> None:
        with pytest.raises(http.client.NotConnected):
            h2.ping()
        get(h2, "/").read()
        assert 0 < h2.ping() < 10

    def test_repr(self, h2: hyperlite.HTTP20Connection) -> None:
        assert "closed, 0 untaken" in repr(h2)
        stream_id = h2.request("GET", "/slow")
        assert "HTTP/2, 1 streams, 0 queued, 1 untaken" in repr(h2)
        h2.cancel(stream_id)
        assert "HTTP/2, 0 streams, 0 queued, 0 untaken" in repr(h2)

    def test_the_socket_answers_for_its_peer(self, h2: hyperlite.HTTP20Connection) -> None:
        h2.connect()
        assert h2.sock.selected_alpn_protocol() == "h2"
        assert h2.sock.getpeercert()["subjectAltName"]
        h2.sock.settimeout(3)
        assert h2.sock.gettimeout() == 3
        with pytest.raises(io.UnsupportedOperation, match="shared"):
            h2.sock.recv(1)
        with pytest.raises(AttributeError, match="shared"):
            _ = h2.sock.nothing

    def test_a_caller_may_take_the_socket_away(self, h2: hyperlite.HTTP20Connection) -> None:
        """As urllib.request does: the last response to finish closes the transport."""
        response = get(h2, "/sized?n=3000000")
        sock = h2.sock
        h2.sock.close()
        h2.sock = None
        assert len(response.read()) == 3_000_000
        assert sock.fileno() == -1
        assert get(h2, "/").read() == b"hello"

    def test_auto_open_off(self, serve: Serve, connect: Connect) -> None:
        server = serve(requests_per_connection=1)
        conn = connect(server)
        assert get(conn, "/").read() == b"hello"
        conn.auto_open = 0
        with pytest.raises(http.client.NotConnected, match="auto_open"):
            get(conn, "/")


def test_an_engine_that_does_not_exist(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn = connect(serve())
    with monkeypatch.context() as patch:
        patch.setenv("HYPERLITE_ENGINE", "steam")
        with pytest.raises(ValueError, match="steam"):
            conn.request("GET", "/")
    assert get(conn, "/").read() == b"hello"
