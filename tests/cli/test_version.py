"""`hyperlite --version`."""

import platform
import ssl
import subprocess
import sys

import h2
import pytest

import hyperlite
from hyperlite.http2.engine.speedups import compiled_decoder


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_versions(option: str) -> None:
    command = [sys.executable, "-m", "hyperlite", option]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    found = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert list(found) == ["hyperlite", "h2", "hpack", "Python", "OpenSSL", "speedups"]
    assert found["hyperlite"] == hyperlite.__version__
    assert found["h2"] == h2.__version__
    assert found["Python"].startswith(platform.python_version())
    assert ssl.OPENSSL_VERSION.endswith(found["OpenSSL"])
    assert found["speedups"] == ("no" if compiled_decoder is None else "yes")
