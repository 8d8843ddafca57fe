"""Write pinned.json: how the listed cases come out on HTTP/2, so that a change is noticed and looked at.

Run it, `python -m tests.differential.pin`, after a change that was meant, and read the diff.
"""

import json
from contextlib import closing
from pathlib import Path

from hyperlite import client
from hyperlite.testing.server import Server

from .cases import CASES
from .differences import DIFFERENCES
from .observe import summary
from .service import ROUTES
from .ways import Way


def main() -> None:
    with Server(ROUTES) as server, closing(Way(client, server)) as way:
        pinned = {case.name: summary(way(case)) for case in CASES if case.name in DIFFERENCES}
    text = json.dumps(pinned, indent=1, ensure_ascii=False) + "\n"
    Path(__file__).with_name("pinned.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
