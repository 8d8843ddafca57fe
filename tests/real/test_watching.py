"""`hyperlite -v`, `--frames` and `--timing` against real servers, and beside curl."""

import subprocess

import pytest

from hyperlite.cli import main

from .servers import Site, find_program

by_site = pytest.mark.parametrize("name", ["nginx_h2", "nginx_h1", "nghttpd_site"])


def site_of(request: pytest.FixtureRequest, name: str) -> Site:
    return request.getfixturevalue(name)


def lines_of(text: str, mark: str) -> set[str]:
    """Return the lines behind a mark, in lower case; without those that each answer has of its own."""
    lines = [line.removeprefix(mark).strip().lower() for line in text.splitlines() if line.startswith(mark)]
    return {line for line in lines if not line.startswith(("date:", "x-connection:"))}


@by_site
def test_the_heads_that_curl_shows(
    request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    site = site_of(request, name)
    url = f"https://localhost:{site.port}/book/7"
    arguments = ["--cacert", site.ca_file, "-A", "me", "-H", "Accept-Encoding: identity", url]
    done = subprocess.run(
        [find_program("curl", "curl"), "-sv", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert main(["-v", *arguments]) == 0
    shown = capfd.readouterr()
    assert shown.out == done.stdout
    assert lines_of(shown.err, "<") == lines_of(done.stderr, "<")
    assert lines_of(shown.err, ">") == lines_of(done.stderr, ">")


@pytest.mark.parametrize("name", ["nginx_h2", "nghttpd_site"])
def test_frames(request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str], name: str) -> None:
    site = site_of(request, name)
    url = f"https://localhost:{site.port}/mebibyte"
    assert main(["--frames", "--cacert", site.ca_file, "-o", "/dev/null", url]) == 0
    lines = [line.split() for line in capfd.readouterr().err.splitlines()]
    data = [line for line in lines if line[3:4] == ["DATA"]]
    assert sum(int(line[5]) for line in data) == 1 << 20
    assert {line[4] for line in data} == {"1"}
    assert any(line[-1] == "END_STREAM" for line in data)
    assert ["<", ":status:", "200"] in lines
    assert [line[3] for line in lines[1:3]] == ["preface", "SETTINGS"]


@by_site
def test_timing(request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str], name: str) -> None:
    site = site_of(request, name)
    urls = [f"https://localhost:{site.port}/book/{number}" for number in range(20)]
    assert main(["--timing", "--cacert", site.ca_file, *urls]) == 0
    shown = capfd.readouterr()
    lines = shown.err.splitlines()
    assert len(lines) == 2 * 20 + 4
    assert [line.split()[1] for line in lines[1:21]] == ["200"] * 20
    sizes = [int(line.split()[8].replace(",", "")) for line in lines[1:21]]
    assert sum(sizes) == len(shown.out.encode())
