"""The names of other libraries that hyperlite uses and that these do not document.

Run as a file, by any Python, it prints which of the standard library's are gone.
"""

import concurrent.futures
import http.client
import inspect
import io
import os
import socket
import ssl
import sys
import types
import urllib.request
from typing import Any

# What has the names, as a reader knows it; an object that has them; the names.
Owner = tuple[str, Any, tuple[str, ...]]

# Names that older releases of Python do not have; hyperlite looks whether they are there.
SINCE = {"_max_headers": (3, 15), "_raw_proxy_headers": (3, 12)}


def standard_library() -> list[Owner]:
    """Return what the running Python has."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls_socket = context.wrap_socket(socket.socket(), server_hostname="localhost")
    tls_socket.close()
    no_socket: Any = types.SimpleNamespace(makefile=lambda _mode: io.BytesIO())
    begin = inspect.signature(http.client.HTTPResponse.begin).parameters
    connection = (
        "_create_connection",
        "_get_hostport",
        "_http_vsn",
        "_raw_proxy_headers",
        "_tunnel",
        "_tunnel_headers",
        "_tunnel_host",
        "_tunnel_port",
    )
    return [
        ("http.client", http.client, ("_MAXHEADERS", "_MAXLINE", "_read_headers")),
        ("http.client.HTTPConnection", http.client.HTTPConnection("localhost"), connection),
        (
            "http.client.HTTPSConnection",
            http.client.HTTPSConnection("localhost", context=context),
            ("_context",),
        ),
        (
            "http.client.HTTPResponse",
            http.client.HTTPResponse(no_socket),
            ("_close_conn", "_method", "_read_next_chunk_size", "_read_status"),
        ),
        ("http.client.HTTPResponse.begin()", types.SimpleNamespace(**begin), ("_max_headers",)),
        ("http.client.HTTPMessage", http.client.HTTPMessage(), ("_headers", "_payload")),
        ("socket", socket, ("_GLOBAL_DEFAULT_TIMEOUT",)),
        ("ssl", ssl, ("_create_default_https_context", "_create_unverified_context", "_ssl")),
        ("ssl.SSLContext", context, ("_encode_hostname", "_host_flags", "_wrap_bio", "_wrap_socket")),
        ("ssl.SSLSocket", tls_socket, ("_context", "_sslobj")),
        ("ssl._ssl._SSLSocket", ssl._ssl._SSLSocket, ("get_unverified_chain",)),
        ("ssl._ssl.Certificate", ssl._ssl.Certificate, ("get_info",)),
        ("os", os, ("_exit",)),
        ("sys", sys, ("_getframe",)),
        (
            "concurrent.futures.ProcessPoolExecutor",
            concurrent.futures.ProcessPoolExecutor(1),
            ("_initargs", "_initializer", "_max_workers", "_mp_context"),
        ),
        ("urllib.request.HTTPSHandler", urllib.request.HTTPSHandler(), ("_context",)),
        # These are documented.
        ("a named tuple", types.SimpleNamespace(_asdict=None, _replace=None), ("_asdict", "_replace")),
    ]


def gone(owners: list[Owner]) -> list[str]:
    """Return which of the names are gone, as "http.client.HTTPConnection._tunnel_host"."""
    return [
        f"{label}.{name}"
        for label, owner, names in owners
        for name in names
        if not hasattr(owner, name) and sys.version_info >= SINCE.get(name, ())
    ]


if __name__ == "__main__":
    print(*gone(standard_library()))
