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


# A process that may have a few pages more than it has now, and not such a block.
NARROW = """
import pathlib, resource
from hyperlite.net.heap import keep_heap

held = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + (4 << 20), resource.RLIM_INFINITY))
keep_heap()
print("goes on")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_process_that_may_not_have_the_block_goes_on() -> None:
    """It is a thread in the middle of a body that asks for it."""
    run = subprocess.run([sys.executable, "-c", NARROW], capture_output=True, text=True, check=True)
    assert run.stdout == "goes on\n"
