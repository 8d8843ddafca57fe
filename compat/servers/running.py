"""A server that runs: its process, its ports, and what it is started with."""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from hyperlite.testing.certificates import certificates
from tests.real.servers import PATIENCE, PLACES, TRIES, Process

PROGRAMS = Path(__file__).parent / "programs"


class Missing(Exception):
    """A server is not installed; the text says what of it."""


@dataclass(frozen=True)
class Place:
    """What a server is started with."""

    directory: Path
    """An empty one, for all that the server writes."""
    root: Path
    """The directory of the files that are served."""
    environment: Path
    """Where the server's Python or Node packages are installed."""

    @property
    def python(self) -> str:
        """The interpreter of the server's own environment."""
        return str(self.environment / "bin" / "python")

    def write(self, name: str, text: str, **values: object) -> str:
        """Write a file of configuration, with the values and what all need to know; returns its path."""
        known: dict[str, object] = {
            "root": self.root,
            "directory": self.directory,
            "certificate": certificates().cert_file,
            "key": certificates().key_file,
        }
        (self.directory / name).write_text(text.format(**known, **values))
        return str(self.directory / name)

    def pair(self) -> str:
        """Return the path of a file with the key and the certificate."""
        file = self.directory / "pair.pem"
        file.write_text(
            "".join(Path(one).read_text() for one in (certificates().key_file, certificates().cert_file))
        )
        return str(file)

    def keystore(self) -> str:
        """Return the path of a PKCS #12 file with the key and the certificate, whose password is "secret"."""
        file = str(self.directory / "pair.p12")
        made = [program("openssl"), "pkcs12", "-export", "-passout", "pass:secret", "-out", file]
        subprocess.run([*made, "-in", self.pair()], check=True, capture_output=True)
        return file


@dataclass(frozen=True)
class Running:
    """A server that serves."""

    port: int | None
    """With TLS."""
    clear: int | None = None
    """Without."""
    reload: Sequence[str] = field(default=())
    """The command that has it take its configuration anew."""


def program(name: str) -> str:
    """Return the path of a program, or of a file that has one already."""
    path = shutil.which(name, path=os.pathsep.join(PLACES), mode=os.F_OK)
    if path is None:
        raise Missing(f"{name} is not installed")
    return path


def signalled(name: str, pid: int) -> list[str]:
    """Return the command that sends a signal."""
    return [program("kill"), f"-{name}", str(pid)]


@contextmanager
def started(
    place: Place,
    command: Callable[[Sequence[int]], Sequence[str]],
    ports: int,
    *,
    environment: Mapping[str, str] | None = None,
    name: str = "log",
) -> Iterator[tuple[Sequence[int], Process]]:
    """Run what `command` returns for so many free ports; anew if one was taken meanwhile."""
    for _ in range(TRIES):
        chosen = _free(ports)
        process = Process(command(chosen), place.directory / name, environment=environment)
        with ended(process):
            if process.wait_until(lambda chosen=chosen: all(map(_listens, chosen))):
                yield chosen, process
                return
    raise AssertionError(process.complaint()[-2000:])


@contextmanager
def ended(process: Process) -> Iterator[Process]:
    """End a process with the block, and what is left of its group."""
    try:
        yield process
    finally:
        process.stop()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 9)


@contextmanager
def reported(
    place: Place, command: Sequence[str], ports: int, **options: Mapping[str, str]
) -> Iterator[tuple[Sequence[int], Process]]:
    """Run a program of ours, which chooses its ports and writes each to a file.

    It is told the files, and then the key's and the certificate's.
    """
    files = [place.directory / f"port{number}" for number in range(ports)]
    more = [*map(str, files), certificates().key_file, certificates().cert_file]
    with ended(Process([*command, *more], place.directory / "log", **options)) as process:
        if not process.wait_until(lambda: all(file.exists() for file in files)):
            raise AssertionError(process.complaint()[-2000:])
        yield [int(file.read_text()) for file in files], process


@contextmanager
def origin(place: Place) -> Iterator[int]:
    """Run the server of HTTP/1.1 that a proxy asks; yields its port."""
    place.directory.joinpath("origin").mkdir()
    behind = Place(place.directory / "origin", place.root, place.environment)
    command = [program("python3"), str(PROGRAMS / "origin.py")]
    with reported(behind, command, 1) as ((port,), _):
        yield port


def _free(count: int) -> Sequence[int]:
    """Return free ports, no two of them the same."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [listener.getsockname()[1] for listener in listeners]


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), PATIENCE):
        return True
    return False
