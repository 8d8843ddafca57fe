"""Cleartext HTTP/2 by `Upgrade: h2c`: h2o takes it up, nginx has never heard of it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .servers import Block, Nginx, Site


@pytest.fixture
def nginx_h1(tmp_path: Path, root: Path) -> Iterator[Site]:
    """nginx without TLS and without HTTP/2."""
    with Nginx(
        tmp_path, root, {"only": Block("location = /seen { return 200 $request_method; }", False, False)}
    ) as server:
        yield server.sites["only"]


def test_a_server_that_takes_it_up(h2o_sites: dict[str, Site], root: Path) -> None:
    with h2o_sites["cleartext"].connect(upgrade=True) as conn:
        for stream_id in (1, 3, 5):
            assert conn.request("GET", "/mebibyte") == stream_id
            response = conn.getresponse()
            assert (response.version, response.read()) == (20, (root / "mebibyte").read_bytes())


def test_when_the_connection_is_opened_again(h2o_sites: dict[str, Site]) -> None:
    with h2o_sites["cleartext"].connect(upgrade=True) as conn:
        for _ in range(3):
            response = conn.getresponse(conn.request("GET", "/book/1"))
            assert (response.version, response.status) == (20, 200)
            assert response.read()
            conn.close()


def test_many_at_once(h2o_sites: dict[str, Site]) -> None:
    with h2o_sites["cleartext"].connect(upgrade=True) as conn:
        ids = [conn.request("GET", f"/book/{number}") for number in range(100)]
        responses = [conn.getresponse(stream_id) for stream_id in reversed(ids)]
        assert {response.version for response in responses} == {20}
        assert all(response.read() for response in responses)


@pytest.mark.parametrize("make", [lambda: None, lambda: b"body", lambda: iter([b"body"])])
def test_a_server_that_goes_on_in_http11(nginx_h1: Site, make: Callable[[], object]) -> None:
    with nginx_h1.connect(upgrade=True) as conn:
        for _ in range(3):
            conn.request("POST", "/seen", make())
            response = conn.getresponse()
            assert (response.version, response.read()) == (11, b"POST")


def test_an_interim_response_is_no_response(h2o_sites: dict[str, Site]) -> None:
    """101 is what the upgrade is answered with; no caller sees it."""
    with h2o_sites["cleartext"].connect(upgrade=True) as conn:
        conn.request("GET", "/mebibyte")
        response = conn.getresponse()
        assert (response.status, response.informational) == (200, [])
        response.close()


def test_an_error_is_an_answer(h2o_sites: dict[str, Site]) -> None:
    with h2o_sites["cleartext"].connect(upgrade=True) as conn:
        conn.request("GET", "/no/such/thing")
        response = conn.getresponse()
        assert (response.version, response.status) == (20, 404)
        response.read()
        assert conn.ping() > 0
