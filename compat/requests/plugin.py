"""A pytest plugin: which adapter requests' own tests use, and which server they talk to.

COMPAT_ADAPTER names the class that `requests.Session` mounts by itself, "stock" or "hyperlite".
With COMPAT_HTTP2 httpbin stands behind nghttpx, which speaks HTTP/2 and HTTP/1.1; both fixtures,
`httpbin` and `httpbin_secure`, are then https URLs, and its authority is trusted by default.
"""

import contextlib
import os
import shutil
import socket
import socketserver
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar
from wsgiref.simple_server import WSGIServer, make_server

import pytest
import requests.adapters
import requests.sessions
from httpbin import app
from pytest_httpbin import certs
from pytest_httpbin.serve import Handler

import hyperlite
from hyperlite.adapters.requests import HTTP20Adapter

PATIENCE = 10.0
TRIES = 5

if os.environ.get("COMPAT_ADAPTER") == "hyperlite":

    class CountedAdapter(HTTP20Adapter):
        """Takes note of what it carried."""

        carried: ClassVar[Counter[str]] = Counter()

        def build_response(self, req, resp):
            self.carried[resp.version_string] += 1
            return super().build_response(req, resp)

    requests.sessions.HTTPAdapter = CountedAdapter

    def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
        counted = ", ".join(f"{number} {version}" for version, number in CountedAdapter.carried.items())
        terminalreporter.write_line(f"carried by hyperlite {hyperlite.__version__}: {counted}")


class ThreadedServer(socketserver.ThreadingMixIn, WSGIServer):
    """pytest-httpbin's serves one connection at a time, which is not enough for what stands before it."""

    daemon_threads = True


class Nghttpx:
    """httpbin behind nghttpx."""

    def __init__(self) -> None:
        self._backend = make_server("127.0.0.1", 0, app, server_class=ThreadedServer, handler_class=Handler)
        threading.Thread(target=self._backend.serve_forever, daemon=True).start()
        for _ in range(TRIES):  # another process may take the free port first
            with socket.create_server(("127.0.0.1", 0)) as free:
                self.port = free.getsockname()[1]
            self._process = subprocess.Popen(self._command())
            if self._is_up():
                break
        else:
            pytest.exit("nghttpx does not start", returncode=3)
        self.url = f"https://127.0.0.1:{self.port}"

    def _command(self) -> list[str]:
        program = shutil.which("nghttpx")
        if program is None:
            pytest.exit("nghttpx is missing (package nghttp2-proxy)", returncode=3)
        own = Path(certs.where()).parent
        return [
            program,
            f"--frontend=127.0.0.1,{self.port}",
            f"--backend=127.0.0.1,{self._backend.server_port}",
            "--errorlog-file=/dev/null",
            "--conf=/dev/null",  # not the system's, which has a port of its own
            "--no-ocsp",
            "--workers=1",
            "--no-via",
            "--no-server-rewrite",
            "--no-location-rewrite",
            "--no-add-x-forwarded-proto",
            "--no-strip-incoming-x-forwarded-proto",
            str(own / "server.key"),
            str(own / "server.pem"),
        ]

    def _is_up(self) -> bool:
        deadline = time.monotonic() + PATIENCE
        while self._process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            time.sleep(0.02)
        self._process.kill()
        return False

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._backend.shutdown()
        self._backend.server_close()


if os.environ.get("COMPAT_HTTP2"):
    requests.adapters.DEFAULT_CA_BUNDLE_PATH = certs.where()

    @pytest.fixture(scope="session")
    def nghttpx() -> Iterator[Nghttpx]:
        server = Nghttpx()
        try:
            yield server
        finally:
            server.close()

    @pytest.fixture(scope="session")
    def httpbin(nghttpx: Nghttpx) -> Nghttpx:
        return nghttpx

    @pytest.fixture(scope="session")
    def httpbin_secure(nghttpx: Nghttpx) -> Nghttpx:
        return nghttpx

    @pytest.fixture
    def httpbin_ca_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", certs.where())
