"""How the runner speaks with a client program: lines of JSON on its standard input and output.

The runner writes a line for each step of a case, and waits for a line in answer::

    {"new": true,                   the case begins: use no connection from before
     "requests": [                  to be sent at once, and then read one after the other
       {"method": "POST",
        "url": "https://localhost:40123/0",
        "upload": 1048576}],        bytes of its body, any; 0: it has none
     "http": "h2",                  or "http/1.1": what the server speaks; without TLS, h2 by prior knowledge
     "timeout": 6.0,                seconds that each step may last
     "deadline": null,              seconds that each request may last as a whole, or null
     "decode": false,               undo the content coding
     "addresses": {"localhost": "127.0.0.1"},
     "ca": "/tmp/ca.pem"}           the authority to trust: no other

    {"answers": [                   one for each request, in their order
       {"outcome": "ok",            a whole response; or "error"; or "timeout"
        "status": 200,
        "size": 15,                 bytes of the body
        "sha256": "…",              of the body, in hexadecimal
        "detail": "…"}]}            of an error: its text

A client that cannot do what a case needs answers `{"skip": "why"}`.  One that ends, or says nothing in time,
is started again for the next case.
"""

import json
import os
import selectors
import shlex
import subprocess
import time
from pathlib import Path
from typing import Any, Self

Step = dict[str, Any]


class ClientLost(Exception):
    """The program has ended, or has said nothing in time."""


class Program:
    """A client program that is running.

    Args:
        command: how it is started.
    """

    def __init__(self, command: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603  it is the caller's
            shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._process.stdout is not None
        self._output = self._process.stdout.fileno()
        self._come = b""

    def ask(self, step: Step, seconds: float) -> Step:
        """Write a step, and return the answer.

        Raises:
            ClientLost: it has ended, or does not answer within these seconds.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(step).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise ClientLost("crash: the program has ended") from None
        answer: Step = json.loads(self._line(time.monotonic() + seconds))
        return answer

    def _line(self, end: float) -> bytes:
        with selectors.DefaultSelector() as selector:
            selector.register(self._output, selectors.EVENT_READ)
            while b"\n" not in self._come:
                if not selector.select(max(0.0, end - time.monotonic())):
                    raise ClientLost("hang: the program does not answer")
                data = os.read(self._output, 65536)
                if not data:
                    raise ClientLost("crash: the program has ended")
                self._come += data
        line, _, self._come = self._come.partition(b"\n")
        return line

    @property
    def peak(self) -> float:
        """The most memory that it has had, in MiB; 0 where that cannot be known."""
        try:
            lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        except OSError:
            return 0.0
        found = [line for line in lines if line.startswith("VmHWM")]
        return int(found[0].split()[1]) / 1024 if found else 0.0

    def begin_anew(self) -> None:
        """Have the peak of the memory begin at what it has now, where the system can do that."""
        try:
            Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")
        except OSError:
            return

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:  # what was not written to it is lost with it
                    continue

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
