"""What http.client has from Python 3.15 on, by its signatures: `max_response_headers`, told to `begin()`."""

import http.client
import inspect
from typing import Any

import pytest

import hyperlite
from hyperlite import client
from hyperlite.testing.certificates import certificates
from hyperlite.testing.server import Request, Response, Server
from tests.conftest import Connect, Serve

CONNECTION, RESPONSE = http.client.HTTPConnection, http.client.HTTPResponse


def fields(request: Request) -> Response:
    """Return `?n=` header fields, and a few that the server adds."""
    return Response(headers=[(f"x-{number}", "") for number in range(int(request.query["n"][0]))])


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give http.client the signatures of Python 3.15."""
    if "max_response_headers" in inspect.signature(CONNECTION).parameters:
        return
    init, begin = CONNECTION.__init__, RESPONSE.begin

    def new_init(self: Any, *args: Any, max_response_headers: int | None = None, **options: Any) -> None:
        init(self, *args, **options)
        self.max_response_headers = max_response_headers

    def new_begin(self: Any, *, _max_headers: int | None = None) -> None:
        with monkeypatch.context() as limited:
            if _max_headers is not None:
                limited.setattr(http.client, "_MAXHEADERS", _max_headers)
            begin(self)

    secure_init = http.client.HTTPSConnection.__init__

    def new_secure_init(
        self: Any, *args: Any, max_response_headers: int | None = None, **options: Any
    ) -> None:
        secure_init(self, *args, **options)
        self.max_response_headers = max_response_headers

    getresponse = CONNECTION.getresponse

    def new_getresponse(self: Any) -> Any:
        """Call `begin()` with the limit, where there is one."""
        kind = self.response_class

        def made(*args: Any, **options: Any) -> Any:
            response = kind(*args, **options)
            if self.max_response_headers is not None:
                told = response.begin
                response.begin = lambda: told(_max_headers=self.max_response_headers)
            return response

        self.response_class = made
        try:
            return getresponse(self)
        finally:
            self.response_class = kind

    monkeypatch.setattr(CONNECTION, "__init__", new_init)
    monkeypatch.setattr(http.client.HTTPSConnection, "__init__", new_secure_init)
    monkeypatch.setattr(RESPONSE, "begin", new_begin)
    monkeypatch.setattr(CONNECTION, "getresponse", new_getresponse)


@pytest.fixture(params=["h2", "http/1.1"])
def server(request: pytest.FixtureRequest, serve: Serve) -> Server:
    return serve(routes=fields, alpn=(request.param,))


def connect_as_http_client(server: Server, **options: Any) -> Any:
    context = certificates().client_context()
    return client.HTTPSConnection("localhost", server.port, context=context, timeout=10, **options)


@pytest.mark.usefixtures("later")
class TestClient:
    def test_without_a_limit_nothing_changes(self, server: Server) -> None:
        conn = connect_as_http_client(server)
        assert conn.max_response_headers is None
        conn.request("GET", "/?n=50")
        assert len(conn.getresponse().getheaders()) >= 50
        conn.close()

    def test_fewer(self, server: Server) -> None:
        conn = connect_as_http_client(server, max_response_headers=20)
        conn.request("GET", "/?n=5")
        conn.getresponse().read()
        conn.request("GET", "/?n=50")
        with pytest.raises(http.client.HTTPException, match="got more than 20 headers"):
            conn.getresponse()
        conn.close()
        conn.max_response_headers = 200  # from the next response on
        conn.request("GET", "/?n=50")
        assert conn.getresponse().status == 200
        conn.close()

    def test_more(self, server: Server) -> None:
        """More than hyperlite takes on HTTP/2, and http.client on HTTP/1.1, where nothing is said."""
        conn = connect_as_http_client(server, max_response_headers=1500)
        conn.request("GET", "/?n=1200")
        assert len(conn.getresponse().getheaders()) >= 1200
        conn.close()

    def test_begin_by_itself(self, server: Server) -> None:
        conn = connect_as_http_client(server)
        for limit in (5, None):
            conn.request("GET", "/?n=10")
            response = client.HTTPResponse(conn.sock, method="GET")
            if limit is None:
                response.begin(_max_headers=None)
                assert response.status == 200
            else:
                with pytest.raises(http.client.HTTPException, match="got more than 5 headers"):
                    response.begin(_max_headers=limit)
            response.close()
            conn.close()


def test_begin_has_the_signature_of_the_running_python() -> None:
    assert inspect.signature(client.HTTPResponse.begin) == inspect.signature(RESPONSE.begin)


@pytest.mark.usefixtures("later")
def test_http20_connection_on_later_pythons(server: Server, connect: Connect) -> None:
    conn = connect(server, max_response_headers=200)
    assert conn.max_response_headers == 200
    assert conn.getresponse(conn.request("GET", "/?n=150")).status == 200


def test_http20_connection_has_one_limit_for_both_protocols(server: Server, connect: Connect) -> None:
    conn = connect(server, max_response_headers=200)
    assert len(conn.getresponse(conn.request("GET", "/?n=150")).getheaders()) >= 150
    with pytest.raises(hyperlite.MalformedResponse, match="more than 200 header fields"):
        conn.getresponse(conn.request("GET", "/?n=250"))
    assert conn.getresponse(conn.request("GET", "/?n=1")).status == 200
