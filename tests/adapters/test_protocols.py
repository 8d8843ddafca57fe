"""`HTTP20Adapter(protocols=...)`: what is spoken beneath requests."""

import io
import pickle
from typing import Any

import pytest
import requests
import urllib3

from hyperlite.adapters.requests import HTTP20Adapter
from hyperlite.errors import ErrorCode
from hyperlite.testing.certificates import certificates
from hyperlite.testing.server import Server
from tests import websocket
from tests.conftest import Serve
from tests.connect_proxy import Proxy
from tests.fetching.test_http1_required import picky, serve_http1
from tests.peer import Peer

from .conftest import MakeSession

H2, HTTP11, BOTH = ("h2",), ("http/1.1",), ("h2", "http/1.1")


@pytest.mark.parametrize(
    ("secure", "protocols", "version"),
    [
        (True, None, "HTTP/2"),
        (True, BOTH, "HTTP/2"),
        (True, H2, "HTTP/2"),
        (True, HTTP11, "HTTP/1.1"),
        (False, None, "HTTP/1.1"),
        (False, BOTH, "HTTP/1.1"),
        (False, H2, "HTTP/2"),
        (False, HTTP11, "HTTP/1.1"),
    ],
)
def test_what_is_chosen_is_spoken(
    serve: Serve, make_session: MakeSession, secure: bool, protocols: Any, version: str
) -> None:
    server, session = serve(secure=secure), make_session(HTTP20Adapter(protocols=protocols))
    for _ in range(2):
        response = session.post(server.url("/count"), data=b"12345")
        assert (response.raw.version_string, response.text) == (version, "5")
    assert server.connections == 1


def test_http2_alone_that_the_server_does_not_choose_is_an_error(
    serve: Serve, make_session: MakeSession
) -> None:
    server, session = serve(alpn=HTTP11), make_session(HTTP20Adapter(protocols=H2))
    with pytest.raises(requests.ConnectionError, match="did not choose HTTP/2"):
        session.get(server.url())
    assert server.log == []


def test_http2_alone_is_not_left_to_urllib3(make_session: MakeSession) -> None:
    session = make_session(HTTP20Adapter(protocols=H2))
    for _ in range(2):
        with pytest.raises(ValueError, match="is left to urllib3"):
            session.get("https://localhost/", proxies={"https": "https://localhost:1"})
        with pytest.raises(ValueError, match="is asked for http:// URLs"):
            session.get("http://example.org/", proxies={"http": "http://localhost:1"})


def test_http2_alone_goes_through_a_tunnel(serve: Serve, make_session: MakeSession) -> None:
    server, session = serve(), make_session(HTTP20Adapter(protocols=H2))
    with Proxy() as proxy:
        response = session.get(server.url(), proxies={"https": proxy.url()})
        assert response.raw.version_string == "HTTP/2"


def test_gets_go_on_where_the_server_closes_because_it_requires_http1(make_session: MakeSession) -> None:
    session = make_session(HTTP20Adapter())
    with Peer(tls=certificates().server_context(("h2", "http/1.1"))) as peer:
        answers = [peer.background(session.get, f"https://localhost:{peer.port}/{n}") for n in range(2)]
        peer.accept()
        peer.greet()
        assert set(peer.want_requests(2)) == {"/0", "/1"}
        peer.goaway(2**31 - 1, ErrorCode.HTTP_1_1_REQUIRED)
        peer.finish()
        assert serve_http1(peer, 2) == [b"GET /0 HTTP/1.1", b"GET /1 HTTP/1.1"]
        assert [answer.result().raw.version_string for answer in answers] == ["HTTP/1.1"] * 2


def test_it_is_pickled(serve: Serve, make_session: MakeSession) -> None:
    copy = pickle.loads(pickle.dumps(HTTP20Adapter(protocols=HTTP11)))
    assert make_session(copy).get(serve().url()).raw.version_string == "HTTP/1.1"


def test_anything_else_is_an_error() -> None:
    with pytest.raises(ValueError, match="'h3' is not among the protocols"):
        HTTP20Adapter(protocols=("h3",))


class TestHttp1IsRequired:
    @pytest.fixture
    def server(self, serve: Serve) -> Server:
        return serve(routes={"/": picky})

    @pytest.mark.parametrize("body", [None, b"body", io.BytesIO(b"body"), {"a": "b"}])
    def test_a_request_goes_on(self, server: Server, session: requests.Session, body: Any) -> None:
        for before in (["h2"], ["h2", "http/1.1"]):
            response = session.post(server.url(), data=body)
            assert response.raw.version_string == "HTTP/1.1"
            assert response.content == (b"a=b" if isinstance(body, dict) else b"body" if body else b"hello")
            assert [entry[0] for entry in server.log] == [*before, "http/1.1"]
            if isinstance(body, io.BytesIO):
                body.seek(0)

    def test_a_body_that_cannot_be_sent_again_is_an_error(
        self, server: Server, session: requests.Session
    ) -> None:
        with pytest.raises(requests.ConnectionError, match="the body cannot be sent again"):
            session.post(server.url(), data=iter([b"bo", b"dy"]))
        assert session.post(server.url(), data=iter([b"bo", b"dy"])).content == b"body"

    def test_where_http2_alone_may_be_spoken_it_is_an_error(
        self, server: Server, make_session: MakeSession
    ) -> None:
        session = make_session(HTTP20Adapter(protocols=H2))
        with pytest.raises(requests.ConnectionError, match="which the choice of protocols excludes"):
            session.get(server.url())
        assert len(server.log) == 1


class TestUpgrade:
    @pytest.mark.parametrize("patched", [True, False])
    @pytest.mark.parametrize("secure", [True, False])
    def test_the_socket_is_where_it_is_over_requests_own_adapter(
        self,
        serve: Serve,
        session: requests.Session,
        monkeypatch: pytest.MonkeyPatch,
        secure: bool,
        patched: bool,
    ) -> None:
        if patched:  # so that urllib3's own way is gone
            make_request = urllib3.HTTPConnectionPool._make_request

            def watched(*args: Any, **options: Any) -> Any:
                return make_request(*args, **options)

            monkeypatch.setattr(urllib3.HTTPConnectionPool, "_make_request", watched)
        server = serve(routes=websocket.ROUTES, secure=secure)
        assert session.get(server.url()).text == "hello"
        with session.get(server.url("/chat"), headers=websocket.HEADERS, stream=True) as response:
            assert (response.status_code, response.raw.version_string) == (101, "HTTP/1.1")
            assert response.headers["Sec-WebSocket-Accept"] == websocket.accept_of(websocket.KEY)
            sock = response.raw._fp.fp.raw._sock  # as docker has it
            assert response.raw.connection.sock is sock
            websocket.converse(websocket.reader(sock), sock.sendall)
        assert sock.fileno() == -1
        assert session.get(server.url()).raw.version_string == ("HTTP/2" if secure else "HTTP/1.1")

    def test_where_http2_alone_may_be_spoken_it_is_an_error(self, make_session: MakeSession) -> None:
        session = make_session(HTTP20Adapter(protocols=H2))
        with pytest.raises(ValueError, match="Upgrade is for HTTP/1"):
            session.get("https://localhost:1/", headers=websocket.HEADERS)
