"""The names that `hyperlite.client` does not define: they are read from http.client, and set there."""

import http.client as http_client
import types
from typing import Any

from . import client_classes

_ABSENT = object()
_patched: dict[str, Any] = {}  # http.client's values before they were set here


class ClientModule(types.ModuleType):
    """The class of the module `hyperlite.client`: names that it lacks are http.client's, and set there."""

    def __getattr__(self, name: str) -> Any:
        return getattr(http_client, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.__dict__:
            _patched.setdefault(name, getattr(http_client, name, _ABSENT))
            setattr(http_client, name, value)
            return
        super().__setattr__(name, value)
        if name == "_create_https_context":  # the one that the classes look up
            setattr(client_classes, name, value)

    def __delattr__(self, name: str) -> None:
        """Undo a setting, as `mock.patch` does with a name that is not in the module's `__dict__`."""
        if name not in _patched:
            super().__delattr__(name)
            return
        before = _patched.pop(name)
        if before is _ABSENT:
            delattr(http_client, name)
        else:
            setattr(http_client, name, before)

    def __dir__(self) -> list[str]:
        return sorted({*self.__dict__, *dir(http_client)})
