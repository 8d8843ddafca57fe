"""botocore stays on HTTP/1.1, against moto's server."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from hyperlite.testing.certificates import certificates

from .conftest import need, run_caller

# The protocols and methods that the server saw.
Log = set[tuple[str, str]]


@pytest.fixture
def moto() -> Iterator[tuple[int, Log]]:
    """moto's server, with TLS: its port, and what it saw."""
    need("botocore", "moto", "flask")
    from moto.server import DomainDispatcherApplication, create_backend_app  # noqa: PLC0415 (may be missing)
    from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: PLC0415

    application = DomainDispatcherApplication(create_backend_app)
    log: Log = set()

    class Handler(WSGIRequestHandler):
        """Keeps connections, which is what botocore's servers do, and keeps quiet."""

        protocol_version = "HTTP/1.1"

        def log(self, *_: object) -> None:
            """Say nothing."""

    def logged(environ: dict[str, Any], start_response: Any) -> Any:
        log.add((environ["SERVER_PROTOCOL"], environ["REQUEST_METHOD"]))
        return application(environ, start_response)

    files = certificates()
    context = (files.cert_file, files.key_file)
    server = make_server("127.0.0.1", 0, logged, True, request_handler=Handler, ssl_context=context)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port, log
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.filterwarnings("ignore")  # moto's and werkzeug's are not ours
def test_objects_in_a_bucket(moto: tuple[int, Log]) -> None:
    port, log = moto
    options = {"url": f"https://localhost:{port}", "ca_file": certificates().ca_file}
    result, _ = run_caller("call_botocore", "hyperlite", {**options, "bucket": "hyperlite"})
    assert {protocol for protocol, _ in log} == {"HTTP/1.1"}
    assert {method for _, method in log} == {"GET", "PUT", "DELETE"}
    assert result == {
        "keys": ["bytes", "file"],
        "small": "small",
        "size": 3_000_000,
        "missing": "NoSuchBucket",
    }
    stock, _ = run_caller("call_botocore", "stock", {**options, "bucket": "stock"})
    assert result == stock
