"""A client certificate, `cert=` of `create_context()` and `fetch()`, for servers that ask for one."""

import http.client
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

import hyperlite
from hyperlite import client
from hyperlite.testing.server import Request, Response, Server

PASSWORD = "secret"


class Files:
    """A client's certificate and its key, in all the ways in which they can lie in files."""

    def __init__(self, directory: Path) -> None:
        authority = trustme.CA()
        own = authority.issue_cert("client.test", common_name="client.test")
        self.authority = authority
        pem = b"".join(blob.bytes() for blob in own.cert_chain_pems)
        key = serialization.load_pem_private_key(own.private_key_pem.bytes(), None)
        encrypted = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(PASSWORD.encode()),
        )
        another = authority.issue_cert("client.test").private_key_pem.bytes()
        contents = {
            "cert": pem,
            "key": own.private_key_pem.bytes(),
            "both": pem + own.private_key_pem.bytes(),
            "encrypted": encrypted,
            "both_encrypted": pem + encrypted,
            "another": another,
            "empty": b"",
        }
        for name, content in contents.items():
            path = directory / f"{name}.pem"
            path.write_bytes(content)
            setattr(self, name, str(path))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("client"))


def hello(_: Request) -> Response:
    return Response(body=b"hello")


@pytest.fixture(scope="module", params=["h2", "http/1.1"])
def server(request: pytest.FixtureRequest, files: Files) -> Iterator[Server]:
    """A server that asks for a certificate in the handshake, and takes those of one authority."""
    with Server(hello, alpn=(request.param,)) as server:
        assert server.tls is not None
        files.authority.configure_trust(server.tls)
        server.tls.verify_mode = ssl.CERT_REQUIRED
        yield server


WAYS = {
    "one file": lambda files: files.both,
    "a path": lambda files: Path(files.both),
    "one file in a tuple": lambda files: (files.both,),
    "two files": lambda files: (files.cert, files.key),
    "two paths": lambda files: (Path(files.cert), Path(files.key)),
    "no password": lambda files: (files.cert, files.key, None),
    "a password": lambda files: (files.cert, files.encrypted, PASSWORD),
    "a password in bytes": lambda files: (files.cert, files.encrypted, PASSWORD.encode()),
    "one file and a password": lambda files: (files.both_encrypted, None, PASSWORD),
    "a password that is not needed": lambda files: (files.cert, files.key, "x"),
}


@pytest.mark.parametrize("way", WAYS)
def test_create_context(server: Server, files: Files, way: str) -> None:
    context = hyperlite.create_context(cafile=server.ca_file, cert=WAYS[way](files))
    with hyperlite.HTTP20Connection("localhost", server.port, context=context, timeout=10) as conn:
        assert conn.getresponse(conn.request("GET", "/")).read() == b"hello"
    assert context.verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize("way", ["one file", "a path", "a password", "one file and a password"])
def test_fetch(server: Server, files: Files, way: str) -> None:
    with hyperlite.ConnectionPool(verify=server.ca_file, cert=WAYS[way](files)) as pool:
        assert pool.fetch(server.url("/")).body == b"hello"


def test_http_client(server: Server, files: Files) -> None:
    context = hyperlite.create_context(cafile=server.ca_file, cert=(files.cert, files.key))
    conn = client.HTTPSConnection("localhost", server.port, context=context, timeout=10)
    conn.request("GET", "/")
    assert conn.getresponse().read() == b"hello"
    conn.close()


def test_without_one_the_server_refuses(server: Server) -> None:
    context = hyperlite.create_context(cafile=server.ca_file)
    conn = hyperlite.HTTP20Connection("localhost", server.port, context=context, timeout=10)
    with conn, pytest.raises((OSError, http.client.HTTPException)):
        conn.getresponse(conn.request("GET", "/"))


@pytest.mark.parametrize(
    ("cert", "error", "message"),
    [
        (lambda files: files.cert + "x", FileNotFoundError, r"cert\.pemx"),
        (lambda files: (files.cert, files.key + "x"), FileNotFoundError, r"key\.pemx"),
        (lambda files: (files.cert, os.path.dirname(files.key)), IsADirectoryError, "client"),
        (lambda files: (files.cert, files.encrypted), ssl.SSLError, "encrypted.pem.*no password was given"),
        (lambda files: files.both_encrypted, ssl.SSLError, "both_encrypted.pem.*no password was given"),
        (lambda files: (files.cert, files.encrypted, None), ssl.SSLError, "no password was given"),
        (lambda files: (files.cert, files.encrypted, "wrong"), ssl.SSLError, "is the password another"),
        (lambda files: (files.cert, files.encrypted, ""), ssl.SSLError, "is the password another"),
        (
            lambda files: (files.cert, files.another),
            ssl.SSLError,
            "another.pem.*cannot be used.*(?i:mismatch)",
        ),
        (lambda files: files.cert, ssl.SSLError, r"cert\.pem' cannot be used"),
        (lambda files: files.empty, ssl.SSLError, r"empty\.pem' cannot be used"),
        (lambda files: "", ValueError, "cert is a file"),
        (lambda files: (), ValueError, "cert is a file"),
        (lambda files: (files.cert, files.key, None, None), ValueError, "cert is a file"),
    ],
)
def test_what_cannot_be_used_is_said(files: Files, cert: Any, error: type[Exception], message: str) -> None:
    for make in (hyperlite.create_context, fetch_context):
        with pytest.raises(error, match=message):
            make(cert=cert(files))


def fetch_context(cert: Any) -> Any:
    with hyperlite.ConnectionPool(verify=False, cert=cert) as pool:
        return pool.fetch("https://localhost:1/")


def test_no_password_is_asked_for(files: Files) -> None:
    """OpenSSL would ask at the terminal, or without one on standard error."""
    program = f"import hyperlite; hyperlite.create_context(cert=({files.cert!r}, {files.encrypted!r}, None))"
    run = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        input=f"{PASSWORD}\n",
        capture_output=True,
        text=True,
        timeout=60,
        start_new_session=True,
    )
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].endswith("the key is encrypted, and no password was given")
    assert "pass phrase" not in run.stderr
