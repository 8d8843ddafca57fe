"""Call a library in a fresh interpreter, with hyperlite in http.client's place before it is imported.

    python run.py CALLER CLIENT OPTIONS

CALLER is a module of this folder; its `call(options)` returns what came of it, which is printed as the last
line, in JSON. CLIENT is `hyperlite`, or `stock` for http.client itself, to compare. OPTIONS is JSON.
"""

import gc
import importlib
import json
import sys


def main(caller: str, client: str, options: str) -> None:
    """Install hyperlite if that is wanted, and only then import the library."""
    if client == "hyperlite":
        from hyperlite.installing import install  # noqa: PLC0415 (stock runs have nothing of hyperlite)

        install()
    result = importlib.import_module(caller).call(json.loads(options))
    gc.collect()  # what was dropped without being closed complains now
    print()
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
