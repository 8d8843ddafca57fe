"""No client: the bytes that hyperlite exchanged before, by bare ssl calls, with no parsing."""

import contextlib
from collections.abc import Callable, Sequence

from ..tape import call, floor, play, record, swallow
from .base import Client, Zeros


class Floor(Client):
    many, protocol = False, "h2"

    def prepare(self, warm_up: Sequence[str], paths: Sequence[str]) -> Callable[[], None]:
        """Exchange the warm-up; return what exchanges the rest."""
        target = self.target
        requests = [*warm_up, *paths]
        tape = record(
            target.port, target.context(), requests, target.chunk, many=self.many, protocol=self.protocol
        )
        first = -(-len(warm_up) // target.chunk)
        self.stack = contextlib.ExitStack()  # which ends with this process
        sock = call(self.stack.enter_context(play(tape)))
        floor(sock, tape[:first])
        return lambda: floor(sock, tape[first:])

    def upload(self, path: str, size: int) -> None:
        with swallow(size) as port, call(port) as sock:
            for block in Zeros(size).blocks():
                sock.sendall(block)
            assert sock.recv(1)


class FloorMany(Floor):
    many = True


class FloorHttp1(Floor):
    """The same for HTTP/1.1, where servers make other records of TLS."""

    protocol = "http/1.1"
