"""Requests and their responses, over each protocol."""

import gzip
import io
from datetime import timedelta
from pathlib import Path

import pytest
from requests import PreparedRequest, Response, Session
from requests.auth import HTTPDigestAuth

from hyperlite.testing.server import Request, Server
from hyperlite.testing.server import Response as Answer
from tests.conftest import ROUTES, Serve


def headers_of(response: Response) -> dict[str, str]:
    return dict(response.json()["headers"])


def test_get(session: Session, server: Server):
    response = session.get(server.url("/report?a=1"), params={"b": "ä"}, headers={"X-Mark": "one"})
    assert (response.status_code, response.reason, response.ok) == (200, "OK", True)
    assert response.json()["target"] == "/report?a=1&b=%C3%A4"
    assert headers_of(response)["x-mark"] == "one"
    assert response.url == server.url("/report?a=1&b=%C3%A4")
    assert timedelta(0) < response.elapsed < timedelta(seconds=10)
    assert server.connections == 1
    assert response.raw.version == (20 if server.log[0][0] == "h2" else 11)


def test_connections_are_kept(session: Session, server: Server):
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        assert session.request(method, server.url("/")).status_code == 200
    assert session.get(server.url("/nothing")).content == b""
    assert session.get(server.url("/unchanged")).content == b""
    assert server.connections == 1


class Sized:
    """Something of known length that can only be read, as requests-toolbelt's encoder."""

    def __init__(self, data: bytes) -> None:
        self.len = len(data)
        self.read = io.BytesIO(data).read


@pytest.mark.parametrize(
    ("body", "sent", "length"),
    [
        (b"bytes", "bytes", "5"),
        ("ä€", "ä€", "5"),
        ({"a": "ä"}, "a=%C3%A4", "8"),
        (io.BytesIO(b"a file"), "a file", "6"),
        (Sized(b"x" * 100_000), "x" * 100_000, "100000"),
        (iter([b"two ", b"", "pieces ä"]), "two pieces ä", None),
        (b"", "", "0"),
    ],
    ids=["bytes", "str", "form", "file", "sized", "iterator", "empty"],
)
def test_bodies(session: Session, server: Server, body: object, sent: str, length: str | None):
    if isinstance(body, (io.BytesIO, Sized)):
        body = io.BytesIO(sent.encode()) if isinstance(body, io.BytesIO) else Sized(sent.encode())
    elif not isinstance(body, (bytes, str, dict)):
        body = iter([b"two ", b"", "pieces ä"])
    response = session.post(server.url("/report"), data=body)
    assert response.json()["body"].encode("latin-1").decode() == sent
    assert headers_of(response).get("content-length") == length
    assert session.get(server.url("/")).content == b"hello"
    assert server.connections == 1


def test_a_file_is_sent_from_where_it_stands(session: Session, server: Server, tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with path.open("rb") as file:
        file.seek(4)
        response = session.put(server.url("/report"), data=file)
    assert response.json()["body"] == "456789"


def test_multipart(session: Session, server: Server):
    response = session.post(
        server.url("/report"), data={"a": "1"}, files={"f": ("name", io.BytesIO(b"data"))}
    )
    seen = response.json()
    assert 'filename="name"' in seen["body"]
    assert headers_of(response)["content-type"].startswith("multipart/form-data; boundary=")


def test_json(session: Session, server: Server):
    response = session.post(server.url("/report"), json={"a": ["ä"]})
    assert response.json()["body"] == '{"a": ["\\u00e4"]}'


def test_cookies(session: Session, server: Server):
    response = session.get(server.url("/cookies"))
    assert response.cookies.get_dict() == {"a": "1", "b": "2"}
    assert headers_of(session.get(server.url("/report")))["cookie"] == "a=1; b=2"


def test_redirects(session: Session, serve: Serve):
    routes = {
        "/found": lambda _: Answer(302, headers=[("location", "/report?found"), ("set-cookie", "c=1")]),
        "/temporary": lambda _: Answer(307, headers=[("location", "/report")]),
    }
    server = serve(routes=ROUTES | routes)
    response = session.post(server.url("/found"), data="dropped")
    assert (response.json()["method"], response.json()["target"]) == ("GET", "/report?found")
    assert headers_of(response)["cookie"] == "c=1"
    assert [one.status_code for one in response.history] == [302]
    file = io.BytesIO(b"kept")
    assert session.post(server.url("/temporary"), data=file).json()["body"] == "kept"
    assert session.get(server.url("/found"), allow_redirects=False).status_code == 302
    assert server.connections == 1


def test_digest(session: Session, serve: Serve):
    def guarded(request: Request) -> Answer:
        if request.header("authorization"):
            return Answer(body=request.header("authorization").encode())
        challenge = 'Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256'
        return Answer(401, headers=[("www-authenticate", challenge)])

    server = serve(routes={"/": guarded})
    response = session.get(server.url("/"), auth=HTTPDigestAuth("user", "password"))
    assert response.text.startswith('Digest username="user", realm="r"')
    assert server.connections == 1


def test_netrc(session: Session, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "netrc"
    path.write_text("machine localhost login me password secret\n")
    monkeypatch.setenv("NETRC", str(path))
    session.verify = True
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", server.ca_file if server.url("").startswith("https") else "")
    assert headers_of(session.get(server.url("/report")))["authorization"] == "Basic bWU6c2VjcmV0"


def test_hooks_and_prepared_requests(session: Session, server: Server):
    seen = []

    def hook(response: Response, **_: object) -> None:
        seen.append(response.status_code)

    prepared = PreparedRequest()
    prepared.prepare("GET", server.url("/"), hooks={"response": [hook]})
    assert session.send(prepared, verify=session.verify).content == b"hello"
    assert seen == [200]


def test_what_urllib3_adds(session: Session, server: Server):
    session.headers = {}
    seen = headers_of(session.get(server.url("/report")))
    assert seen["user-agent"].startswith("python-urllib3/")
    assert seen["accept-encoding"] == "identity"


def test_content_codings(session: Session, serve: Serve):
    packed = gzip.compress(b"unpacked " * 1000)
    server = serve(routes={"/": lambda _: Answer(headers=[("content-encoding", "gzip")], body=packed)})
    assert session.get(server.url("/")).content == b"unpacked " * 1000
    with session.get(server.url("/"), stream=True) as response:
        assert b"".join(response.iter_content(7)) == b"unpacked " * 1000
    with session.get(server.url("/"), stream=True) as response:
        assert response.raw.read(decode_content=False) == packed
    with session.get(server.url("/"), stream=True) as response:
        assert response.raw.read(10, decode_content=True) == b"unpacked u"
        assert response.raw.tell() > 0
