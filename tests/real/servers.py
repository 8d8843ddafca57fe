"""nginx and nghttpd for tests: started on free ports of 127.0.0.1, and stopped for certain.

A server ends with its `with` block, whatever happens in there.  Nothing here waits by sleeping for
a fixed time: a server that starts is asked, every few milliseconds, until it is ready or has ended.
"""

import grp
import os
import pwd
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

import pytest

import hyperlite
from hyperlite.testing.certificates import certificates

Connection = TypeVar("Connection", bound=hyperlite.HTTP20Connection)

# Seconds that a server may take to start or to stop, and a test to wait for it, on a busy machine.
PATIENCE = 30.0
# Seconds between two looks at a server that starts.
GLANCE = 0.005
# A port that was free may be taken by the time that nghttpd listens.
TRIES = 5
# Where servers are installed: an ordinary user's PATH has not got the sbin ones.
PLACES = (os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin")


def find_program(name: str, package: str) -> str:
    """Return the path of a program; without it the test is skipped, or fails where CI has to have it."""
    path = shutil.which(name, path=os.pathsep.join(PLACES))
    if path is None:
        complaint = f"{name} is not installed (on Debian: apt install {package})"
        if os.environ.get("CI") == "true":
            pytest.fail(complaint)
        pytest.skip(complaint)
    return path


@dataclass(frozen=True)
class Site:
    """One port of a running server, and what clients have to know of it."""

    port: int
    root: Path
    """The directory of the files that are served."""
    secure: bool = True

    @property
    def ca_file(self) -> str:
        """The path of a PEM file with the authority that has signed the server's certificate."""
        return certificates().ca_file

    def context(self) -> ssl.SSLContext:
        """Return a new client context that trusts the server's authority."""
        return hyperlite.create_context(cafile=self.ca_file)

    def connect(self, kind: type[Connection] = hyperlite.HTTP20Connection, **options: object) -> Connection:
        """Return a connection to the site, which opens with its first request."""
        if self.secure:
            options.setdefault("context", self.context())
        options.setdefault("timeout", PATIENCE)
        return kind("localhost", self.port, secure=self.secure, **options)


class Process:
    """A server's process; it runs in the foreground, and what it has to say goes to a file."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        descriptors: Sequence[int] = (),
    ) -> None:
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(environment or {})},
                pass_fds=descriptors,
                start_new_session=True,  # so that nothing of it survives `kill`
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process's number, which is its group's as well."""
        return self._process.pid

    def wait_until(self, ready: Callable[[], bool]) -> bool:
        """Wait until the server is ready; false if it ends before. AssertionError if neither happens."""
        deadline = time.monotonic() + PATIENCE
        while self._process.poll() is None:
            if ready():
                return True
            assert time.monotonic() < deadline, f"not ready after {PATIENCE:g} s: {self.complaint()}"
            time.sleep(GLANCE)
        return False

    def stop(self) -> None:
        """Ask the server to end, and make it if it will not; when this returns it has closed its sockets."""
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()

    def complaint(self) -> str:
        """Return what to say of a server that does not serve."""
        return f"{' '.join(self._process.args)}\n{self._log.read_text()}"


# -- nginx ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Block:
    """A `server` block of nginx's configuration: in what it differs from the others."""

    directives: str = ""
    http2: bool = True
    secure: bool = True


class Nginx:
    """nginx with any number of server blocks, each on a port of its own.

    The listening sockets are ours: nginx takes them over as it does from its predecessor when its
    binary is upgraded (NGINX="3;4;").  So no other process can get the ports, not even between two runs.
    """

    def __init__(self, directory: Path, root: Path, blocks: Mapping[str, Block], common: str = "") -> None:
        """Reserve the ports; nginx runs within the `with` block.

        Args:
            directory: an empty one, for all that nginx writes.
            root: the directory of the files to serve.
            blocks: by the names to have in `sites`.
            common: directives for all of them, outside their blocks.
        """
        self._program = find_program("nginx", "nginx")
        self._directory = directory
        self._process: Process | None = None
        newer = nginx_version(self._program) >= (1, 25, 1)  # has `http2 on`, and warns of the parameter
        self._listeners = [socket.create_server(("127.0.0.1", 0), backlog=511) for _ in blocks]
        ports = [listener.getsockname()[1] for listener in self._listeners]
        self.sites = {
            name: Site(port, root, block.secure)
            for (name, block), port in zip(blocks.items(), ports, strict=True)
        }
        text = NGINX_CONF.format(
            user=user_directive(),
            root=root,
            certificate=certificates().cert_file,
            key=certificates().key_file,
            common=common,
            servers="\n".join(
                server_block(block, port, newer=newer)
                for block, port in zip(blocks.values(), ports, strict=True)
            ),
        )
        (directory / "nginx.conf").write_text(text)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for listener in self._listeners:
                stack.enter_context(listener)
            self.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with self._stack:
            if self._process is not None:
                self.stop()

    @property
    def pid(self) -> int:
        """The number of the process that signals go to."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start nginx and wait until it serves."""
        descriptors = [listener.fileno() for listener in self._listeners]
        with ExitStack() as stack:
            process = stack.enter_context(
                Process(
                    [self._program, "-e", "stderr", "-p", str(self._directory), "-c", "nginx.conf"],
                    self._directory / "nginx.log",
                    environment={"NGINX": "".join(f"{descriptor};" for descriptor in descriptors)},
                    descriptors=descriptors,
                )
            )
            # From then on clients may connect: nginx has read its configuration and is about to accept.
            assert process.wait_until((self._directory / "nginx.pid").exists), process.complaint()
            stack.pop_all()
        self._process = process

    def stop(self) -> None:
        """Stop nginx: its connections are closed, and new ones wait until it is started again."""
        assert self._process is not None
        process, self._process = self._process, None
        process.stop()


def nginx_version(program: str) -> tuple[int, ...]:
    """Return the version of an nginx."""
    told = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stderr
    found = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", told)
    assert found, f"{program} -v says {told!r}"
    return tuple(map(int, found.groups()))


def server_block(block: Block, port: int, *, newer: bool) -> str:
    """Return a block as nginx wants it, older than 1.25.1 or newer."""
    listen = f"listen 127.0.0.1:{port}{' ssl' * block.secure}{' http2' * (block.http2 and not newer)};"
    return f"server {{ {listen} {'http2 on; ' * (block.http2 and newer)}\n{block.directives}\n}}"


def user_directive() -> str:
    """Return what makes root's nginx work as root, since `nobody` may not look into our directories."""
    if os.geteuid():
        return ""  # another user's works as that user, and would warn of the directive
    return f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(os.getegid()).gr_name};"


NGINX_CONF = """\
daemon off;
{user}
worker_processes 1;
pid nginx.pid;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path tmp-body;
    fastcgi_temp_path tmp-fastcgi;
    proxy_temp_path tmp-proxy;
    scgi_temp_path tmp-scgi;
    uwsgi_temp_path tmp-uwsgi;
    root {root};
    default_type application/json;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    keepalive_requests 100000;
    large_client_header_buffers 4 64k;
    # Which of its connections a response came on.
    add_header x-connection $connection always;
    {common}
    {servers}
}}
"""


# -- nghttpd ----------------------------------------------------------------------------------------


@contextmanager
def nghttpd(directory: Path, root: Path, *options: str, secure: bool = True) -> Iterator[Site]:
    """Run an nghttpd with these options.

    Args:
        directory: one to write its output to.
        root: the directory of the files to serve.
        options: see `nghttpd --help`.
        secure: with TLS.
    """
    program = find_program("nghttpd", "nghttp2-server")
    for _ in range(TRIES):
        site = Site(free_port(), root, secure)
        files = [certificates().key_file, certificates().cert_file] if secure else ["--no-tls"]
        command = [program, "--address=127.0.0.1", f"--htdocs={root}", *options, str(site.port), *files]
        with Process(command, directory / "nghttpd.log") as process:
            if process.wait_until(lambda site=site: answers(site)):
                yield site
                return
    raise AssertionError(f"nghttpd found no free port: {process.complaint()}")


def free_port() -> int:
    """Return a port that no process listens on at the moment."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return listener.getsockname()[1]


def answers(site: Site) -> bool:
    """Tell whether something listens, with our certificate where it has TLS."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", site.port), PATIENCE) as sock:
        if not site.secure:
            return True
        site.context().wrap_socket(sock, server_hostname="localhost").close()
        return True
    return False
