"""A server as IIS is with Windows authentication, and what a client says to it.

It wants HTTP/1.1 for what is behind the authentication, and it authenticates the connection: of three
messages (negotiate, challenge, authenticate) the last counts on the connection of the others only, and the
requests that follow on that connection need no credentials.
"""

import base64
import threading
from typing import Any

import requests
from requests.auth import AuthBase

from hyperlite.errors import ErrorCode
from hyperlite.testing.server import Exchange, StreamingHandler

NEGOTIATE = base64.b64encode(b"NTLMSSP\0\1\0\0\0").decode()


def challenge(number: int) -> str:
    """Return the second message, as a connection sends it."""
    return base64.b64encode(b"NTLMSSP\0\2\0\0\0 of %d" % number).decode()


def authenticate(user: str, challenge: str) -> str:
    """Return the third message, which answers a challenge."""
    return base64.b64encode(b"NTLMSSP\0\3\0\0\0 " + f"{user} {challenge}".encode()).decode()


class Domain:
    """What the connections of a server are authenticated as.

    Args:
        scheme: NTLM or Negotiate.
        http2: take it over HTTP/2 as well.
        proxy: answer as a proxy does.

    Attributes:
        log: (connection, what the request carried, the status) of each request.
        users: of each connection.
        errors: what no client may do.
    """

    def __init__(self, scheme: str = "NTLM", *, http2: bool = False, proxy: bool = False) -> None:
        self.scheme = scheme
        self.handler = StreamingHandler(self._answer)
        self.log: list[tuple[int, str, int]] = []
        self.users: dict[int, str] = {}
        self.errors: list[str] = []
        self.body = b"denied " * 1000
        self._http2 = http2
        self._proxy = proxy
        self._asked: dict[int, str] = {}
        self._lock = threading.Lock()

    def _answer(self, exchange: Exchange) -> None:
        while exchange.read():
            pass
        request = exchange.request
        if request.protocol == "h2" and not self._http2:
            exchange.reset(ErrorCode.HTTP_1_1_REQUIRED)
            return
        prefix, status = ("proxy-", 407) if self._proxy else ("", 401)
        given = dict(request.headers).get(prefix + "authorization", "")
        challenged = "proxy-authenticate" if self._proxy else "www-authenticate"
        with self._lock:
            carried, token, user = self._take(request.connection, given)
            self.log.append((request.connection, carried, 200 if user else status))
        if user:
            exchange.start(200, [("content-length", str(len(user)))])
            exchange.send(user.encode())
        else:
            exchange.start(
                status,
                [(challenged, f"{self.scheme} {token}".strip()), ("content-length", str(len(self.body)))],
            )
            exchange.send(self.body)
        exchange.end()

    def _take(self, number: int, given: str) -> tuple[str, str, str | None]:
        """Return what a request carried, the token for its response, and its user, if it has one."""
        scheme, _, token = given.partition(" ")
        if scheme != self.scheme:
            return "nothing", "", self.users.get(number)
        message = base64.b64decode(token)
        if message.startswith(b"NTLMSSP\0\1"):
            if number in self._asked:
                self.errors.append(f"a second handshake in the midst of one on connection {number}")
            self._asked[number] = challenge(number)
            return "negotiate", self._asked[number], None
        user, answered = message.decode().split(" ")[1:]
        if self._asked.pop(number, None) != answered:
            self.errors.append(f"the challenge answered on connection {number} is another's")
            return "authenticate", "", None
        if self.users.setdefault(number, user) != user:
            self.errors.append(f"connection {number} is that of {self.users[number]}, not of {user}")
        return "authenticate", "", user


class Auth(AuthBase):
    """Answers challenges as requests_ntlm does.

    Args:
        user: the name.
        scheme: NTLM or Negotiate.
        between: called between the messages.
        reads: read each challenge's body, and give its connection back.
    """

    def __init__(self, user: str, scheme: str = "NTLM", between: Any = None, *, reads: bool = True) -> None:
        self.user = user
        self.scheme = scheme
        self._between = between
        self._reads = reads

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Connection"] = "Keep-Alive"
        request.register_hook("response", self._respond)
        return request

    def _respond(self, response: requests.Response, **options: Any) -> requests.Response:
        ask, answer = "www-authenticate", "Authorization"
        if response.status_code == 407:
            ask, answer = "proxy-authenticate", "Proxy-Authorization"
        elif response.status_code != 401:
            return response
        if answer in response.request.headers:
            return response
        sock = response.raw._fp.fp.raw._sock  # which is asked for the certificate of the server
        assert response.url.startswith("http:") or sock.getpeercert(True)
        first = self._again(response, answer, NEGOTIATE, options | {"stream": False})
        if self._between is not None:
            self._between()
        token = first.headers[ask].partition(" ")[2]
        return self._again(first, answer, authenticate(self.user, token), options)

    def _again(self, response: Any, name: str, token: str, options: dict[str, Any]) -> requests.Response:
        if self._reads:
            _ = response.content
            response.raw.release_conn()
        request = response.request.copy()
        request.headers[name] = f"{self.scheme} {token}"
        again: requests.Response = response.connection.send(request, **options)
        again.history.append(response)
        return again
