"""http.client's own classes, even if a program replaces their names or their methods.

Programs replace names of http.client (vcrpy while a cassette is in use, warcio as soon as it is imported)
and methods of its classes (tracers, s3cmd).  The rule here:

- A replaced *name* concerns only code that looks it up.  hyperlite's classes are made of http.client's own
  classes, which are found once, when this module is imported, even if the names are replaced at that moment.
- A replaced *method* acts on the classes of `hyperlite.client` as on http.client's own.
"""

import functools
import http.client as http_client
import itertools
import types
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any

_names = vars(http_client)


def is_own(function: object) -> bool:
    """Tell whether a function is http.client's own: neither a program's nor a wrapper of a program's."""
    # A wrapper may show the attributes of what it wraps (wrapt's do), but not its type.
    return type(function) is types.FunctionType and function.__globals__ is _names


def _own_class(name: str) -> Any:
    """Return the class that http.client has defined under a name, even if the name was replaced since.

    Raises:
        ImportError: no such class exists.
    """
    present = _names.get(name)
    # There are thousands of descendants, and few are looked at.
    for kind in itertools.chain((present,), _descendants(object)):
        if _is_own_class(kind, name):
            return kind
    raise ImportError(
        f"http.client.{name} is {present!r}, and the class of http.client itself is gone: import hyperlite "
        "before the program replaces it"
    )


def _is_own_class(kind: object, name: str) -> bool:
    if not isinstance(kind, type) or kind.__qualname__ != name or kind.__module__ != http_client.__name__:
        return False
    return any(map(is_own, vars(kind).values()))  # programs may have replaced some of its methods, never all


def _descendants(kind: type) -> Iterator[type]:
    """Yield all subclasses of a class, direct and indirect, each once."""
    seen, ahead = {kind}, [kind]
    while ahead:
        found: set[type] = set(type.__subclasses__(ahead.pop())) - seen
        yield from found
        seen |= found
        ahead += found


if TYPE_CHECKING:
    HTTPConnection = http_client.HTTPConnection
    HTTPSConnection = http_client.HTTPSConnection
    HTTPResponse = http_client.HTTPResponse
else:
    HTTPConnection = _own_class("HTTPConnection")
    HTTPSConnection = _own_class("HTTPSConnection")
    HTTPResponse = _own_class("HTTPResponse")


class UnpatchedConnection(HTTPConnection):
    """http.client's HTTPConnection with its own methods, as they were when hyperlite was imported.

    `HTTP20Connection` writes requests on HTTP/1.1 with it.  A tracer that has patched `putrequest` and
    `getresponse` would otherwise see the first call and never the second, and its span would never end.
    """


for _name, _value in tuple(vars(HTTPConnection).items()):
    if is_own(_value):
        setattr(UnpatchedConnection, _name, _value)


def bound_to_own_names(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that finds http.client's own classes under the names of http.client.

    `HTTPSConnection.__init__` looks its own class up by name in http.client's module. It fails if another
    class has that name.

    Args:
        method: a bound method. One that is not http.client's own is returned as it is.
    """
    function: Any = getattr(method, "__func__", None)
    if not is_own(function) or _names.get("HTTPSConnection") is HTTPSConnection:
        return method
    names = {**_names, "HTTPConnection": HTTPConnection, "HTTPSConnection": HTTPSConnection}
    own = types.FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, function.__closure__
    )
    own.__kwdefaults__ = function.__kwdefaults__
    return types.MethodType(own, method.__self__)  # type: ignore[attr-defined]


# Names that a method of HTTPResponse uses if it reads the head from the socket's file by itself.
_WIRE = frozenset({"_read_headers", "_read_status", "fp", "makefile", "parse_headers", "readline", "recv"})


def needs_http1(response_class: Any, streams: type, own: Collection[object]) -> bool:
    """Tell whether responses of this class can only be made from the bytes of HTTP/1.1.

    They can be made from a stream if the class is `streams` or a subclass of it, and if none of its methods
    reads the head of the response by itself.  (Bodies are read from `fp`, which is a file on either
    protocol.) If `response_class` is a function, nothing is known of its results.

    Args:
        response_class: `response_class` of a connection.
        streams: the class that makes responses from streams.
        own: its methods that take the head from a stream, and `begin` on.
    """
    while isinstance(response_class, functools.partial):
        response_class = response_class.func
    if not isinstance(response_class, type) or not issubclass(response_class, streams):
        return True
    return any(
        not (is_own(method) or method in own or _goes_on(method, name, own))
        for kind in response_class.__mro__[: response_class.__mro__.index(HTTPResponse) + 1]
        for name, method in vars(kind).items()
        if name in ("__init__", "_read_status", "begin")
    )


def _goes_on(method: Any, name: str, own: Collection[object]) -> bool:
    """Tell whether a program's method calls the one that it replaces, which then reads the head."""
    if name == "_read_status":  # for which HTTP/2 has no use
        return False
    code = getattr(method, "__code__", None)
    if type(method) is not types.FunctionType or code is None:
        replaced = getattr(method, "__wrapped__", None)  # wrapt's wrappers
        return replaced is not None and (replaced in own or is_own(replaced) or _goes_on(replaced, name, own))
    if not _WIRE.isdisjoint(code.co_names):
        return False
    known = [cell.cell_contents for cell in method.__closure__ or () if cell != types.CellType()]
    known += [method.__globals__.get(global_name) for global_name in code.co_names]
    return name in code.co_names or any(is_own(one) or one in own for one in known)


def say(*words: object) -> None:
    """Print what `set_debuglevel()` shows, by `http.client.print` where a program has set that."""
    _names.get("print", print)(*words)
