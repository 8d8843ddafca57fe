"""NTLM and Negotiate authenticate a connection: a pool, whose connections are shared, refuses them."""

import io
from typing import Any

import pytest

import hyperlite
from hyperlite import ConnectionPool, FetchRequest
from hyperlite.testing.server import Request, Response
from tests.conftest import MakePool, Serve

HEADERS = [
    {"Authorization": "NTLM TlRMTVNTUAABAAAA"},
    {"authorization": "ntlm TlRMTVNTUAABAAAA"},
    {"AUTHORIZATION": "Negotiate YIIabc"},
    {b"Authorization": b"NEGOTIATE YIIabc"},
    {"Authorization": bytearray(b"nTLM x")},
    {"Authorization": memoryview(b"Negotiate x")},
    {"Authorization": "  NTLM x"},
    {"Authorization": "\tNegotiate\tx"},
    {"Authorization": "\r\n NTLM x"},
    {"Authorization": "NTLM"},
    {"Authorization": ", NTLM x"},
    {"Proxy-Authorization": "NTLM x"},
    {b"proxy-authorization": "Negotiate x"},
    {"Authorization": "CredSSP x"},
    [("Accept", "*/*"), ("Authorization", "NTLM x")],
    [("Authorization", "Basic eDp5"), ("Authorization", "Negotiate x")],
    [[b"Authorization", b"NTLM x"]],
]


@pytest.mark.parametrize("headers", HEADERS)
def test_every_way_to_fetch_refuses_them(pool: ConnectionPool, headers: Any) -> None:
    url = "https://localhost:1/"
    with pytest.raises(
        ValueError, match=r"(NTLM|Negotiate|CredSSP) authenticates a connection, and fetch\(\)"
    ):
        pool.fetch(url, headers=headers)
    with pytest.raises(ValueError, match="authenticates a connection"):
        pool.request("POST", url, headers=headers, body=io.BytesIO(b"body"))
    items = [FetchRequest(url, headers=headers), {"url": url, "headers": headers}]
    for outcome in pool.fetch_many(items):
        assert isinstance(outcome.error, ValueError)
        assert "authenticates a connection" in str(outcome.error)
    assert pool.stats()["dialled"] == 0


def test_the_functions_refuse_them_too() -> None:
    with pytest.raises(ValueError, match="NTLM authenticates a connection"):
        hyperlite.fetch("https://localhost:1/", headers={"Authorization": "NTLM x"})
    [outcome] = hyperlite.fetch_many(
        [FetchRequest("https://localhost:1/", headers={"Authorization": "NTLM x"})]
    )
    assert "NTLM authenticates a connection" in str(outcome.error)


def test_so_they_are_as_a_header_of_the_pools_own(make_pool: MakePool) -> None:
    pool = make_pool(headers={"Authorization": "Negotiate x"})
    with pytest.raises(ValueError, match="Negotiate authenticates a connection"):
        pool.fetch("https://localhost:1/")
    [outcome] = pool.fetch_many(["https://localhost:1/"])
    assert "Negotiate authenticates a connection" in str(outcome.error)


@pytest.mark.parametrize(
    "credentials", ["Basic bnRsbTpuZWdvdGlhdGU=", "Bearer NTLM", "NTLMx y", "Digest a=NTLM"]
)
def test_other_credentials_are_sent(serve: Serve, pool: ConnectionPool, credentials: str) -> None:
    def challenge(request: Request) -> Response:
        given = dict(request.headers).get("authorization", "")
        return Response(
            401, [("www-authenticate", "NTLM"), ("www-authenticate", "Negotiate")], given.encode()
        )

    server = serve(routes={"/": challenge})
    for response in (
        pool.fetch(server.url(), headers={"Authorization": credentials}),
        next(pool.fetch_many([{"url": server.url(), "headers": {"Authorization": credentials}}])).result(),
    ):
        assert (response.status, response.text) == (401, credentials)
        assert response.headers.get_all("www-authenticate") == ["NTLM", "Negotiate"]


def test_the_user_in_a_url_is_one_of_basic_authentication(serve: Serve, pool: ConnectionPool) -> None:
    """Also behind a redirect, and whatever the user is called."""

    def where(request: Request) -> Response:
        if request.path == "/":
            return Response(302, [("location", f"https://NTLM:x@localhost:{server.port}/end")])
        return Response(body=dict(request.headers)["authorization"].encode())

    server = serve(routes=where)
    assert pool.fetch(server.url(), headers={"Authorization": "Bearer x"}).text == "Basic TlRMTTp4"
