"""All origins of a pool, each by its key."""

from collections.abc import Iterator
from typing import Any

import pytest

from hyperlite.messages.urls import parse
from hyperlite.net.trust import create_context
from hyperlite.origins import connection
from hyperlite.origins import origin as origin_module
from hyperlite.origins import registry as registry_module
from hyperlite.origins.connection import PooledConnection
from hyperlite.origins.key import Key
from hyperlite.origins.origin import Settings
from hyperlite.origins.registry import Registry
from hyperlite.testing.server import Server
from hyperlite.transports import TransportOptions
from tests.conftest import Serve

SETTINGS = Settings(
    max_connections=4,
    max_http1=4,
    max_idle=10,
    idle_timeout=None,
    source_address=None,
    transports=TransportOptions(),
)


@pytest.fixture
def registry(request: pytest.FixtureRequest) -> Iterator[Registry]:
    registry = Registry(SETTINGS._replace(**getattr(request, "param", {})))
    yield registry
    registry.close()


class Site:
    """A server, and the key of the connections to it."""

    def __init__(self, server: Server) -> None:
        self.key = Key.of(parse(server.url("/")), None, create_context(cafile=server.ca_file))
        self.name = server.url("")

    def visit(self, registry: Registry) -> None:
        """Leave an idle connection there."""
        registry.get(self.key).lease(10).end()


@pytest.fixture
def sites(serve: Serve) -> list[Site]:
    return [Site(serve()) for _ in range(3)]


def connections(registry: Registry) -> dict[str, int]:
    return {name: state["connections"] for name, state in registry.states().items()}


def test_a_key_stands_for_one_origin(registry: Registry, sites: list[Site]) -> None:
    one = registry.get(sites[0].key)
    assert registry.get(sites[0].key) is one
    assert registry.get(sites[1].key) is not one
    assert list(registry.states()) == [sites[0].name, sites[1].name]


def test_states_of_one_origin_by_two_contexts(registry: Registry, sites: list[Site]) -> None:
    for context in (create_context(), create_context()):
        registry.get(sites[0].key._replace(context=context))
    assert list(registry.states()) == [sites[0].name, sites[0].name + "'"]


def test_counters_are_those_of_all_origins(registry: Registry, sites: list[Site]) -> None:
    for site in sites:
        site.visit(registry)
    assert registry.counters.dialled == 3


def test_idle_connections_are_closed_on_demand(registry: Registry, sites: list[Site]) -> None:
    """One that a request uses stays."""
    sites[0].visit(registry)
    lease = registry.get(sites[1].key).lease(10)
    registry.close_idle()
    assert connections(registry) == {sites[0].name: 0, sites[1].name: 1}
    lease.end()


@pytest.mark.parametrize("registry", [{"max_idle": 1}], indirect=True)
def test_the_origin_that_was_used_last_keeps_its_connection(registry: Registry, sites: list[Site]) -> None:
    """One limit holds for the idle connections to all."""
    for site in sites[:2]:
        site.visit(registry)
    registry.get(sites[2].key)
    assert connections(registry) == {sites[0].name: 0, sites[1].name: 1, sites[2].name: 0}


@pytest.mark.parametrize("registry", [{"idle_timeout": 0.0}], indirect=True)
def test_what_is_idle_for_too_long(
    registry: Registry, sites: list[Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    sites[0].visit(registry)
    assert connections(registry) == {sites[0].name: 1}
    monkeypatch.setattr(registry_module, "SWEEP", -1.0)
    registry.get(sites[1].key)
    assert connections(registry) == {sites[0].name: 0, sites[1].name: 0}


def test_an_origin_without_connections_is_forgotten(
    registry: Registry, sites: list[Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    sites[0].visit(registry)
    registry.get(sites[1].key)
    monkeypatch.setattr(registry_module, "SWEEP", -1.0)
    monkeypatch.setattr(registry_module, "FORGET", -1.0)
    registry.get(sites[2].key)
    assert connections(registry) == {sites[0].name: 1, sites[2].name: 0}


def test_closed(registry: Registry, sites: list[Site]) -> None:
    sites[0].visit(registry)
    origin = registry.get(sites[0].key)
    registry.close()
    assert registry.closed
    assert origin.state()["connections"] == 0
    for call in (lambda: registry.get(sites[0].key), lambda: origin.lease(10)):
        with pytest.raises(ValueError, match="closed"):
            call()


def test_a_connection_that_is_open_when_the_pool_is_closed_is_closed(
    registry: Registry, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that asked for it may be gone: a run of fetch_many() does not wait for its dials."""
    opened: list[PooledConnection] = []

    def dial(*args: Any, **options: Any) -> PooledConnection:
        opened.append(connection.dial(*args, **options))
        registry.close()
        return opened[0]

    monkeypatch.setattr(origin_module, "dial", dial)
    with pytest.raises(ValueError, match="the pool is closed"):
        registry.get(Site(serve()).key).lease(10)
    assert opened[0].http2 is not None
    assert opened[0].http2.closed
