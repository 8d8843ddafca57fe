"""`client.py NAME`: a client program for `python -m hyperlite.testing.hostile --client`.

It needs the standard library, and the library that is tried: hyperlite, httpx, urllib3, niquests or pycurl.
"""

import contextlib
import hashlib
import http.client
import json
import math
import socket
import ssl
import sys
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

Step = dict[str, Any]
PIECE = 65536


class Skip(Exception):
    """The library cannot do what a case needs."""


def whole(status: int, pieces: Iterable[bytes]) -> Step:
    """Return the answer for a response that came to its end."""
    size, digest = 0, hashlib.sha256()
    for piece in pieces:
        size += len(piece)
        digest.update(piece)
    return {"outcome": "ok", "status": status, "size": size, "sha256": digest.hexdigest()}


def failed(error: BaseException, timeouts: tuple[type[BaseException], ...]) -> Step:
    """Return the answer for a request that failed."""
    reasons = (error, getattr(error, "reason", None), error.__cause__, error.__context__)
    timed_out = any(isinstance(one, (*timeouts, TimeoutError)) for one in reasons)
    detail = f"{type(error).__name__}: {error}"[:300]
    return {"outcome": "timeout" if timed_out else "error", "detail": detail}


class Client:
    """One library. A case begins with `begin`; requests of one step are made by threads."""

    timeouts: tuple[type[BaseException], ...] = ()

    def begin(self, step: Step) -> None:
        """Use no connection from before."""
        raise NotImplementedError

    def fetch(self, request: Step, step: Step, body: bytes | None) -> Step:
        """Make a request, and return the answer."""
        raise NotImplementedError

    def one(self, request: Step, step: Step) -> Step:
        """Make a request; an error is an answer, too."""
        body = bytes(request["upload"]) or None
        try:
            return self.fetch(request, step, body)
        except Skip:
            raise
        except Exception as error:  # whatever a library raises is its answer
            return failed(error, self.timeouts)

    def answer(self, step: Step) -> list[Step]:
        """Make the requests of a step."""
        requests = step["requests"]
        if len(requests) == 1:
            return [self.one(requests[0], step)]
        with ThreadPoolExecutor(len(requests)) as threads:
            return list(threads.map(lambda request: self.one(request, step), requests))


class Hyperlite(Client):
    """A connection, as tests/hostile has it; a pool where a body is to be decoded."""

    def __init__(self) -> None:
        import hyperlite

        self.library: Any = hyperlite
        self.conn: Any = None

    def begin(self, step: Step) -> None:
        if self.conn is not None:
            self.conn.close()
        scheme, _, rest = step["requests"][0]["url"].partition("://")
        host, _, port = rest.partition("/")[0].rpartition(":")
        secure = scheme == "https"
        context = self.library.create_context(cafile=step["ca"]) if secure else None
        times = {"timeout": step["timeout"], "deadline": step["deadline"]}
        if step["decode"]:
            self.conn = self.library.ConnectionPool(context=context, proxies=False, retries=0, **times)
        else:
            self.conn = self.library.HTTP20Connection(
                host, int(port), secure=secure, context=context, **times
            )

    def answer(self, step: Step) -> list[Step]:
        if isinstance(self.conn, self.library.ConnectionPool):
            return super().answer(step)
        sent: list[Any] = []
        for request in step["requests"]:
            try:
                sent.append(self.send(request, step))
            except (http.client.HTTPException, OSError) as error:
                sent.append(failed(error, ()))
        return [one if isinstance(one, dict) else self.take(one) for one in sent]

    def send(self, request: Step, step: Step) -> int:
        target = "/" + request["url"].partition("://")[2].partition("/")[2]
        body = bytes(request["upload"]) or None
        stream_id: int = self.conn.request(request["method"], target, body, timeout=step["timeout"])
        return stream_id

    def take(self, stream_id: int) -> Step:
        try:
            response = self.conn.getresponse(stream_id)
            return whole(response.status, iter(lambda: response.read(PIECE), b""))
        except Exception as error:
            return failed(error, ())

    def fetch(self, request: Step, step: Step, body: bytes | None) -> Step:
        options = {"body": body, "timeout": step["timeout"], "deadline": step["deadline"]}
        response = self.conn.fetch(request["url"], request["method"], **options)
        return whole(response.status, [response.body])


class Httpx(Client):
    """httpx, with HTTP/2."""

    def __init__(self) -> None:
        import httpx

        self.library: Any = httpx
        self.timeouts = (httpx.TimeoutException,)
        self.client: Any = None

    def begin(self, step: Step) -> None:
        if self.client is not None:
            self.client.close()
        secure = step["requests"][0]["url"].startswith("https")
        verify = ssl.create_default_context(cafile=step["ca"]) if secure else False
        h2 = step["http"] == "h2"
        # Requests at once are to share a connection: before it stands, each would open one of its own.
        limits = self.library.Limits(max_connections=1 if h2 and len(step["requests"]) > 1 else None)
        self.client = self.library.Client(
            http2=True,
            http1=secure or not h2,
            verify=verify,
            timeout=step["timeout"],
            trust_env=False,
            limits=limits,
        )

    def fetch(self, request: Step, step: Step, body: bytes | None) -> Step:
        options = {"content": body, "timeout": step["timeout"]}
        with self.client.stream(request["method"], request["url"], **options) as response:
            if step["decode"]:
                return whole(response.status_code, [response.read()])
            return whole(response.status_code, response.iter_raw())


class Urllib3(Client):
    """urllib3 as it is: HTTP/1.1, because its HTTP/2 reads no body piece by piece yet."""

    def __init__(self) -> None:
        import urllib3

        self.library: Any = urllib3
        self.timeouts = (urllib3.exceptions.TimeoutError,)
        self.pool: Any = None

    def begin(self, step: Step) -> None:
        if step["http"] == "h2":
            raise Skip("it has no HTTP/2")
        if self.pool is not None:
            self.pool.clear()
        self.pool = self.library.PoolManager(ca_certs=step["ca"], retries=False, maxsize=20)

    def fetch(self, request: Step, step: Step, body: bytes | None) -> Step:
        options = {"body": body, "timeout": step["timeout"], "preload_content": False, "retries": False}
        response = self.pool.request(request["method"], request["url"], **options)
        with contextlib.closing(response):
            if step["decode"]:
                return whole(response.status, [response.read()])
            return whole(response.status, response.stream(PIECE, decode_content=False))


class Niquests(Client):
    """niquests: HTTP/2 by default."""

    def __init__(self) -> None:
        import niquests

        self.library: Any = niquests
        self.timeouts = (niquests.exceptions.Timeout,)
        self.session: Any = None
        self.lazy = False  # its answers are fetched when they are looked at

    def begin(self, step: Step) -> None:
        if self.session is not None:
            self.session.close()
        clear = step["requests"][0]["url"].startswith("http:")
        self.lazy = len(step["requests"]) > 1
        self.session = self.library.Session(
            disable_http3=True, disable_http1=clear and step["http"] == "h2", multiplexed=self.lazy
        )
        self.session.trust_env = False
        self.session.verify = step["ca"]

    def fetch(self, request: Step, step: Step, body: bytes | None) -> Step:
        options = {"data": body, "timeout": step["timeout"], "allow_redirects": False}
        response = self.session.request(
            request["method"], request["url"], stream=not (step["decode"] or self.lazy), **options
        )
        if step["decode"] or self.lazy:
            return whole(response.status_code, [response.content or b""])
        pieces = response.raw.stream(PIECE, decode_content=False)
        return whole(response.status_code, pieces)

    def answer(self, step: Step) -> list[Step]:
        if len(step["requests"]) == 1:
            return super().answer(step)
        lazy: list[Any] = []
        for request in step["requests"]:  # this thread sends all, and then gathers what comes
            options = {"data": bytes(request["upload"]) or None, "timeout": step["timeout"]}
            try:
                lazy.append(self.session.request(request["method"], request["url"], **options))
            except Exception as error:  # whatever a library raises is its answer
                lazy.append(failed(error, self.timeouts))
        return [one if isinstance(one, dict) else self.gathered(one) for one in lazy]

    def gathered(self, response: Any) -> Step:
        try:
            return whole(response.status_code, [response.content or b""])
        except Exception as error:  # as above
            return failed(error, self.timeouts)


class Curl(Client):
    """libcurl, by pycurl: a multi handle keeps the connections."""

    def __init__(self) -> None:
        import pycurl

        self.library: Any = pycurl
        self.handle: Any = None
        self.multi: Any = None

    def begin(self, step: Step) -> None:
        if self.multi is not None:
            self.multi.close()
        self.multi = self.library.CurlMulti()
        self.multi.setopt(self.library.M_PIPELINING, 2)  # CURLPIPE_MULTIPLEX

    def answer(self, step: Step) -> list[Step]:
        handles = [self.prepared(request, step) for request in step["requests"]]
        for handle, _ in handles:
            self.multi.add_handle(handle)
        codes: dict[Any, tuple[int, str]] = {}
        while len(codes) < len(handles):
            while self.multi.perform()[0] == self.library.E_CALL_MULTI_PERFORM:
                pass
            _, good, bad = self.multi.info_read()
            codes |= dict.fromkeys(good, (0, ""))
            codes |= {handle: (code, text) for handle, code, text in bad}
            if len(codes) < len(handles):
                self.multi.select(0.05)
        return [self.taken(handle, pieces, codes[handle]) for handle, pieces in handles]

    def taken(self, handle: Any, pieces: list[bytes], code: tuple[int, str]) -> Step:
        status = handle.getinfo(self.library.RESPONSE_CODE)
        self.multi.remove_handle(handle)
        handle.close()
        if code[0]:
            kind = "timeout" if code[0] == self.library.E_OPERATION_TIMEDOUT else "error"
            return {"outcome": kind, "detail": f"{code[0]}: {code[1]}"}
        return whole(status, pieces)

    def prepared(self, request: Step, step: Step) -> tuple[Any, list[bytes]]:
        curl, pieces = self.library, []
        handle = curl.Curl()
        secure = request["url"].startswith("https")
        host, _, port = request["url"].partition("://")[2].partition("/")[0].rpartition(":")
        address = step["addresses"].get(host, host)
        versions = {
            ("h2", True): curl.CURL_HTTP_VERSION_2TLS,
            ("h2", False): curl.CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE,
        }
        options = {
            curl.URL: request["url"],
            curl.CUSTOMREQUEST: request["method"],
            curl.NOBODY: request["method"] == "HEAD",
            curl.HTTP_VERSION: versions.get((step["http"], secure), curl.CURL_HTTP_VERSION_2TLS),
            curl.CAINFO: step["ca"],
            curl.RESOLVE: [f"{host}:{port}:{address}"],
            curl.CONNECTTIMEOUT_MS: math.ceil(step["timeout"] * 1000),
            curl.LOW_SPEED_LIMIT: 1,
            curl.LOW_SPEED_TIME: math.ceil(step["timeout"]),
            curl.NOSIGNAL: 1,
            curl.PROXY: "",
            curl.PIPEWAIT: 1,
            curl.WRITEFUNCTION: pieces.append,
        }
        if step["deadline"]:
            options[curl.TIMEOUT_MS] = math.ceil(step["deadline"] * 1000)
        if step["decode"]:
            options[curl.ACCEPT_ENCODING] = ""
        if request["upload"]:
            options[curl.POSTFIELDS] = bytes(request["upload"])
        for option, value in options.items():
            handle.setopt(option, value)
        return handle, pieces


LIBRARIES: dict[str, Callable[[], Client]] = {
    "hyperlite": Hyperlite,
    "httpx": Httpx,
    "urllib3": Urllib3,
    "niquests": Niquests,
    "curl": Curl,
}
ADDRESSES: dict[str, str] = {}


def resolve_here() -> None:
    """Have names lead where the runner says."""
    getaddrinfo = socket.getaddrinfo

    def resolved(host: Any, *rest: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        return getaddrinfo(ADDRESSES.get(name, host), *rest, **options)

    socket.getaddrinfo = resolved


def main() -> None:
    """Answer steps until there are no more."""
    warnings.simplefilter("ignore")
    out, sys.stdout = sys.stdout, sys.stderr
    client = LIBRARIES[sys.argv[1]]()
    resolve_here()
    for line in sys.stdin:
        step = json.loads(line)
        ADDRESSES.update(step["addresses"])
        try:
            if step["new"]:
                client.begin(step)
            answer: Step = {"answers": client.answer(step)}
        except Skip as reason:
            answer = {"skip": str(reason)}
        out.write(json.dumps(answer) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
