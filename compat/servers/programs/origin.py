"""What proxies ask, over HTTP/1.1: origin.py PORT_FILE KEY CERTIFICATE.

Python's http.server, so that no proxy is judged by an origin of hyperlite's.
"""

import hashlib
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from content import FILES

LIMIT = 1024


class Handler(BaseHTTPRequestHandler):
    """Answers as content.py says."""

    protocol_version = "HTTP/1.1"
    timeout = 300

    def do_GET(self) -> None:
        """Answer a GET."""
        name = self.path[1:]
        if name in FILES:
            self._answer(FILES[name], [("content-type", "text/plain")])
        elif name == "fields":
            count = sum(field.lower().startswith("x-many-") for field in self.headers)
            self._answer(json.dumps({"count": count}).encode(), [("content-type", "application/json")])
        elif name == "trailers":
            self.send_response(200)
            for field in ("Transfer-Encoding: chunked", "Trailer: checksum"):
                self.send_header(*field.split(": "))
            self.end_headers()
            self.wfile.write(b"4\r\nbody\r\n0\r\nchecksum: abc\r\n\r\n")
        else:
            self._answer(b"no such thing", status=404)

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        """Tell what has come, or refuse it."""
        if self.path == "/refuse":
            self.close_connection = True
            self._answer(b"too large", [("connection", "close")], 413)
            return
        body, trailers = self._body()
        told = {"length": len(body), "sha256": hashlib.sha256(body).hexdigest(), "trailers": trailers}
        self._answer(json.dumps(told).encode(), [("content-type", "application/json")])

    def _body(self) -> tuple[bytes, dict[str, str]]:
        """Return the request's body and its trailers."""
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers.get("content-length", 0))), {}
        body, trailers = bytearray(), {}
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while line := self.rfile.readline().strip():
            name, _, value = line.decode().partition(":")
            trailers[name.lower()] = value.strip()
        return bytes(body), trailers

    def _answer(self, body: bytes, fields: list[tuple[str, str]] = [], status: int = 200) -> None:  # noqa: B006
        self.send_response(status)
        for name, value in [*fields, ("content-length", str(len(body)))]:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Origin(ThreadingHTTPServer):
    """Many clients may come at once."""

    request_queue_size = 1024


def main(port_file: str, *_: str) -> None:
    """Serve until the end of the process."""
    with Origin(("127.0.0.1", 0), Handler) as server:
        Path(port_file + ".new").write_text(str(server.server_port))
        os.replace(port_file + ".new", port_file)
        server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
