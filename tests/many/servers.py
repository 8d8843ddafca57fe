"""Servers in a process of their own, so that they do not share the client's interpreter: run as a module.

    python -m tests.many.servers '[{"alpn": "h2", "delay": 0.2}, …]'

prints the file of their authority and the port of each, and serves until its input ends.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from hyperlite.testing.server import Request, Response, Server

BODY = b"x" * 1000


def answer(request: Request) -> Response:
    """Answer; one in fifty is an error, if the target says so."""
    number = int(request.query.get("n", ["0"])[0])
    return Response(500 if "fail" in request.query and number % 50 == 0 else 200, body=BODY)


@contextmanager
def child(*servers: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Run servers; yields the file of their authority and their URLs, without a query."""
    command = [sys.executable, "-m", "tests.many.servers", json.dumps(servers)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ca_file, ports = json.loads(process.stdout.readline())
        try:
            yield ca_file, [f"https://localhost:{port}/" for port in ports]
        finally:
            process.communicate()


def main() -> None:
    with ExitStack() as stack:
        servers = [
            stack.enter_context(Server(answer, alpn=(given["alpn"],), delay=given["delay"]))
            for given in json.loads(sys.argv[1])
        ]
        print(json.dumps([servers[0].ca_file, [server.port for server in servers]]), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
