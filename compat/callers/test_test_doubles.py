"""Libraries that stand in for servers in tests, beside each way to make a request (docs/testing.md)."""

import pytest

from hyperlite.testing.certificates import certificates
from hyperlite.testing.server import Server

from .conftest import Run, need

MADE_UP, REAL = [200, "made up"], [200, "hello"]


@pytest.mark.parametrize("library", ["responses", "requests_mock"])
def test_what_replaces_the_adapter_sees_requests_alone(run: Run, server: Server, library: str) -> None:
    need("requests", library)
    outcome = run("call_test_doubles", server, library=library)
    assert outcome.result == {
        "HTTP20Adapter": MADE_UP,
        "http.client": REAL,
        "hyperlite.client": REAL,
        "fetch": REAL,
    }
    assert outcome.protocols == {"h2"}


def test_vcrpy_records_requests_and_http_client(run: Run, server: Server) -> None:
    """It has urllib3 make connections of its own, so what it records of requests comes over HTTP/1.1."""
    need("requests", "vcr")
    outcome = run("call_test_doubles", server, library="vcr")
    seen, unseen = [*REAL, 1, 1], [*REAL, 0, 0]
    assert outcome.result == {
        "HTTP20Adapter": seen,
        "http.client": seen,
        "hyperlite.client": seen,
        "fetch": unseen,
    }
    assert [protocol for protocol, *_ in outcome.log] == ["http/1.1", "h2", "h2", "h2", "h2"]


def test_a_server_of_its_own_is_seen_by_all(run: Run, server: Server) -> None:
    need("requests", "pytest_httpserver")
    files = certificates()
    outcome = run(
        "call_test_doubles",
        server,
        library="pytest_httpserver",
        key_files=[files.cert_file, files.key_file],
    )
    assert set(map(tuple, outcome.result.values())) == {tuple(MADE_UP)}
    assert outcome.log == []
