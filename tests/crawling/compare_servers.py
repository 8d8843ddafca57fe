"""A server of `compare`, in a process of its own: run as a module.

It prints the file of its authority and its URLs; then, for each line of its input, how often each page was
asked for.
"""

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

import trustme

from .site import Site

ROBOTS = b"User-agent: *\nDisallow: /private/\nDisallow: /*.cgi$\n"


def main(each: str, number: str, servers: str, hosts: str) -> None:
    """Serve the pages of every so manyth host, until the input ends."""
    names = [f"h{host}.test" for host in range(int(hosts))]
    authority = trustme.CA()
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder), int(hosts), int(each), robots=ROBOTS)
        ca_file = Path(folder, "ca.pem")
        authority.cert_pem.write_to_path(str(ca_file))
        with site.server as server:
            assert server.tls is not None
            authority.issue_cert(*names).configure_cert(server.tls)
            own = [url for place, url in enumerate(site.urls) if place % int(servers) == int(number)]
            print(json.dumps([str(ca_file), own]), flush=True)
            asked: Counter[str] = Counter()
            seen = 0
            for _ in sys.stdin:
                log = server.log
                asked.update(target for _, _, _, target in log[seen:])
                seen = len(log)
                print(json.dumps(asked), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
