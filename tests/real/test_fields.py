"""What our HPACK encoder writes, as others read it: Go, Node and nghttp2 are the judges.

Each field enters the table when it comes for the second time, stays, or finds no room; secrets go as literals
that no proxy may index.  So the requests repeat themselves, in part, on one connection.
"""

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import hyperlite

from .servers import Site, nghttpd

REQUESTS = 200
Fields = dict[str, str]


def requests(seed: int) -> Iterator[Fields]:
    """Make the header fields of many requests, which have names, values or both in common."""
    rng = random.Random(seed)
    letters = "".join(map(chr, range(0x21, 0x7F)))

    def text(length: int) -> str:
        return "".join(rng.choices(letters, k=length))

    names = [
        "x-own",
        "x-" + "long" * 30,
        "referer",
        "accept-language",
        "if-none-match",
        "cache-control",
        "range",
    ]
    values = ["", "a", text(20), text(126), text(127), text(128), text(300), text(5000), "a b\tc"]
    for number in range(REQUESTS):
        fields = {"x-number": str(number), "cookie": f"id={text(10)}", "authorization": f"Bearer {text(200)}"}
        for name in rng.sample(names, rng.randrange(len(names) + 1)):
            fields[name] = rng.choice([*values, text(rng.randrange(1, 60))])
        yield fields


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["go", "node"])
def test_echoed(request: pytest.FixtureRequest, name: str, seed: int) -> None:
    site: Site = request.getfixturevalue(f"{name}_site")
    sent = list(requests(seed))
    with site.connect() as conn:
        ids = [conn.request("GET", "/fields", headers=fields) for fields in sent]
        for stream_id, fields in zip(ids, sent, strict=True):
            response = conn.getresponse(stream_id)
            assert response.version == 20
            seen = dict(line.split(": ", 1) for line in response.read().decode().splitlines())
            assert seen == {"accept-encoding": "identity", **fields}


# Of the table that the peer lets us have: none, less than some fields need, the usual one, more.
@pytest.mark.parametrize("size", [0, 100, 4096, 65536])
def test_seen_by_nghttpd(tmp_path: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(b"hello")
    sent = list(requests(size))
    with nghttpd(tmp_path, tmp_path, "--verbose", f"--header-table-size={size}") as site:
        with site.connect() as conn:
            assert fetch(conn, [{}]) == [b"hello"]  # its SETTINGS are here now
            assert fetch(conn, sent) == [b"hello"] * len(sent)
        log = (tmp_path / "nghttpd.log").read_text("latin-1")
    lines = re.findall(r"recv \(stream_id=(\d+)(?:, sensitive)?\) ([^:\n]+): (.*)", log)
    seen: dict[int, Fields] = {}
    for stream_id, name, value in lines:
        seen.setdefault(int(stream_id), {})[name] = value
    assert [seen[2 * number + 3] for number in range(len(sent))] == [
        {"accept-encoding": "identity", **fields} for fields in sent
    ]
    assert "(stream_id=3, sensitive) authorization: " in log


def fetch(conn: hyperlite.HTTP20Connection, requests: list[Fields]) -> list[bytes]:
    ids = [conn.request("GET", "/file", headers=fields) for fields in requests]
    return [conn.getresponse(stream_id).read() for stream_id in ids]
