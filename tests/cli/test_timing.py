"""`--timing`: the table and the waterfall."""

import threading

import pytest

import hyperlite
from hyperlite import ConnectionPool
from hyperlite.cli.timing import Timing
from hyperlite.testing import Request, Response, Server
from tests.conftest import Serve

from .watching import Page, pool_of


def sized(request: Request) -> Response:
    return Response(body=b"x" * int(request.query.get("n", ["700"])[0]))


def report(timing: Timing, width: int = 80) -> Page:
    page = Page()
    timing.report(page.write, width)
    return page


def fetch_many(server: Server, paths: list[str]) -> Timing:
    timing = Timing()
    with pool_of(server, [timing]) as pool:
        list(pool.fetch_many(map(server.url, paths)))
    return timing


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
@pytest.mark.parametrize("width", [80, 120])
def test_twenty_urls(serve: Serve, alpn: str, width: int) -> None:
    server = serve(routes=sized, alpn=(alpn,))
    timing = fetch_many(server, [f"/book?n={number}" for number in range(20)])
    lines = report(timing, width).lines
    assert all(len(line) <= width for line in lines)
    empty = lines.index("")
    table, waterfall = lines[1:empty], lines[empty + 2 : -1]
    assert len(table) == len(waterfall) == 20
    for number, line in enumerate(table, 1):
        cells = line.split()
        assert cells[:2] == [str(number), "200"]
        dns, connect, tls, first, body, total = (None if cell == "-" else float(cell) for cell in cells[2:8])
        assert None not in (first, body, total)
        assert abs(first + body - total) < 0.2
        assert sum(filter(None, (dns, connect, tls))) <= total
        assert cells[9].endswith(f"n={cells[8]}") or cells[9].startswith("…")
    opened = [line for line in table if "-" not in line.split()[2:5]]
    assert len(opened) >= 1
    if alpn == "h2":
        assert [line.split()[1] for line in waterfall] == [
            f"{_number(waterfall)}/{2 * n + 1}" for n in range(20)
        ]
        assert len(opened) == 1
        assert "TLS" in lines[-1]
    assert all("▇" in line for line in waterfall[1:])


def _number(waterfall: list[str]) -> str:
    return waterfall[0].split()[1].partition("/")[0]


def test_streams_interleave(serve: Serve) -> None:
    """Two bodies that come at the same time are drawn one below the other."""
    size = 3 << 20
    timing = fetch_many(serve(routes=sized), [f"/?n={size}", f"/?n={size}"])
    first, second = (line[14:-9] for line in report(timing, 120).lines[-3:-1])
    both = [one for one, other in zip(first, second, strict=True) if one in "▇━" and other in "▇━"]
    assert len(both) > 5
    assert "3.1 MB" in report(timing, 120).text


def test_slow_servers_and_failures(serve: Serve) -> None:
    server = serve(routes=sized)
    server.faults.cut("/cut", times=None)
    timing = Timing()
    with pool_of(server, [timing]) as pool, pytest.raises(hyperlite.FetchError):
        pool.fetch(server.url("/cut?token=s3cret"))
    page = report(timing)
    assert page.lines[1].split()[1] == "fail"
    assert "✗" in page.lines[-2]
    assert "s3cret" not in page.text
    assert ("fail ", "red") in page.pieces


def test_redirects_are_rows(serve: Serve) -> None:
    server = serve(
        routes=lambda request: (
            Response(302, headers=[("location", "/b")]) if request.path == "/a" else Response()
        )
    )
    timing = Timing()
    with pool_of(server, [timing]) as pool:
        pool.fetch(server.url("/a"))
    assert [line.split()[1] for line in report(timing).lines[1:3]] == ["302", "200"]


def test_no_request_no_report() -> None:
    assert report(Timing()).pieces == []


def test_threads(serve: Serve) -> None:
    server, timing = serve(routes=sized), Timing()
    with pool_of(server, [timing]) as pool:
        threads = [threading.Thread(target=pool.fetch, args=(server.url("/"),)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(report(timing).lines) == 2 * 8 + 4


def test_memory_stays_small_however_long_a_body_is() -> None:
    """The times of data are thinned out as time goes on."""
    timing = Timing()
    came: list[float] = []
    for _ in range(200_000):
        timing._note(came)
    assert len(came) < 40_000


def test_further_tries_are_rows(serve: Serve) -> None:
    server, timing = serve(routes=sized), Timing()
    server.faults.refuse("/")
    with ConnectionPool(verify=server.ca_file, observers=[timing]) as pool:
        pool.fetch(server.url("/"))
    assert [line.split()[1] for line in report(timing).lines[1:3]] == ["fail", "200"]
