"""Every test of an engine runs over each engine."""

import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings

from hyperlite.http2.engine import make_engine
from tests.peer import EnginePeer

ENGINES = ["h2", "native"]

# An example that is slow on a busy machine is no failure.
settings.register_profile("any pace", deadline=None)
settings.load_profile("any pace")

Make = Callable[..., EnginePeer]


@pytest.fixture(params=ENGINES)
def make(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Make an engine with a scripted peer around it; the options are `make_engine`'s."""
    monkeypatch.setenv("HYPERLITE_ENGINE", request.param)
    return lambda **options: EnginePeer(make_engine(**options))


@pytest.fixture
def fresh(make: Make) -> EnginePeer:
    """A peer that has said nothing yet."""
    return make()


@pytest.fixture
def peer(make: Make) -> EnginePeer:
    """A peer that has sent its SETTINGS; what the engine has said so far is read."""
    peer = make()
    peer.greet()
    peer.said()
    return peer


@pytest.fixture
def connection_window(monkeypatch: pytest.MonkeyPatch) -> int:
    """Make the connection's window small enough to be used up by a test; returns its size."""
    size = 1 << 20
    for name, module in list(sys.modules.items()):
        if name.startswith("hyperlite.http2.engine") and hasattr(module, "CONNECTION_WINDOW"):
            monkeypatch.setattr(module, "CONNECTION_WINDOW", size)
    return size


@pytest.fixture
def get() -> list[tuple[bytes, bytes]]:
    """The fields of a request."""
    return request("GET")


def request(method: str, *fields: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """Return the fields of a request."""
    pseudo: dict[Any, bytes] = {
        b":method": method.encode(),
        b":scheme": b"https",
        b":authority": b"host",
        b":path": b"/",
    }
    return [*pseudo.items(), *fields]
