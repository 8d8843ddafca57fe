"""The adapter that a script of this folder mounts: `python use_X.py URL requests`, or `hyperlite`."""

import sys

from requests.adapters import HTTPAdapter


def adapter(**options: object) -> HTTPAdapter:
    """Return requests' own adapter, or hyperlite's."""
    if sys.argv[2] == "requests":
        return HTTPAdapter(**options)
    from hyperlite.adapters.requests import HTTP20Adapter  # noqa: PLC0415 (requests' runs have nothing of it)

    return HTTP20Adapter(**options)
