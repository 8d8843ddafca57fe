"""Storage at a URL: S3, by moto's server; and what all storage has in common."""

import json
import multiprocessing
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

import hyperlite
from hyperlite.crawling.export import export
from hyperlite.crawling.folder import Folder
from hyperlite.crawling.places import storage_at
from hyperlite.crawling.remote import Remote
from hyperlite.crawling.state import State
from hyperlite.crawling.storage import Storage
from hyperlite.testing.server import Request, Response
from tests.conftest import Serve

from . import archive
from .child import resolve
from .conftest import MakeSite
from .test_executors import crawl

NAME = "00017-a2"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Return the URL of a place in a bucket of its own."""
    names = {"AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    for name, value in (names | {"AWS_DEFAULT_REGION": "us-east-1"}).items():
        monkeypatch.setenv(name, value)
    name = tmp_path.name.replace("_", "-").lower()
    boto3.client("s3").create_bucket(Bucket=name)
    return f"s3://{name}/a/crawl"


@pytest.fixture(params=["folder", "memory", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "s3":
        return storage_at(request.getfixturevalue("bucket"))
    return storage_at(str(tmp_path) if request.param == "folder" else f"memory://{tmp_path}")


def test_kinds(tmp_path: Path) -> None:
    assert isinstance(storage_at(str(tmp_path)), Folder)
    assert isinstance(storage_at("memory://crawl"), Remote)
    with pytest.raises(ValueError, match="nonsense"):
        storage_at("nonsense://crawl")


def test_an_attempt_begins_once(storage: Storage) -> None:
    assert not storage.has_begun(NAME)
    mark = storage.begin(NAME)
    assert mark is not None
    assert storage.has_begun(NAME)
    assert storage.begin(NAME) is None
    assert not storage.forbid(NAME)
    mark.close()
    assert storage.begin(NAME) is None
    assert not storage.forbid(NAME)
    storage.forget(NAME)
    assert not storage.has_begun(NAME)


def test_an_attempt_that_is_forbidden_never_begins(storage: Storage) -> None:
    assert storage.forbid(NAME)
    assert storage.begin(NAME) is None
    assert storage.forbid(NAME), "by the next driver, too"


def test_two_flags_at_the_same_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where both are up before either worker looks again, neither attempt goes on."""
    storage = Remote(f"memory://{tmp_path}")
    write = storage.write

    def both(name: str, data: bytes) -> None:
        write(f"begun/{NAME}/another", b"")
        write(name, data)

    monkeypatch.setattr(storage, "write", both)
    assert storage.begin(NAME) is None
    assert not storage.forbid(NAME), "one of them may have gone on"


def test_files(storage: Storage, tmp_path: Path) -> None:
    assert storage.read("00001-a1.json") is None
    storage.write("00001-a1.json", b"one")
    assert storage.read("00001-a1.json") == b"one"
    with storage.workplace() as folder:
        path = folder / f"{NAME}.jsonl"
        path.write_bytes(b"line\n" * 3)
        storage.keep(path, path.name)
        bodies, _ = storage.bodies(folder)
        (bodies / NAME).mkdir(parents=True)
        (bodies / NAME / "3").write_bytes(b"body")
        storage.keep(bodies / NAME / "3", f"bodies/{NAME}/3")
    with storage.open(f"{NAME}.jsonl") as file:
        assert (file.readline(), file.read()) == (b"line\n", b"line\nline\n")
    assert storage.read(f"bodies/{NAME}/3") == b"body"
    storage.remove_others({NAME})
    assert storage.read("00001-a1.json") is None
    assert storage.read(f"{NAME}.jsonl")
    storage.remove_others(())
    assert storage.read(f"{NAME}.jsonl") is None
    assert storage.read(f"bodies/{NAME}/3") is None


# -- crawls -----------------------------------------------------------------------------------------


def spawned() -> ProcessPoolExecutor:
    """Return a process that has the environment of now."""
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))


@pytest.mark.long
def test_parts_in_a_bucket(make_site: MakeSite, bucket: str, tmp_path: Path) -> None:
    """A worker is killed: here nothing tells that it has ended, so its URLs come again after their lease."""
    site = make_site(6, 50)
    made: list[ProcessPoolExecutor] = []

    def make() -> ProcessPoolExecutor:
        made.append(spawned())
        return made[-1]

    site.kill(lambda: min(made[-1]._processes), 120, by=signal.SIGKILL)
    summary = crawl(site, executor=make, storage=bucket, lease=4.0)
    assert (summary.left, summary.failed, len(made)) == (0, 0, 2)
    site.check_output()
    assert list((site.state / "parts").iterdir()) == []
    with closing(State(site.state, read_only=True)) as state:
        assert export(state, tmp_path / "again.jsonl", "none") == 300
        names = {f"{part.name}.jsonl" for part in state.counted()}
    client = boto3.client("s3")
    keys = [one["Key"] for one in client.list_objects_v2(Bucket=bucket.split("/")[2])["Contents"]]
    assert {key.rpartition("/")[2] for key in keys} == names, "nothing else is left"


@pytest.mark.parametrize("name", ["out.jsonl", "out.warc.gz"])
def test_bodies_and_archives(serve: Serve, bucket: str, tmp_path: Path, name: str) -> None:
    def answer(request: Request) -> Response:
        return Response(404 if request.path == "/robots.txt" else 200, body=request.path.encode() * 3)

    server = serve(routes=answer)
    urls = [f"https://h{page % 3}.test:{server.port}/{page}" for page in range(30)]
    options: dict[str, Any] = {"resolver": resolve, "verify": False, "proxies": False}
    if name == "out.jsonl":
        options["body"] = "file"
    with ThreadPoolExecutor(2) as executor:
        hyperlite.crawl(urls, output=tmp_path / name, executor=executor, storage=bucket, **options)
    if name == "out.jsonl":
        records = [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
        assert len(records) == 30
        for record in records:
            place = record["body_file"].removeprefix(f"{bucket}/")
            page = "/" + record["url"].rpartition("/")[2]
            assert storage_at(bucket).read(place) == page.encode() * 3
    else:
        archive.check(tmp_path / name)
        assert len([one for one in archive.read(tmp_path / name) if one.kind == "metadata"]) == 30
