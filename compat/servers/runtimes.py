"""Servers that runtimes and libraries bring along: programs of ours, in `programs/`."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

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


JARS = Path("/usr/share/java")


def java(name: str, jars: str, *, secure: bool = True) -> Callable[[Place], AbstractContextManager[Running]]:
    """Return what compiles and runs a program.

    Args:
        name: of its class, in programs/.
        jars: a pattern of those that it needs.
        secure: it has a port with TLS, too.
    """

    @contextmanager
    def start(place: Place) -> Iterator[Running]:
        sources = [str(PROGRAMS / f"{one}.java") for one in ("Site", name)]
        path = ":".join([str(place.directory), *map(str, JARS.glob(jars)), str(JARS / "servlet-api.jar")])
        compiler = [program("javac"), "-nowarn", "-d", str(place.directory), "-cp", path]
        subprocess.run([*compiler, *sources], check=True, capture_output=True)
        options = [f"-Djava.io.tmpdir={place.directory}", f"-Dsite.keys={place.keystore()}"]
        command = [program("java"), *options, "-cp", path, name]
        environment = {"SITE_ROOT": str(place.root)}
        with reported(place, command, 1 + secure, environment=environment) as (ports, _):
            yield Running(ports[0] if secure else None, ports[-1])

    return start


tomcat = java("TomcatSite", "tomcat10-*.jar")
jetty = java("JettySite", "jetty9-*.jar")
netty = java("NettySite", "netty-*.jar", secure=False)
