"""Handlers of urllib.request: what they return, take, and dial with."""

import functools
import socket
import ssl
import urllib.request
from collections.abc import Callable
from http import client
from typing import Any


class Unix(client.HTTPConnection):
    def __init__(self, host: str, path: str, timeout: float = 3) -> None:
        super().__init__(host, timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class HTTPSHandler(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> client.HTTPResponse:
        return self.do_open(client.HTTPSConnection, req)


class HTTPHandler(urllib.request.AbstractHTTPHandler):
    def http_open(self, req: urllib.request.Request) -> client.HTTPResponse:
        return self.do_open(functools.partial(self.connection, path="/run/x"), req)

    def connection(self, host: str, *, path: str = "", **_: Any) -> client.HTTPConnection:
        return Unix(host, path)


class Processor(urllib.request.BaseHandler):
    handler_order = 900

    def http_response(
        self, req: urllib.request.Request, response: client.HTTPResponse
    ) -> client.HTTPResponse:
        response.headers["X"] = "y"
        return response

    https_response = http_response


class Errors(urllib.request.HTTPErrorProcessor):
    def http_response(self, request: urllib.request.Request, response: client.HTTPResponse) -> Any:
        if response.status == client.NOT_FOUND:
            return response
        return super().http_response(request, response)


class Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: Any,
        code: int,
        msg: str,
        headers: client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        return super().redirect_request(req, fp, code, msg, headers, newurl)


make: Callable[[str], client.HTTPConnection] = client.HTTPSConnection
opener = urllib.request.build_opener(HTTPSHandler(context=ssl.create_default_context()), Processor, Errors())
