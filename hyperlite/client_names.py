"""The names that `hyperlite.client` does not define: they are http.client's, whatever it has there."""

import http.client as http_client
import types
from typing import Any

_ABSENT = object()
_patched: dict[str, Any] = {}  # what http.client had before it was set here


class ClientModule(types.ModuleType):
    """`hyperlite.client`: what it does not have is http.client's, and is set there."""

    def __getattr__(self, name: str) -> Any:
        return getattr(http_client, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__:
            super().__setattr__(name, value)
        else:
            _patched.setdefault(name, getattr(http_client, name, _ABSENT))
            setattr(http_client, name, value)

    def __delattr__(self, name: str) -> None:
        """Undo a setting: so do those who patch a name that a module has by way of another."""
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
