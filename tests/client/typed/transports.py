"""Transports of xmlrpc.client, whose methods take and return connections and responses."""

import xmlrpc.client
from http import client
from typing import Any


class Transport(xmlrpc.client.Transport):
    def make_connection(self, host: Any) -> client.HTTPConnection:
        chost, self._extra_headers, _ = self.get_host_info(host)
        self._connection = host, client.HTTPConnection(chost, timeout=10)
        assert self._connection[1] is not None
        return self._connection[1]

    def parse_response(self, response: client.HTTPResponse) -> tuple[Any, ...]:
        if response.getheader("Content-Encoding", "") == "gzip":
            return ()
        return super().parse_response(response)

    def send_content(self, connection: client.HTTPConnection, request_body: Any) -> None:
        connection.putheader("X", "y")
        super().send_content(connection, request_body)

    def send_request(self, host: Any, handler: str, request_body: Any, debug: bool) -> client.HTTPConnection:
        return super().send_request(host, handler, request_body, debug)


class SafeTransport(xmlrpc.client.SafeTransport):
    def make_connection(self, host: Any) -> client.HTTPSConnection:
        return client.HTTPSConnection(self.get_host_info(host)[0])


proxy = xmlrpc.client.ServerProxy("http://localhost", transport=Transport())
