"""Feeds blocks to the compiled decoder for some seconds: `make fuzz-speedups` builds it with sanitizers.

What it returns is compared in test_hpack_agreement.py, with the same blocks.  Here nothing is compared, so
that more of them come by: what counts is that the sanitizers, which end the process, find nothing.
"""

import argparse
import itertools
import random
import time

import hpack

from hyperlite.http2.engine.speedups import compiled_decoder
from tests.http2.engine.test_hpack_agreement import LIMITS, Composer, recorded


def main() -> None:
    """Decode until the time is over, and tell how many blocks that were."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**9)
    arguments = parser.parse_args()
    assert compiled_decoder is not None, "the compiled decoder is not installed, or turned off"
    servers = list(recorded().values())
    blocks = connections = errors = 0
    end = time.monotonic() + arguments.seconds
    for seed in itertools.count(arguments.seed):
        if time.monotonic() > end:
            break
        composer, dice = Composer(seed), random.Random(seed)
        decoder = compiled_decoder(dice.choice(LIMITS))
        connections += 1
        for block in servers[seed % len(servers)] if dice.random() < 0.2 else ():
            composer.shapes.append([(block, None)])  # what servers sent, to be broken like the rest
        for _ in range(100):
            block = composer.block()
            if dice.random() < 0.2:
                block = composer.mutate(block)
            blocks += 1
            try:
                decoder.decode(block)
            except hpack.HPACKError:  # a connection would end here; the decoder must bear more
                errors += 1
    print(f"seed {arguments.seed}: {blocks:,} blocks on {connections:,} connections, {errors:,} errors")


if __name__ == "__main__":
    main()
