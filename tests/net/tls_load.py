"""One thread dials while others use the same TLS context: `python -m tests.net.tls_load SECONDS`.

It prints, as JSON, what was done, and how often the others were given what hyperlite offers.
"""

import contextlib
import http.client
import json
import ssl
import sys
import threading
import time
from collections import Counter

import trustme

import hyperlite

from .conftest import Hello, SecureServer, client_context, server_context

MAKERS = 3


def main(seconds: float) -> None:
    """Put the load on one context, and print what came of it."""
    ca = trustme.CA()
    context = client_context(ca)
    context.set_ciphers("ECDHE+AESGCM")
    server_side = server_context(ca, "localhost")
    server_side.set_alpn_protocols(["h2", "http/1.1"])
    until = time.monotonic() + seconds
    counts: Counter[str] = Counter(dials=0, objects=0, fetches=0, leaks=0)
    lock = threading.Lock()

    def count(**numbers: int) -> None:
        with lock:
            counts.update(numbers)

    def dial(port: int) -> None:
        while time.monotonic() < until:
            conn = hyperlite.HTTP20Connection("localhost", port, context=context, timeout=30)
            with conn:
                conn.connect()
                assert conn.getresponse(conn.request("GET", "/")).version == 20
            count(dials=1)

    def make() -> None:
        """Make TLS objects, as whatever uses the context does."""
        while time.monotonic() < until:
            outgoing = ssl.MemoryBIO()
            made = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
            with contextlib.suppress(ssl.SSLWantReadError):
                made.do_handshake()
            offered = Hello(outgoing.read()).alpn or []
            count(objects=1, leaks="h2" in offered)

    def fetch(port: int) -> None:
        """Fetch with http.client: whole handshakes."""
        while time.monotonic() < until:
            conn = http.client.HTTPSConnection("localhost", port, context=context, timeout=30)
            try:
                conn.request("GET", "/")
                assert conn.getresponse().read() == b"hello"
            finally:
                conn.close()
            count(fetches=1)

    with SecureServer(server_side) as server:
        threads = [
            threading.Thread(target=dial, args=[server.port]),
            *(threading.Thread(target=make) for _ in range(MAKERS)),
            threading.Thread(target=fetch, args=[server.port]),
        ]
        failures: list[str] = []
        threading.excepthook = lambda failed: failures.append(repr(failed.exc_value))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    print(json.dumps({**counts, "failures": failures}))


if __name__ == "__main__":
    main(float(sys.argv[1]))
