"""Servers that runtimes bring along: programs of ours, in `programs/`."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.real.runtimes import build_go

from .running import PROGRAMS, Place, Running, program, reported, signalled


@contextmanager
def node(place: Place) -> Iterator[Running]:
    command = [program("node"), str(PROGRAMS / "server.js")]
    with reported(place, command, 2, environment={"SITE_ROOT": str(place.root)}) as (
        (secure, clear),
        process,
    ):
        yield Running(secure, clear, signalled("HUP", process.pid))


@contextmanager
def go(place: Place) -> Iterator[Running]:
    program("go")
    built = build_go(PROGRAMS / "server.go", place.directory)
    with reported(place, [str(built)], 1, environment={"SITE_ROOT": str(place.root)}) as ((secure,), process):
        yield Running(secure, None, signalled("HUP", process.pid))
