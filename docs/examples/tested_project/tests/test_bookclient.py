"""How a program is tested: on a bookstore, on a server with faults, and without a socket."""

from collections.abc import Iterator

import pytest
from bookclient import BookClient

import hyperlite
from hyperlite import FetchRequest
from hyperlite.testing import Request, Response, Server, books

# -- a server that behaves ------------------------------------------------------------------------


@pytest.fixture
def client(http2_bookstore: Server) -> Iterator[BookClient]:
    with BookClient(http2_bookstore.url(), verify=http2_bookstore.ca_file) as client:
        yield client


def test_a_book(client: BookClient, http2_bookstore: Server) -> None:
    assert client.book(7) == books()[7]
    assert client.book(3000) is None
    assert [request.target for request in http2_bookstore.requests] == ["/book?id=7", "/book?id=3000"]


def test_many_books_share_a_connection(client: BookClient, http2_bookstore: Server) -> None:
    assert list(client.books(range(500))) == [books()[number] for number in range(500)]
    assert http2_bookstore.connections == 1
    assert {request.protocol for request in http2_bookstore.requests} == {"h2"}


# -- a server that does not -----------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["reset", "refuse", "goaway", "cut", "require_http1"])
def test_what_passes_is_tried_again(client: BookClient, http2_bookstore: Server, fault: str) -> None:
    getattr(http2_bookstore.faults, fault)("/book")
    assert client.book(7) == books()[7]
    assert [request.fault for request in http2_bookstore.requests] == [fault, ""]


@pytest.mark.parametrize("fault", ["reset", "cut"])
def test_half_a_book_is_no_book(client: BookClient, http2_bookstore: Server, fault: str) -> None:
    getattr(http2_bookstore.faults, fault)("/book", after=100)
    assert client.book(7) == books()[7]
    getattr(http2_bookstore.faults, fault)("/book", after=100, times=None)
    with pytest.raises(hyperlite.IncompleteBody):
        client.book(7)


def test_a_store_that_stalls_is_not_waited_for(http2_bookstore: Server) -> None:
    http2_bookstore.faults.stall("/book")
    with BookClient(http2_bookstore.url(), verify=http2_bookstore.ca_file, timeout=1.0) as client:
        with pytest.raises(TimeoutError):
            client.book(7)
        http2_bookstore.wait_until(
            lambda: any(frame.type == "RST_STREAM" and not frame.sent for frame in http2_bookstore.frames)
        )
        assert client.book(7) == books()[7]


def test_a_store_that_drips_is_waited_for(client: BookClient, http2_bookstore: Server) -> None:
    http2_bookstore.faults.drip("/book", size=100, pause=0.001)
    assert client.book(7) == books()[7]


def test_an_old_store_will_do(client: BookClient, http2_bookstore: Server) -> None:
    http2_bookstore.faults.http1_only()
    assert client.book(7) == books()[7]
    assert [request.protocol for request in http2_bookstore.requests] == ["http/1.1"]


# -- a server of the test's own -------------------------------------------------------------------


def test_an_order(http2_server: Server) -> None:
    @http2_server.route("/orders")
    def order(request: Request) -> Response:
        return Response(201, [("location", "/orders/1")])

    http2_server.faults.goaway("/orders")
    with BookClient(http2_server.url(), verify=http2_server.ca_file) as client:
        assert client.order(7, "k1") == "/orders/1"
    left_out, taken = http2_server.requests
    assert left_out.fault == "goaway"
    assert (taken.method, taken.body, taken.header("idempotency-key")) == ("POST", b'{"id":7}', "k1")
    assert taken.connection == 2


def test_an_order_that_may_have_been_taken_is_not_repeated(http2_server: Server) -> None:
    http2_server.routes["/orders"] = lambda request: Response(201)
    http2_server.faults.cut("/orders")
    with (
        BookClient(http2_server.url(), verify=http2_server.ca_file) as client,
        pytest.raises(ConnectionError),
    ):
        client.order(7, "k1")
    assert len(http2_server.requests) == 1


# -- no server ------------------------------------------------------------------------------------


def test_without_a_socket() -> None:
    asked: list[FetchRequest] = []

    def shop(request: FetchRequest) -> Response:
        asked.append(request)
        if len(asked) == 1:
            raise ConnectionResetError("the shop hung up")
        return Response(body=b'{"id": 7}')

    with BookClient("https://shop.example/", handler=shop) as client:
        assert client.book(7) == {"id": 7}
    assert [request.url for request in asked] == ["https://shop.example/book?id=7"] * 2
