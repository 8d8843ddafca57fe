"""`hyperlite --version`: the versions of what takes part."""

import platform
import ssl

import h2
import hpack

from .. import __version__
from ..http2.engine.speedups import compiled_decoder


def report() -> str:
    """Return the versions, a line each."""
    lines = {
        "hyperlite": __version__,
        "h2": h2.__version__,
        "hpack": hpack.__version__,
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "OpenSSL": ssl.OPENSSL_VERSION.removeprefix("OpenSSL "),
        "speedups": "no" if compiled_decoder is None else "yes",
    }
    return "".join(f"{name} {version}\n" for name, version in lines.items())
