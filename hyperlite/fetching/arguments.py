"""The arguments of `fetch()`, `fetch_many()` and `ConnectionPool`: their types, and checks that name them.

Rule: a wrong argument raises before anything is sent.  The error's text has the argument's name and what it
takes, and never a value that may be secret.
"""

import json as json_codec
import os
import ssl
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeAlias, TypedDict, Union

from ..messages.fields import method_bytes
from ..messages.request import IN_MEMORY
from ..net.protocols import checked_protocols
from ..net.resolving import Resolver
from ..net.trust import Cert, MadeContexts, Verify
from .checks import kind, seconds, truth, whole
from .headers import Headers
from .proxy_rules import Proxies, rules
from .retries import Retries

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# -- types ----------------------------------------------------------------------------------------


class Readable(Protocol):
    """A file."""

    def read(self, size: int, /) -> bytes | str:
        """Read at most so many bytes or characters."""
        ...


Body: TypeAlias = Union["ReadableBuffer", str, Readable, Iterable["ReadableBuffer"]]
Params: TypeAlias = Mapping[str, Any] | Iterable[tuple[str, Any]] | str | bytes
Progress: TypeAlias = Callable[[int, int | None], object]
# In the place of an iterable for `fetch_many()`, by identity: all requests are added to the run.
ADDED_ALONE: Iterable[Any] = range(0)


class Changes(TypedDict, total=False):
    """Options of a pool that one call may change: see `ConnectionPool`."""

    timeout: float | None
    deadline: float | None
    retries: int | Retries | None
    verify: Verify | None
    cert: Cert
    context: ssl.SSLContext | None
    proxies: Proxies
    max_body: int
    allow_downgrade: bool
    protocols: Sequence[str] | None
    resolver: Resolver | None


class ManyChanges(Changes, total=False):
    """Options of `fetch_many()` for all of its items."""

    redirects: int
    decode: bool


class ManyArguments(ManyChanges, total=False):
    """Arguments of `fetch_many()`: see `ConnectionPool.fetch_many()`."""

    concurrency: int
    ordered: bool
    max_buffered: int
    progress: Progress | None


class FetchArguments(ManyChanges, total=False):
    """Arguments of `fetch()`: see `ConnectionPool.fetch()`."""

    headers: Headers | None
    body: Body | None
    json: Any
    params: Params | None
    stream: bool


# -- options --------------------------------------------------------------------------------------

# The names of options in other libraries, and what to use here.
_ELSEWHERE = {
    "allow_redirects": "redirects=",
    "auth": "ConnectionPool(base_url=…, auth=…)",
    "base_url": "ConnectionPool(base_url=…)",
    "ca_certs": "verify=",
    "client_cert": "cert=",
    "content": "body=",
    "cookies": "ConnectionPool(cookies=…)",
    "data": "body= or json=",
    "fields": "body= or json=",
    "files": "body= with what urllib3.encode_multipart_formdata() makes",
    "follow_redirects": "redirects=",
    "headers": "ConnectionPool(headers=…), or a FetchRequest for each",
    "http1": "protocols=",
    "http2": "protocols=",
    "limits": "ConnectionPool(limits=…)",
    "max_redirects": "redirects=",
    "max_workers": "concurrency=",
    "mounts": "proxies=",
    "origin_limits": "ConnectionPool(origin_limits=…)",
    "params": "ConnectionPool(params=…), or a FetchRequest for each",
    "proxy": "proxies=",
    "query": "params=",
    "ssl": "context= or verify=",
    "ssl_context": "context=",
    "total": "deadline=",
    "trust_env": "proxies=",
    "url": "it comes first",
}


def no_option(name: str, function: str, options: Collection[str]) -> NoReturn:
    """Raise a TypeError: the function has no such option. The text names one that may be meant.

    Args:
        name: the unknown option's.
        function: the one that has no such option.
        options: those that the function has.
    """
    import difflib  # noqa: PLC0415  for errors alone

    hint = _ELSEWHERE.get(name)
    if hint is None and (close := difflib.get_close_matches(name, options, 1)):
        hint = f"{close[0]}="
    raise TypeError(f"{name!r} is no option of {function}" + (f": use {hint}" if hint else ""))


def redirects(value: object, name: str) -> int:
    """Check `redirects`, the number of redirects to follow."""
    if isinstance(value, bool):
        raise TypeError(f"{name} is how many to follow (0: none), not {value!r}")
    return whole(value, name)


def retries(value: object, name: str = "retries") -> Retries:
    """Check `retries`, and return it as `Retries`."""
    if isinstance(value, Retries):
        return value
    if isinstance(value, bool) or not hasattr(type(value), "__index__"):
        raise TypeError(f"{name} is how often to try again, or a hyperlite.Retries, not {value!r}")
    return Retries(total=whole(value, name))


def resolver(value: object, name: str) -> Any:
    """Check `resolver`, a function that says which addresses a host has."""
    if value is not None and not callable(value):
        raise TypeError(f"{name} is a function of a host and a port, not {kind(value)}")
    try:
        hash(value)  # connections are kept apart by it
    except TypeError:
        raise TypeError(f"{name} is an object without a hash: give it one, or a function") from None
    return value


def checked_context(context: Any) -> Any:
    """Check `context`, a caller's TLS context."""
    if not hasattr(context, "wrap_socket"):
        raise TypeError(f"context is an ssl.SSLContext, not {kind(context)}")
    return context


def tls_context(contexts: MadeContexts, verify: Verify, cert: Cert) -> ssl.SSLContext:
    """Return the TLS context for a caller's `verify` and `cert`.

    Raises:
        TypeError, ValueError: an argument is invalid. OSError: a file cannot be read, or (ssl.SSLError)
            holds something else.
    """
    if isinstance(verify, ssl.SSLContext):
        raise TypeError("verify is True, False or a path: use context= for an ssl.SSLContext")
    if not isinstance(verify, bool | str | os.PathLike):
        raise TypeError(f"verify is True, False, or the path of a file or directory, not {kind(verify)}")
    path = None if isinstance(verify, bool) else os.fspath(verify)
    if path is not None and not path:
        raise ValueError("verify is empty: it names no file or directory of authorities")
    if not (cert is None or isinstance(cert, str | os.PathLike | tuple)):
        raise TypeError(f"cert is a file, (file, key file) or (file, key file, password), not {kind(cert)}")
    try:
        return contexts.get(verify, cert)
    except OSError as error:
        reason = error.strerror or str(error)
        if error.filename is not None:  # of `verify`, OpenSSL names no file
            raise OSError(error.errno, f"cert= cannot be read: {reason}", error.filename) from None
        if path is not None and "client certificate" not in str(error):
            if isinstance(error, ssl.SSLError):
                error.strerror = f"verify={path!r} holds no authority: {reason}"
                raise
            raise OSError(error.errno, f"verify= cannot be read: {reason}", path) from None
        raise


_CHECKS: dict[str, Callable[[object, str], Any]] = {
    "allow_downgrade": truth,
    "deadline": seconds,
    "decode": truth,
    "max_body": whole,
    "protocols": lambda value, _: checked_protocols(value),  # type: ignore[arg-type]
    "proxies": lambda value, _: rules(value),  # type: ignore[arg-type]
    "redirects": redirects,
    "resolver": resolver,
    "retries": retries,
    "timeout": seconds,
}


def checked(options: Mapping[str, object]) -> dict[str, Any]:
    """Return options in the form that `Options` has; TypeError or ValueError for a wrong one."""
    return {name: _CHECKS[name](value, name) for name, value in options.items()}


# -- a request ------------------------------------------------------------------------------------


def check_target(url: object, method: object) -> None:
    """Check the types of a URL and of a method, and whether the method is a token.

    Raises:
        TypeError, ValueError: one of them is wrong.
    """
    if not isinstance(url, str):
        raise TypeError(f"url is a str, not {kind(url)}")
    if not isinstance(method, str):
        raise TypeError(f'method is a str such as "GET", not {kind(method)}')
    if "://" in method:
        raise ValueError("method is a URL: that is another argument, and a method is such as GET")
    method_bytes(method)


def payload(body: Any, json: Any) -> Any:
    """Return the body to send: bytes, a file, an iterable, or None.

    Raises:
        TypeError, ValueError: it cannot be sent as a body.
    """
    if json is not None:
        if body is not None:
            raise TypeError("either body= or json=, not both")
        try:
            return json_codec.dumps(json, separators=(",", ":"), allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise type(error)(f"json is no JSON: {error}") from None
    if body is None or isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    _check_body(body)
    return body


def _check_body(body: Any) -> None:
    if isinstance(body, Mapping):
        raise TypeError(f"body is a {kind(body)}: use json= (or for a form urllib.parse.urlencode())")
    if isinstance(body, list | tuple) and body and not isinstance(body[0], IN_MEMORY[:1] + IN_MEMORY[2:]):
        raise TypeError(f"body is a {kind(body)} of {kind(body[0])}: use json=, or give pieces of bytes")
    if hasattr(body, "read") or hasattr(body, "__iter__") or hasattr(body, "__getitem__"):
        return
    if isinstance(body, os.PathLike):
        raise TypeError(f'body is a {kind(body)}, which is no file yet: use open(path, "rb")')
    try:
        memoryview(body)
    except TypeError:
        raise TypeError(
            f"body is bytes, a str, a file or an iterable of bytes, not {kind(body)}: use json= for JSON"
        ) from None


def query(params: Any) -> Params | None:
    """Return the parameters to add to a URL's query.

    Raises:
        TypeError: it is neither a mapping nor pairs nor a str.
    """
    if params is None or isinstance(params, str | bytes | Mapping):
        return params
    found = list(params) if isinstance(params, Iterable) else [params]
    if any(not isinstance(pair, tuple | list) or len(pair) != 2 for pair in found):
        raise TypeError(f"params is a mapping, (name, value) pairs or a str, not {kind(params)}")
    return found


def as_pairs(params: Any) -> list[tuple[str, Any]] | str | None:
    """Return what is added to the queries of many URLs; see `query`."""
    found = query(params)
    if isinstance(found, bytes):
        return found.decode()
    if found is None or isinstance(found, str):
        return found or None
    pairs = found.items() if isinstance(found, Mapping) else found
    return [(name.decode() if isinstance(name, bytes) else str(name), value) for name, value in pairs]
