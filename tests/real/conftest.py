"""Real servers, started once for all the tests here: nginx by its sites, nghttpd, Node, Go, h2o."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from hyperlite.testing.bookstore import books

from .runtimes import go, h2o, node
from .servers import Block, Nginx, Site, nghttpd

MEBIBYTE = 1 << 20
GIBIBYTE = 1 << 30
# At the two ends of the file of a gibibyte, which is nothing but zeros between them.
BEGINNING, END = b"the beginning", b"the end"

# The bookstore, and a few places where nginx answers by itself.
LOCATIONS = """
    location = / { try_files /index.html =404; }
    location = /book { try_files /book/$arg_id =404; }
    location = /nothing { return 204; }
    location = /seen { return 200 "$request_method|$http_content_length|$http_transfer_encoding"; }
    location = /cookie { return 200 $http_cookie; }
    location = /cookies {
        add_header set-cookie "flavour=oat; Path=/";
        add_header x-between 1;
        add_header set-cookie "size=large, very; Expires=Wed, 21 Oct 2026 07:28:00 GMT";
        return 200;
    }
    location /book/ { gzip on; gzip_types application/json; gzip_min_length 1; }
"""

NGINX_SITES = {
    "h2": Block(LOCATIONS),
    "h1": Block(LOCATIONS, http2=False),
    "cleartext": Block(LOCATIONS, secure=False),
    # A GOAWAY, or "Connection: close", at every fifth request.
    "five requests, h2": Block(LOCATIONS + "keepalive_requests 5;"),
    "five requests, h1": Block(LOCATIONS + "keepalive_requests 5;", http2=False),
    "three streams": Block(LOCATIONS + "http2_max_concurrent_streams 3;"),
    "small bodies, h2": Block("client_max_body_size 1k;"),
    "small bodies, h1": Block("client_max_body_size 1k;", http2=False),
    "impatient, h2": Block(LOCATIONS + "keepalive_timeout 100ms;"),
    "impatient, h1": Block(LOCATIONS + "keepalive_timeout 100ms;", http2=False),
    # Frames as large as the protocol lets them be by default: half as many for each gibibyte.
    "large frames": Block("http2_chunk_size 16k;"),
}


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that the servers serve: the bookstore as files, and a few larger ones."""
    directory = tmp_path_factory.mktemp("root")
    (directory / "index.html").write_text(json.dumps(list(books())))  # what both servers take for `/`
    (directory / "book").mkdir()
    for number, book in books().items():
        (directory / "book" / str(number)).write_text(json.dumps(book))
    (directory / "mebibyte").write_bytes(bytes(range(256)) * (MEBIBYTE // 256))
    # More than a stream's window: the response stays unfinished until the client has read of it.
    (directory / "four-mebibytes").write_bytes(bytes(4 * MEBIBYTE))
    with (directory / "gibibyte").open("wb") as file:
        file.write(BEGINNING)
        file.truncate(GIBIBYTE - len(END))
        file.seek(0, 2)
        file.write(END)
    return directory


@pytest.fixture(scope="session")
def nginx(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[dict[str, Site]]:
    """nginx, by the names of NGINX_SITES."""
    with Nginx(tmp_path_factory.mktemp("nginx"), root, NGINX_SITES) as server:
        yield server.sites


@pytest.fixture(scope="session")
def nginx_h2(nginx: dict[str, Site]) -> Site:
    """nginx with TLS and HTTP/2."""
    return nginx["h2"]


@pytest.fixture(scope="session")
def nginx_h1(nginx: dict[str, Site]) -> Site:
    """nginx with TLS and without HTTP/2."""
    return nginx["h1"]


@pytest.fixture(scope="session")
def nghttpd_site(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[Site]:
    """nghttpd, which sends back what is posted to it."""
    with nghttpd(tmp_path_factory.mktemp("nghttpd"), root, "--echo-upload") as site:
        yield site


@pytest.fixture(scope="session")
def node_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Node's http2, with TLS: see programs/server.js."""
    with node(tmp_path_factory.mktemp("node")) as site:
        yield site


@pytest.fixture(scope="session")
def go_sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Site]]:
    """Go's net/http, with TLS: "h2", and "h1" without HTTP/2. See programs/server.go."""
    with go(tmp_path_factory.mktemp("go")) as sites:
        yield sites


@pytest.fixture(scope="session")
def go_site(go_sites: Mapping[str, Site]) -> Site:
    """Go's net/http with HTTP/2."""
    return go_sites["h2"]


@pytest.fixture(scope="session")
def go_h1_site(go_sites: Mapping[str, Site]) -> Site:
    """Go's net/http without HTTP/2."""
    return go_sites["h1"]


@pytest.fixture(scope="session")
def h2o_sites(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[dict[str, Site]]:
    """h2o, which serves files: "h2" with TLS, "cleartext" without."""
    with h2o(tmp_path_factory.mktemp("h2o"), root) as sites:
        yield sites
