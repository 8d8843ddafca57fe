"""The servers of the benchmarks, and the files that all of them serve."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from hyperlite.testing.bookstore import books
from hyperlite.testing.certificates import certificates
from hyperlite.testing.server import Request, Response, Server
from tests.real.servers import (
    TRIES,
    Block,
    Nginx,
    Process,
    Site,
    answers,
    find_program,
    free_port,
    nghttpd,
    user_directive,
)

SERVERS = ["nginx", "nghttpd", "h2o", "embedded"]

MEBIBYTE = 1 << 20
SMALL = 600  # bytes of the one small file
FILES = 3000
SIZES = range(200, 4001)  # bytes of the different files
LARGE = 256 * MEBIBYTE

# No limits that a benchmark would meet, the bookstore, and two places that take bodies.
# `add_header` stands in the place of the tests' own, which names the connection.
LOCATIONS = f"""
    add_header cache-control max-age=60;
    keepalive_requests 1000000;
    client_max_body_size {LARGE};
    location = / {{ try_files /index.html =404; }}
    location = /book {{ try_files /book/$arg_id =404; }}
    location = /post {{ return 200 '{{"ok": true}}'; }}
    location /upload/ {{ dav_methods PUT; }}
"""
NGINX_SITES = {"h2": Block(LOCATIONS)}

H2O_CONF = """\
user: {user}
num-threads: 1
http2-max-concurrent-requests-per-connection: 256
listen:
  host: 127.0.0.1
  port: {port}
  ssl: {{ certificate-file: {certificate}, key-file: {key} }}
hosts:
  default:
    paths:
      /: {{ file.dir: {root} }}
"""


# What is raised for a server that is not installed: in a test it skips, or fails where CI has to have it.
Missing = (pytest.skip.Exception, pytest.fail.Exception)


def make_files(root: Path) -> None:
    """Write what is served: one small file, 3,000 different ones, larger ones and the bookstore."""
    dice = Random(3000)
    (root / "small").write_bytes(b"x" * SMALL)
    for name in ("file", "book", "upload"):
        (root / name).mkdir()
    for number in range(FILES):
        (root / "file" / str(number)).write_bytes(dice.randbytes(dice.choice(SIZES)))
    (root / "index.html").write_text(json.dumps(list(books())))
    for number in books():
        (root / "book" / str(number)).write_text(json.dumps(books()[number]))
    (root / "mebibyte").write_bytes(bytes(range(256)) * (MEBIBYTE // 256))
    with (root / "large").open("wb") as file:
        file.truncate(LARGE)


@contextmanager
def serve(name: str) -> Iterator[Site]:
    """Run one of SERVERS, with its files in a new directory.

    Raises one of Missing when it is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="hyperlite-bench-") as name_of_directory:
        directory = Path(name_of_directory)
        directory.chmod(0o755)  # a server that gives up root's rights still has to read
        root = directory / "root"
        root.mkdir()
        make_files(root)
        with STARTERS[name](directory, root) as site:
            yield site


@contextmanager
def _nginx(directory: Path, root: Path) -> Iterator[Site]:
    own = directory / "nginx"
    own.mkdir()
    with Nginx(own, root, NGINX_SITES) as server:
        yield server.sites["h2"]


@contextmanager
def _nghttpd(directory: Path, root: Path) -> Iterator[Site]:
    with nghttpd(directory, root) as site:
        yield site


@contextmanager
def _h2o(directory: Path, root: Path) -> Iterator[Site]:
    program = find_program("h2o", "h2o")
    for _ in range(TRIES):
        site = Site(free_port(), root)
        user = user_directive().removeprefix("user ").partition(" ")[0] or "nobody"
        conf = directory / "h2o.conf"
        conf.write_text(
            H2O_CONF.format(
                user=user,
                port=site.port,
                root=root,
                certificate=certificates().cert_file,
                key=certificates().key_file,
            )
        )
        with Process([program, "-c", str(conf)], directory / "h2o.log") as process:
            if process.wait_until(lambda site=site: answers(site)):
                yield site
                return
    raise AssertionError(f"h2o found no free port: {process.complaint()}")


@contextmanager
def _embedded(_directory: Path, root: Path) -> Iterator[Site]:
    """The embedded server: in this process, so another process must measure."""

    def answer(request: Request) -> Response:
        path = request.target.partition("?")[0]
        if request.method == "POST":
            return Response(headers=[("content-type", "application/json")], body=b'{"ok": true}')
        if path == "/book":
            path = f"/book/{request.query['id'][0]}"
        return Response(
            headers=[("content-type", "application/json"), ("cache-control", "max-age=60")],
            body=(root / path[1:]).read_bytes(),
        )

    with Server(answer) as server:
        yield Site(server.port, root)


STARTERS = {"nginx": _nginx, "nghttpd": _nghttpd, "h2o": _h2o, "embedded": _embedded}


def version(name: str) -> str:
    """Return what a server says of its version."""
    if name == "embedded":
        return "hyperlite.testing"
    program = shutil.which(name, path="/usr/bin:/usr/sbin:/usr/local/bin:/usr/local/sbin:/opt/homebrew/bin")
    if program is None:
        return "not installed"
    told = subprocess.run(
        [program, "-v" if name == "nginx" else "--version"], capture_output=True, text=True, check=False
    )
    return (told.stdout + told.stderr).strip().splitlines()[0]
