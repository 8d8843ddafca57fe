"""Twisted's web server: twisted_site.py PORT_FILE KEY CERTIFICATE."""

import os
import sys
from pathlib import Path
from typing import Any

from app import answer
from twisted.internet import endpoints, reactor
from twisted.web import resource, server


class Site(resource.Resource):
    """Answers for every path."""

    isLeaf = True  # noqa: N815

    def render(self, request: Any) -> bytes:
        """Answer a request, whose body has come."""
        names = [name.decode().lower() for name, _ in request.requestHeaders.getAllRawHeaders()]
        body = b"" if request.path == b"/refuse" else request.content.read()
        status, fields, content = answer(request.path.decode(), names, body)
        request.setResponseCode(status)
        for name, value in [*fields, ("content-length", str(len(content)))]:
            request.setHeader(name, value)
        return b"" if request.method == b"HEAD" else content


def main(port_file: str, key: str, certificate: str) -> None:
    """Listen, and serve."""
    site = server.Site(Site())

    def report(port: Any, file: str) -> None:
        Path(file + ".new").write_text(str(port.getHost().port))
        os.replace(file + ".new", file)

    secure = f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"
    endpoints.serverFromString(reactor, secure).listen(site).addCallback(report, port_file)
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
