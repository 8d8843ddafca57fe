"""What one call on one connection showed, as plain values that can be compared."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Call = Callable[[Any], Any]
PATIENCE = 10.0  # seconds
LINES = b"first\nsecond\n\nlast"
CATCHABLE = ("http.client", "builtins", "ssl", "socket")


@dataclass(frozen=True)
class Case:
    """A name, and what is called on a connection.

    `timeout` is short where HTTP/1.1 is known to hang. `own` says that the case wants a new connection, or
    changes the one that it has.
    """

    name: str
    call: Call
    timeout: float = PATIENCE
    own: bool = False

    @property
    def hangs(self) -> bool:
        """Whether a call is known to wait in vain on HTTP/1.1."""
        return self.timeout < PATIENCE

    @property
    def alone(self) -> bool:
        """Whether it has a connection that no other case has used or will use."""
        return self.own or self.hangs


def catchable(error: BaseException) -> str:
    """Name the standard library's classes by which `except` can catch an error."""
    names = {cls.__name__ for cls in type(error).__mro__ if cls.__module__ in CATCHABLE}
    return "raised " + " ".join(sorted(names - {"object", "BaseException", "Exception"}))


def attempt(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:
        return catchable(error)


def state(response: Any) -> dict[str, Any]:
    return {
        "length": response.length,
        "isclosed": response.isclosed(),
        "closed": response.closed,
        "no fp": response.fp is None,
        "readable": response.readable(),
    }


def head(response: Any) -> dict[str, Any]:
    """Return the response's attributes, in the way that HTTP/1.1 and HTTP/2 have in common."""
    unseen = ("connection", "date", "transfer-encoding")
    return {
        "status": response.status,
        "code": response.getcode(),
        "reason": response.reason,
        "headers": [(k, v) for k, v in response.getheaders() if k.lower() not in unseen],
        "cookies": response.msg.get_all("set-cookie"),
        "joined": response.getheader("X-ONE"),
        "default": response.getheader("x-not-there", "default"),
        "same": response.msg is response.headers and response.info() is response.headers,
        "types": [type(response).__name__, type(response.msg).__name__],
        "debuglevel": response.debuglevel,
        "method": response._method,
    }


def body_of(data: Any) -> Any:
    """Parse what the server reports, so that a difference can be read."""
    return json.loads(data) if isinstance(data, bytes) and data.startswith(b"{") else data


def outcome(conn: Any, read: Call = lambda response: response.read()) -> dict[str, Any]:
    """Take the response, read it, and return all that can be seen of it."""
    response = conn.getresponse()
    seen: dict[str, Any] = {"head": head(response), "will_close": response.will_close}
    before = state(response)
    seen["body"] = body_of(attempt(lambda: read(response)))
    seen |= {"before": before, "after": state(response), "rest": attempt(response.read)}
    response.close()
    return seen | {"end": state(response)}


def _another(conn: Any) -> Any:
    conn.request("GET", "/lines")
    response = conn.getresponse()
    is_its_own = response.read() == LINES or response.status != 200
    return response.status if is_its_own else "the response to another request"


def run(case: Case, conn: Any) -> dict[str, Any]:
    """Make the call; then find out what the connection is good for."""
    seen: dict[str, Any] = {"result": attempt(lambda: case.call(conn))}
    seen["next request"] = attempt(lambda: _another(conn))
    if seen["next request"] != 200:
        if "OSError" in str(seen["next request"]):  # which one is a matter of time
            seen["next request"] = "raised some OSError"
        conn.close()
        seen["after close()"] = attempt(lambda: _another(conn))
    return seen


def summary(seen: dict[str, Any]) -> list[str]:
    """Return what matters of an outcome, in few words: what was raised or answered, and what came next."""
    result = seen["result"]
    words = str(result)
    if isinstance(result, dict):
        body = result["body"]
        came = f"{body['method']} {body['target']} of {body['authority']}" if isinstance(body, dict) else body
        words = f"{result['head']['status']}: {came}"
    return [words, *(f"{key}: {seen[key]}" for key in ("next request", "after close()") if key in seen)]
