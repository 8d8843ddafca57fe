"""The memory that bodies have taken and let go of: kept for the next ones."""

import contextlib

# So much free memory at the end of its heap glibc gives back to the kernel (mallopt(3), M_TRIM_THRESHOLD).
GIVEN_BACK = 128 << 10
# Bytes of a block that is allocated and freed once. Twice as many may stay with the process afterwards.
BLOCK = 16 << 20

_kept = False


def keep_heap() -> None:
    """Have the C library keep what is freed, up to 32 MiB, for what is allocated next.

    Otherwise glibc gives the memory of bodies back to the kernel as they are read, and gets each page of it
    again, cleared, for the next ones: where many bodies come at once, that costs as much as all the rest.
    glibc keeps more once a large block was freed (mallopt(3), M_MMAP_THRESHOLD), so here is one. Nothing
    touches its pages. With another C library, or where the process may not have it (RLIMIT_AS), this does
    nothing.
    """
    global _kept  # noqa: PLW0603  the heap is the process's
    if not _kept:
        _kept = True
        with contextlib.suppress(MemoryError):
            bytes(BLOCK)
