"""Threads of a program use a context while hyperlite dials with it.

HYPERLITE_TLS_SECONDS says for how long; a crash of the interpreter takes 20 s and more to come about where a
context is changed meanwhile, the others' getting what hyperlite offers less than one.
"""

import json
import os
import subprocess
import sys

import pytest

SECONDS = float(os.environ.get("HYPERLITE_TLS_SECONDS", "2"))


@pytest.mark.timeout(SECONDS + 120)
def test_a_context_can_be_used_by_other_threads_meanwhile() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.net.tls_load", str(SECONDS)],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS + 100,
    )
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert counts["failures"] == []
    assert counts["leaks"] == 0
    assert min(counts["dials"], counts["objects"], counts["fetches"]) > 0
