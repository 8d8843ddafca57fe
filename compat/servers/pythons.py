"""Servers for Python's applications, from PyPI, each in an environment of its own."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager

from hyperlite.testing.certificates import certificates

from .running import PROGRAMS, Place, Running, reported, signalled, started

# What begins a server on a port.
Command = Callable[[Place, int], Sequence[str]]


def application(
    secure: Command | None, clear: Command | None = None, reload: str = ""
) -> Callable[[Place], AbstractContextManager[Running]]:
    """Return what starts a server: a process with TLS, and one without; `reload` names a signal."""

    @contextmanager
    def start(place: Place) -> Iterator[Running]:
        environment = {"PYTHONPATH": str(PROGRAMS), "PYTHONDONTWRITEBYTECODE": "1"}
        ports: dict[str, int] = {}
        pid = 0
        with ExitStack() as stack:
            for name, command in (("clear", clear), ("secure", secure)):
                if command is not None:
                    running = started(
                        place,
                        lambda chosen, command=command: [
                            str(place.environment / "bin" / word) if number == 0 else word
                            for number, word in enumerate(command(place, chosen[0]))
                        ],
                        1,
                        environment=environment,
                        name=f"log.{name}",
                    )
                    (ports[name],), process = stack.enter_context(running)
                    pid = process.pid
            yield Running(ports.get("secure"), ports.get("clear"), signalled(reload, pid) if reload else ())

    return start


def _pair(certificate: str, key: str) -> list[str]:
    """Return the options that name the certificate's and the key's files."""
    return [certificate, certificates().cert_file, key, certificates().key_file]


def _hypercorn(_place: Place, port: int) -> list[str]:
    return ["hypercorn", "--bind", f"127.0.0.1:{port}", *_pair("--certfile", "--keyfile"), "app:app"]


def _hypercorn_clear(_place: Place, port: int) -> list[str]:
    return ["hypercorn", "--bind", f"127.0.0.1:{port}", "app:app"]


def _granian_clear(_place: Place, port: int) -> list[str]:
    return ["granian", "--interface", "asgi", "--port", str(port), "app:app"]


def _granian(place: Place, port: int) -> list[str]:
    return [*_granian_clear(place, port), *_pair("--ssl-certificate", "--ssl-keyfile")]


def _gunicorn_clear(_place: Place, port: int) -> list[str]:
    http2 = ["--http-protocols", "h2,h1", "--http2-cleartext", "prior-knowledge", "--threads", "8"]
    return ["gunicorn", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", *http2, "app:application"]


def _gunicorn(place: Place, port: int) -> list[str]:
    http2 = ["--http-protocols", "h2,h1", "--threads", "8", *_pair("--certfile", "--keyfile")]
    return ["gunicorn", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", *http2, "app:application"]


def _daphne(_place: Place, port: int) -> list[str]:
    pair = f"certKey={certificates().cert_file}:privateKey={certificates().key_file}"
    return ["daphne", "-e", f"ssl:{port}:interface=127.0.0.1:{pair}", "app:app"]


def _h2corn_clear(_place: Place, port: int) -> list[str]:
    return ["h2corn", "--host", "127.0.0.1", "--port", str(port), "app:app"]


def _h2corn(place: Place, port: int) -> list[str]:
    return [*_h2corn_clear(place, port), *_pair("--certfile", "--keyfile")]


def _peregrine_clear(_place: Place, port: int) -> list[str]:
    return ["peregrine", "--port", str(port), "--max-body", "33554432", "app:app"]


def _peregrine(place: Place, port: int) -> list[str]:
    return [*_peregrine_clear(place, port), *_pair("--tls-cert", "--tls-key")]


hypercorn = application(_hypercorn, _hypercorn_clear)
granian = application(_granian, _granian_clear, reload="HUP")
gunicorn = application(_gunicorn, _gunicorn_clear, reload="HUP")
daphne = application(_daphne)
h2corn = application(_h2corn, _h2corn_clear, reload="HUP")
peregrine = application(_peregrine, _peregrine_clear)


@contextmanager
def twisted(place: Place) -> Iterator[Running]:
    with reported(place, [place.python, str(PROGRAMS / "twisted_site.py")], 1) as ((secure,), _):
        yield Running(secure)


@contextmanager
def grpcio(place: Place) -> Iterator[Running]:
    with reported(place, [place.python, str(PROGRAMS / "grpc_site.py")], 2) as ((secure, clear), _):
        yield Running(secure, clear)
