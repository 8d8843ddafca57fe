"""Downloads that go on, with nginx's Range, If-Range, entity tags and gzip."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hyperlite import ConnectionPool, SavedFile
from hyperlite.fetching.saving import note_of
from hyperlite.testing.certificates import certificates

from .servers import PATIENCE, Block, Nginx, Site

BODY = bytes(range(256)) * 4000
# `x-rate` gives the bytes a second, behind the first 100 KiB.
LOCATIONS = """
    location /slow/ { alias {root}/; limit_rate_after 100k; limit_rate $http_x_rate; }
    location /dated/ { alias {root}/; etag off; }
    location /packed/ { alias {root}/; gzip on; gzip_types *; gzip_min_length 1; }
    location /moved/ { rewrite ^/moved(/.*) /slow$1 redirect; }
    location /no-ranges/ { alias {root}/; max_ranges 0; }
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").write_bytes(BODY)
    os.utime(root / "file", (1_445_412_480, 1_445_412_480))
    return root


@pytest.fixture(params=["h2", "h1", "plain"])
def site(request: pytest.FixtureRequest, tmp_path: Path, root: Path) -> Iterator[Site]:
    (tmp_path / "nginx").mkdir()
    directives = LOCATIONS.replace("{root}", str(root))
    block = Block(directives, http2=request.param == "h2", secure=request.param != "plain")
    with Nginx(tmp_path / "nginx", root, {"site": block}) as server:
        yield server.sites["site"]


@pytest.fixture
def pool() -> Iterator[ConnectionPool]:
    with ConnectionPool(verify=certificates().ca_file, timeout=PATIENCE, proxies=False) as pool:
        yield pool


def url(site: Site, target: str) -> str:
    return f"{'https' if site.secure else 'http'}://localhost:{site.port}{target}"


def save(pool: ConnectionPool, address: str, path: Path) -> SavedFile:
    with pool.fetch(address, stream=True) as response:
        return response.save(path, resume=True)


def begin(pool: ConnectionPool, address: str, path: Path) -> int:
    """Have a download end with its timeout; return how many bytes have come."""
    slow = pool.fetch(address, stream=True, headers={"X-Rate": "1"}, timeout=0.5)
    with slow as response, pytest.raises(TimeoutError):
        response.save(path, resume=True)
    size = Path(f"{path}.part").stat().st_size
    assert 0 < size < len(BODY)
    return size


@pytest.mark.parametrize("target", ["/slow/file", "/moved/file"])
def test_it_goes_on(pool: ConnectionPool, site: Site, tmp_path: Path, target: str) -> None:
    path = tmp_path / "file"
    came = begin(pool, url(site, target), path)
    assert save(pool, url(site, target), path) == SavedFile(str(path), len(BODY), came)
    assert path.read_bytes() == BODY
    assert not Path(f"{path}.part.json").exists()


def test_a_file_that_has_changed(pool: ConnectionPool, site: Site, root: Path, tmp_path: Path) -> None:
    path = tmp_path / "file"
    begin(pool, url(site, "/slow/file"), path)
    (root / "file").write_bytes(BODY[::-1])
    assert save(pool, url(site, "/slow/file"), path) == SavedFile(str(path), len(BODY), 0)
    assert path.read_bytes() == BODY[::-1]


@pytest.mark.parametrize(
    ("target", "goes_on"), [("/dated/file", True), ("/packed/file", True), ("/no-ranges/file", False)]
)
def test_parts_of_other_kinds(
    pool: ConnectionPool, site: Site, tmp_path: Path, target: str, goes_on: bool
) -> None:
    """With a date for its validator, packed, and where the server sends the whole again."""
    path = tmp_path / "file"
    assert save(pool, url(site, target), path) == SavedFile(str(path), len(BODY), 0)
    with pool.fetch(url(site, target), stream=True, headers={"Accept-Encoding": "identity"}) as response:
        Path(f"{path}.part").write_bytes(BODY[:1000])
        note_of(response).write(f"{path}.part.json")
    assert save(pool, url(site, target), path) == SavedFile(str(path), len(BODY), 1000 if goes_on else 0)
    assert path.read_bytes() == BODY
