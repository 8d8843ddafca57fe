"""What HTTP/2 and HTTP/1.1 have in common, and what gives a request up on either."""

import ast
import inspect
from typing import Any

import pytest

import hyperlite
from hyperlite.messages import exchange as exchange_module
from hyperlite.messages.exchange import Answer, AnswerTransport, Exchange, Transport, give_up
from tests.conftest import Connect, Serve
from tests.inside import exchange_of, transport_of


def members(protocol: type) -> set[str]:
    """Return the names that a Protocol declares, its bases' too."""
    names: set[str] = set()
    for kind in protocol.__mro__:
        if kind.__module__ == exchange_module.__name__:
            (tree,) = ast.parse(inspect.getsource(kind)).body
            assert isinstance(tree, ast.ClassDef)
            for node in tree.body:
                match node:
                    case ast.FunctionDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                        names.add(name)
    return names


@pytest.fixture(params=["h2", "http/1.1"])
def conn(request: pytest.FixtureRequest, serve: Serve, connect: Connect) -> hyperlite.HTTP20Connection:
    return connect(serve(alpn=(request.param,)))


def test_both_protocols_have_all_of_it(conn: hyperlite.HTTP20Connection) -> None:
    """A request that is under way, and the connection that carries it; of HTTP/2 more is asked."""
    exchange = exchange_of(conn, conn.request("GET", "/slow"))
    transport = transport_of(conn)
    both = transport.protocol == "h2"
    for one, protocol in (
        (exchange, Answer if both else Exchange),
        (transport, AnswerTransport if both else Transport),
    ):
        assert len(members(protocol)) > 7
        assert [name for name in sorted(members(protocol)) if not hasattr(one, name)] == []
    assert isinstance(exchange, transport.exchange_class)
    assert exchange.transport is transport


class TestGivingUp:
    def test_one_that_waits_for_its_answer(self, conn: hyperlite.HTTP20Connection) -> None:
        exchange = exchange_of(conn, conn.request("GET", "/slow"))
        other = conn.request("GET", "/")
        give_up(exchange)
        assert (exchange.given_up, exchange.settled) == (True, True)
        assert exchange.error is not None
        assert conn.getresponse(other).read() == b"hello"

    def test_twice_is_once(self, conn: hyperlite.HTTP20Connection) -> None:
        exchange = exchange_of(conn, conn.request("GET", "/slow"))
        give_up(exchange)
        error = exchange.error
        give_up(exchange)
        assert exchange.error is error

    def test_one_that_another_has_taken_the_place_of(self, conn: hyperlite.HTTP20Connection) -> None:
        """As where a request goes on over another protocol: both are over."""
        first = exchange_of(conn, conn.request("GET", "/slow"))
        second: Any = exchange_of(conn, conn.request("GET", "/slow"))
        first.heir = second  # type: ignore[misc]
        give_up(first)
        assert first.error is not None
        assert second.error is not None
