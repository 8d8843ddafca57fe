"""net/heap: what bodies have taken and let go of stays with the process for the next ones."""

import platform
import subprocess
import sys

import pytest

from hyperlite.net.heap import BLOCK, keep_heap

PIECE = 16384
# What a process does, and how many pages it has to fetch for that the second time.
PROGRAM = f"""
import resource
from hyperlite.net.heap import keep_heap

def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    pieces = [bytes({PIECE}) for _ in range({BLOCK // PIECE})]
    del pieces
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

first = pages()
keep_heap()
pages()
print(first, pages())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library has limits of its own")
def test_memory_that_was_freed_is_not_fetched_again() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    first, second = map(int, run.stdout.split())
    assert first > BLOCK // 8192
    assert second < first / 10


def test_a_second_call_does_nothing() -> None:
    keep_heap()
    keep_heap()
