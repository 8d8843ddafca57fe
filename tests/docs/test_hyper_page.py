"""docs/migration/hyper.md: its examples run as they stand, and what its tables name is in them."""

import re
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from hyperlite.pool import default_pool
from tests.conftest import Serve

from .pages import DOCS
from .test_documents import ROUTES, examples

PAGE = (DOCS / "migration" / "hyper.md").read_text()
CODE = "".join(example for example, _ in examples("migration/hyper"))
# The right column of each row.
CELLS = re.findall(r"^\|.*\| (?!hyperlite)(.*) \|$", PAGE, re.MULTILINE)
# Errors and a command of Python's, and words that stand for an argument.
NAMES_OF_OTHERS = {
    "FileNotFoundError",
    "OSError",
    *["amt", "data", "host", "id", "m", "path", "program", "py", "python", "run"],
}


@pytest.fixture
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = trustme.CA().issue_cert("client.test")
    key = serialization.load_pem_private_key(own.private_key_pem.bytes(), None)
    own.cert_chain_pems[0].write_to_path(str(tmp_path / "client.pem"))
    (tmp_path / "client.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_files")
def test_examples(serve: Serve, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    server = serve(routes=ROUTES)
    connect = socket.create_connection

    def trusting() -> ssl.SSLContext:
        context = server.context()
        context.check_hostname = False
        return context

    monkeypatch.setattr(ssl, "_create_default_https_context", trusting)
    monkeypatch.setattr(
        socket, "create_connection", lambda _, *args: connect(("127.0.0.1", server.port), *args)
    )
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", server.ca_file)
    Path("authority.pem").write_text(Path(server.ca_file).read_text())
    names: dict[str, Any] = {}
    try:
        for example, expected in examples("migration/hyper"):
            local = example.replace("https://example.org", server.url(""))
            exec(compile(local, DOCS / "migration" / "hyper.md", "exec"), names)
            if expected is not None:
                assert capsys.readouterr().out == expected
    finally:
        default_pool().close()


@pytest.mark.parametrize("cell", CELLS)
def test_what_a_table_names_is_in_the_examples(cell: str) -> None:
    elsewhere = re.findall(r"\]\(\.\./([\w/]+)\.md\)", cell)
    found = CODE + "".join(example for page in elsewhere for example, _ in examples(page))
    for code in re.findall(r"`([^`]+)`", cell):
        for name in set(re.findall(r"(?<![\"'/\w])[A-Za-z_]\w*", code)) - NAMES_OF_OTHERS:
            assert re.search(rf"\b{name}\b", found), f"{name} of `{code}` is in no example"
