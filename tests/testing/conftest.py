"""What the tests of the embedded server share."""

import pytest

from hyperlite.testing.server import Server

from .rawclient import RawClient


@pytest.fixture
def serve():
    """Make servers with one handler, and clients of them, that end with the test."""
    opened = []

    def serve(handler, *, credit=True, client_settings=None, **options):
        server = Server(handler, **options)
        opened.append(server)
        secure = options.get("secure", True)
        client = RawClient(server, secure=secure, credit=credit, settings=client_settings)
        opened.append(client.socket)
        return server, client

    yield serve
    for thing in reversed(opened):
        thing.close()
