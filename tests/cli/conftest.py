"""What the tests of the command line share: the embedded server, and the command."""

from collections.abc import Callable

import pytest

from hyperlite.cli import main
from hyperlite.testing.server import Server
from tests.conftest import Serve

Get = Callable[..., str]


@pytest.fixture
def server(serve: Serve) -> Server:
    return serve()


@pytest.fixture
def get(server: Server, capfdbinary: pytest.CaptureFixture[bytes]) -> Get:
    """Run the command, which has to succeed and say nothing; returns what it prints."""

    def run(*arguments: str) -> str:
        assert main(["--cacert", server.ca_file, *arguments]) == 0
        printed = capfdbinary.readouterr()
        assert printed.err == b""
        return printed.out.decode()

    return run


@pytest.fixture
def fail(server: Server, capfdbinary: pytest.CaptureFixture[bytes]) -> Callable[..., tuple[int, str]]:
    """Run the command, which has to fail; returns its status, and the one line that it says."""

    def run(*arguments: str, trusting: bool = True) -> tuple[int, str]:
        trusted = ["--cacert", server.ca_file] if trusting else []
        status = main([*trusted, *arguments])
        said = capfdbinary.readouterr().err.decode()
        assert status != 0
        assert said.startswith("hyperlite: ")
        assert said.count("\n") == 1
        return status, said.removeprefix("hyperlite: ").rstrip("\n")

    return run


Fail = Callable[..., tuple[int, str]]
