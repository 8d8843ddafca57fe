"""Module and classes: what http.client has, hyperlite.client has in the same shape."""

import http.client
import inspect
from typing import Any

import pytest

from hyperlite import client

CLASSES = ("HTTPConnection", "HTTPSConnection", "HTTPResponse")
PUBLIC = [name for name in dir(http.client) if not name.startswith("__")]
ATTRIBUTES = [
    (cls, name) for cls in CLASSES for name in dir(getattr(http.client, cls)) if not name.startswith("__")
]
# Subclasses of http.client's own.
OWN = {("HTTPConnection", "response_class"), ("HTTPSConnection", "response_class")}


def _pair(cls: str) -> tuple[Any, Any]:
    return getattr(http.client, cls), getattr(client, cls)


def _parameters(function: Any) -> list[tuple[str, Any, Any]]:
    parameters = inspect.signature(function).parameters.values()
    return [(one.name, one.kind, one.default) for one in parameters]


# Since Python 3.12; hyperlite's offers no protocol by ALPN.
OWN_NAMES = {*CLASSES, "_create_https_context"}


@pytest.mark.parametrize("name", [name for name in PUBLIC if name not in OWN_NAMES])
def test_name_is_http_clients_own(name: str) -> None:
    assert getattr(client, name) is getattr(http.client, name)


def test_all() -> None:
    assert client.__all__ == http.client.__all__
    assert set(dir(http.client)) <= set(dir(client))


@pytest.mark.parametrize("cls", CLASSES)
def test_class(cls: str) -> None:
    old, new = _pair(cls)
    assert issubclass(new, old)
    assert (new.__name__, new.__module__) == (old.__name__, old.__module__)
    assert _parameters(new) == _parameters(old)


def test_https_connection_is_an_http_connection() -> None:
    assert issubclass(client.HTTPSConnection, client.HTTPConnection)
    assert client.HTTPSConnection.response_class is client.HTTPResponse


@pytest.mark.parametrize(("cls", "name"), ATTRIBUTES)
def test_attribute(cls: str, name: str) -> None:
    old, new = (getattr(owner, name) for owner in _pair(cls))
    if (cls, name) in OWN:
        assert issubclass(new, old)
    elif callable(old):
        assert new is old or new == old or _parameters(new) == _parameters(old)
    elif not name.startswith("_abc_"):  # abc's, one for each class
        assert type(new) is type(old)
        assert new == old or inspect.isgetsetdescriptor(old)


@pytest.mark.parametrize("cls", ["HTTPConnection", "HTTPSConnection"])
def test_instance_attributes(cls: str) -> None:
    old, new = (owner("localhost", 1234, timeout=3) for owner in _pair(cls))
    assert vars(new).keys() == vars(old).keys()
    kept = ("host", "port", "timeout", "source_address", "blocksize", "sock", "debuglevel", "default_port")
    assert [getattr(new, name) for name in kept] == [getattr(old, name) for name in kept]


@pytest.mark.parametrize(
    "arguments", [("a:b",), ("a\nb",), ("a", "x"), (), ("a:80:90",), ("[::1]:8", 9), ("a:",)]
)
def test_constructor_fails_alike(arguments: tuple[Any, ...]) -> None:
    def build(owner: Any) -> Any:
        try:
            made = owner(*arguments)
        except Exception as error:
            return type(error)
        return made.host, made.port

    for cls in ("HTTPConnection", "HTTPSConnection"):
        old, new = _pair(cls)
        assert build(new) == build(old)
