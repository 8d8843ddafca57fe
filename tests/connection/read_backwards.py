"""Read 100 pipelined responses of 8 MiB, the last one first; print what came of it and how memory grew.

python read_backwards.py PORT MAX_BUFFERED
"""

import resource
import sys

import hyperlite


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024  # KiB on Linux


def main(port: int, max_buffered: int) -> str:
    with hyperlite.HTTP20Connection(
        "localhost", port, secure=False, timeout=60, max_buffered=max_buffered
    ) as conn:
        conn.getresponse(conn.request("GET", "/")).read()  # now the server's limits are known
        ids = [conn.request("GET", "/") for _ in range(100)]
        try:
            for stream_id in reversed(ids):
                assert len(conn.getresponse(stream_id).read()) == 8 << 20
        except hyperlite.BufferLimitExceeded as error:
            return f"{type(error).__name__}: {error}"
    return "all read"


if __name__ == "__main__":
    hyperlite.HTTP20Connection("localhost", int(sys.argv[1]), secure=False, timeout=60).connect()
    before = peak()
    print(main(int(sys.argv[1]), int(sys.argv[2])), peak() - before)
