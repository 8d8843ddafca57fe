"""3,000 requests in chunks of 100 against an nginx that takes five on a connection: none lost, none twice."""

import re
from collections import Counter
from pathlib import Path

import pytest

import hyperlite

from .servers import Block, Nginx

SITES = {
    "h2": Block("access_log h2.log; keepalive_requests 5; location / { return 200 $request_uri; }"),
    "h1": Block(
        "access_log h1.log; keepalive_requests 5; location / { return 200 $request_uri; }", http2=False
    ),
}


@pytest.mark.parametrize("name", SITES)
def test_3000_requests_five_on_a_connection(tmp_path: Path, name: str) -> None:
    targets = [f"/once/{number}" for number in range(3000)]
    with Nginx(tmp_path, tmp_path, SITES) as nginx:
        site = nginx.sites[name]
        context = hyperlite.create_context(cafile=site.ca_file)
        with hyperlite.HTTP20Connection("localhost", site.port, context=context, timeout=20) as conn:
            for start in range(0, 3000, 100):
                chunk = targets[start : start + 100]
                ids = [conn.request("POST", target, b"a body") for target in chunk]
                assert [conn.getresponse(stream_id).read().decode() for stream_id in ids] == chunk
        # By the time it has ended nginx has written all of its log.
    requested = re.findall(r'"POST (\S+) HTTP/[0-9.]+" 200 ', (tmp_path / f"{name}.log").read_text())
    assert Counter(requested) == Counter(targets)
