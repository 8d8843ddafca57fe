"""What an installed hyperlite does with one extra, or with none: run by a Python of an environment of its own.

`smoke.py EXTRA URL CA` asks a bookstore that runs elsewhere. It needs nothing but what that extra brings.
"""

import importlib
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import hyperlite
from hyperlite.http2.engine.speedups import compiled_decoder
from hyperlite.testing import Response, Server

EXTRA, URL, CA = sys.argv[1:]
SCRIPT = Path(sys.executable).with_name("hyperlite")


def command(*arguments: str) -> str:
    """Return what the command prints."""
    return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, check=True).stdout


def core() -> None:
    """Fetch over one connection, by a pool and from the shell; each public name can be imported."""
    assert "site-packages" in hyperlite.__file__, hyperlite.__file__
    assert importlib.metadata.version("hyperlite-http") == hyperlite.__version__
    for name in hyperlite.__all__:
        getattr(hyperlite, name)
    host, _, port = URL.removeprefix("https://").strip("/").partition(":")
    context = hyperlite.create_context(cafile=CA)
    with hyperlite.HTTP20Connection(host, int(port), context=context) as conn:
        ids = [conn.request("GET", f"/book?id={n}") for n in range(100)]
        assert {conn.getresponse(stream_id).version for stream_id in ids} == {20}
    with hyperlite.ConnectionPool(verify=CA) as pool:
        assert sum(outcome.ok for outcome in pool.fetch_many(f"{URL}book?id={n}" for n in range(100))) == 100
    assert json.loads(command("--cacert", CA, f"{URL}book?id=7"))["id"] == 7
    assert hyperlite.__version__ in command("--version")


def answer(content_coding: str, body: bytes) -> bytes:
    """Return a body that came in a content coding, decoded by a fetch that asks a function."""
    reply = Response(headers=[("content-encoding", content_coding)], body=body)
    with hyperlite.ConnectionPool(handler=lambda _: reply) as pool:
        return pool.fetch("https://example.org/").body


def br() -> None:
    """Decode Brotli."""
    import brotli

    assert answer("br", brotli.compress(b"hello")) == b"hello"


def zstd() -> None:
    """Decode Zstandard."""
    module = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    assert answer("zstd", importlib.import_module(module).compress(b"hello")) == b"hello"


def idna() -> None:
    """Ask for a name that IDNA of 2003 would make another name of."""
    seen = []

    def refuse(host: str, _port: int) -> None:
        seen.append(host)
        raise PermissionError(host)

    with hyperlite.ConnectionPool(resolver=refuse) as pool:
        (outcome,) = pool.fetch_many(["https://faß.example/"])
    assert seen == ["xn--fa-hia.example"], (seen, outcome.error)


def crawled(folder: Path, output: str, **options: object) -> Path:
    """Crawl ten books into a file."""
    urls = [f"{URL}book?id={n}" for n in range(10)]
    summary = hyperlite.crawl(urls, output=folder / output, verify=CA, **options)  # type: ignore[arg-type]
    assert (summary.fetched, summary.failed) == (10, 0), summary
    return folder / output


def crawl() -> None:
    """Crawl, and obey robots.txt."""
    with tempfile.TemporaryDirectory() as folder:
        assert len(crawled(Path(folder), "books.jsonl").read_text().splitlines()) == 10


def warc() -> None:
    """Write an archive."""
    from warcio import ArchiveIterator

    with tempfile.TemporaryDirectory() as folder:
        with crawled(Path(folder), "books.warc.gz", ignore_robots=True).open("rb") as file:
            kinds = [record.rec_type for record in ArchiveIterator(file)]
        assert kinds.count("response") == 10


def dask() -> None:
    """Import what a cluster needs."""
    assert importlib.import_module("distributed").Client


def requests() -> None:
    """Send by requests."""
    from hyperlite.adapters.requests import session

    with session() as made:
        response = made.get(f"{URL}book?id=7", verify=CA)
        assert (response.json()["id"], response.raw.version_string) == (7, "HTTP/2")


def testing() -> None:
    """Run a server."""
    with (
        Server({"/": lambda _: Response(body=b"hello")}) as server,
        hyperlite.ConnectionPool(verify=server.ca_file) as pool,
    ):
        assert pool.fetch(server.url()).body == b"hello"


def cli() -> None:
    """Run the commands that need more than the core."""
    testing()
    assert "HTTP/1.1" in command("demo", "--count", "100", "--latency", "0")
    assert "hyperlite" in command("completion", "bash")


def speedups() -> None:
    """Use the compiled decoder."""
    assert compiled_decoder is not None
    assert "speedups yes" in command("--version")


def without() -> None:
    """Say what is missing, by the name of the extra."""
    assert answer("gzip", zlib.compress(b"hello", wbits=31)) == b"hello"
    done = subprocess.run([SCRIPT, "serve"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode, done
    assert "hyperlite-http[testing]" in done.stderr, done.stderr


EXTRAS = [br, cli, crawl, dask, idna, requests, speedups, testing, warc, zstd]
os.environ.pop("SSL_CERT_FILE", None)
core()
if EXTRA == "none":
    without()
for check in EXTRAS:
    if EXTRA in (check.__name__, "all"):
        check()
