"""How the command ends: the status of each failure, which is curl's, and one sentence that names the URL."""

import os
import re
import shlex
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import hyperlite.cli.exits
from hyperlite.cli import main
from hyperlite.testing.certificates import certificates
from hyperlite.testing.server import Exchange, Response, Server, streaming
from tests.conftest import ROUTES, Serve
from tests.real.servers import find_program

Answers = Callable[..., str]


@streaming
def reset(exchange: Exchange) -> None:
    exchange.reset()


@streaming
def cut(exchange: Exchange) -> None:
    exchange.start(200, [("content-length", "1000")])
    exchange.send(b"x" * 10)
    exchange.reset()


@pytest.fixture
def server(serve: Serve) -> Server:
    own = {
        "/loop": lambda _: Response(302, headers=[("location", "/loop")]),
        "/plain": lambda _: Response(302, headers=[("location", "http://localhost/")]),
        "/no-gzip": lambda _: Response(headers=[("content-encoding", "gzip")], body=b"no gzip"),
        "/reset": reset,
        "/cut": cut,
    }
    return serve(routes={**ROUTES, **own})


@pytest.fixture
def answers() -> Iterator[Answers]:
    """Make a server that answers each connection with these bytes; returns what a URL begins with."""
    with ExitStack() as stack:

        def make(data: bytes, *, abort: bool = False) -> str:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def serve() -> None:
                while True:
                    try:
                        sock = listener.accept()[0]
                    except OSError:
                        return
                    with sock:
                        sock.recv(65536)
                        sock.sendall(data)
                        if abort:
                            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

            thread = threading.Thread(target=serve)
            thread.start()
            stack.callback(thread.join)
            stack.callback(listener.shutdown, socket.SHUT_RDWR)
            return f"127.0.0.1:{listener.getsockname()[1]}/"

        yield make


def both(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> tuple[int, int, str]:
    """Return the statuses of hyperlite and of curl, and the sentence of the first."""
    own = main(arguments)
    said = capfd.readouterr().err
    assert said.startswith("hyperlite: ")
    assert said.count("\n") == 1, "one sentence"
    assert not re.search(r"[a-z_]=", said.replace("n=", "")), (
        "it names options, and no arguments of functions"
    )
    done = subprocess.run(
        [find_program("curl", "curl"), "-sS", *arguments], capture_output=True, timeout=60, check=False
    )
    return own, done.returncode, said.removeprefix("hyperlite: ").rstrip("\n")


@pytest.mark.parametrize(
    ("status", "arguments", "said"),
    [
        (3, ["https://"], "'https://'"),
        (22, ["-f", "@/missing"], "404 Not Found"),
        (22, ["--fail-with-body", "@/missing"], "404 Not Found"),
        (23, ["-o", "none/file", "@/"], "none: the folder of the file does not exist"),
        (26, ["-T", "none", "@/"], "none: No such file or directory"),
        (28, ["--max-time", "0.3", "@/slow"], "no response came before the deadline"),
        (47, ["-L", "--max-redirs", "2", "@/loop"], "another redirect, after 2 redirects (--max-redirs)"),
        (58, ["--cert", "none", "@/"], "none: --cert cannot be read: No such file or directory"),
        (61, ["--compressed", "@/no-gzip"], ""),
        (77, ["--cacert", "none", "@/"], "none: --cacert cannot be read: No such file or directory"),
        (92, ["@/reset"], "reset"),
        (92, ["@/cut"], "reset"),
    ],
)
def test_as_curl(
    server: Server,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [word.replace("@", server.url("")) for word in arguments]
    own, curls, sentence = both(["--cacert", server.ca_file, *given], capfd)
    assert (own, curls) == (status, status)
    assert said in sentence
    if said and status in {22, 28, 47, 92}:
        assert given[-1] in sentence


def test_certificates_as_curl(
    server: Server, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    own, curls, said = both([server.url("/")], capfd)
    assert (own, curls) == (60, 60)
    assert said.startswith(
        f"{server.url('/')}: the certificate of localhost is not trusted (--cacert takes the file"
    )
    assert main(["-k", server.url("/")]) == 0
    assert capfd.readouterr() == ("hello", "hyperlite: warning: certificates are not verified (-k)\n")
    assert main(["-k", "-s", server.url("/")]) == 0
    assert capfd.readouterr() == ("hello", "")
    (tmp_path / "empty").write_text("")
    assert main(["--cacert", str(tmp_path / "empty"), server.url("/")]) == 77
    assert main(["--cacert", server.ca_file, "--cert", str(tmp_path / "empty"), server.url("/")]) == 58


@pytest.mark.parametrize(
    ("status", "scheme", "data", "abort", "said"),
    [
        (
            18,
            "http",
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
            False,
            "the connection ended after 3 of 10 bytes of the body",
        ),
        (52, "http", b"", False, "closed"),
        (
            56,
            "http",
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
            True,
            "after 3 of 10 bytes of the body",
        ),
        (35, "https", b"HTTP/1.1 400 Bad Request\r\n\r\n", False, "the port does not speak TLS"),
    ],
)
def test_connections_as_curl(
    answers: Answers,
    capfd: pytest.CaptureFixture[str],
    status: int,
    scheme: str,
    data: bytes,
    abort: bool,
    said: str,
) -> None:
    url = f"{scheme}://{answers(data, abort=abort)}"
    own, curls, sentence = both(["-o", "/dev/null", url], capfd)
    assert (own, curls) == (status, status)
    assert said in sentence
    assert url in sentence


def test_no_connection_as_curl(capfd: pytest.CaptureFixture[str]) -> None:
    own, curls, said = both(["http://127.0.0.1:1/"], capfd)
    assert (own, curls) == (7, 7)
    assert said == "http://127.0.0.1:1/: cannot connect to 127.0.0.1:1: connection refused"


def test_what_curl_calls_otherwise(
    answers: Answers, serve: Serve, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(
        routes={"/": lambda _: Response(302, headers=[("location", "http://localhost/")])}, alpn=("http/1.1",)
    )
    trusted = ["--cacert", server.ca_file]
    assert main(["http://" + answers(b"SSH-2.0-OpenSSH\r\n\r\n")]) == 8
    assert main([*trusted, "--http2-prior-knowledge", server.url("/")]) == 16
    assert main([*trusted, "-L", server.url("/")]) == 47
    assert main(["ftp://localhost/"]) == 3
    assert main(["-d", "@/none", server.url("/")]) == 26
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 5
    assert "and --http2-prior-knowledge allows nothing else" in said[1]
    assert said[2].endswith("a redirect to http://localhost/, which is not encrypted (--allow-downgrade?)")

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert main(["http://none.example/"]) == 6
    assert capfd.readouterr().err.startswith(
        "hyperlite: http://none.example/: cannot connect to none.example:80: "
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "usage: hyperlite"),
        (["get"], "hyperlite: there is no URL: hyperlite --help shows examples"),
        (
            ["example.org"],
            "hyperlite: 'example.org' is no command, and no URL, which begins with https:// or http://",
        ),
        (["--nonsense", "http://a/"], "hyperlite: unrecognized arguments: --nonsense"),
        (["--inc", "http://a/"], "hyperlite: unrecognized arguments: --inc"),
        (["-H", "nonsense", "http://a/"], '-H takes "Name: value", "Name;" or "Name:", not \'nonsense\''),
        (["-H", "a b: c", "http://a/"], "hyperlite: "),
        (["-H", "a: b\nc: d", "http://a/"], "has a line break"),
        (["-X", "G T", "http://a/"], "hyperlite: "),
        (["-I", "-d", "a", "http://a/"], "-d, -I and -T are different requests"),
        (["--timeout", "soon", "http://a/"], "'soon' is no number of seconds"),
        (["--parallel", "0", "http://a/"], "0 is too few"),
        (["--resolve", "a:b:c", "http://a/"], "--resolve takes HOST:PORT:ADDRESS, not 'a:b:c'"),
        (["--resolve", "a:99999:127.0.0.1", "http://a/"], "99999 is no port"),
        (["-I", "-C", "-", "-O", "http://a/b"], "-C goes on with a body, and -I asks for none"),
        (["--key", "a", "http://a/"], "--key and --pass belong to --cert"),
        (["-b", "file", "http://a/"], "-b takes cookies to send"),
        (["--help", "nonsense"], "there is no help on 'nonsense': the topics are request, data, output"),
    ],
)
def test_usage(arguments: list[str], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    printed = capfd.readouterr()
    assert printed.out == ""
    assert said in printed.err
    assert not arguments or printed.err.count("\n") == 1


def test_several_urls(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    urls = [server.url("/"), "http://127.0.0.1:1/", server.url("/missing"), server.url("/late")]
    for parallel in ("1", "4"):
        assert main(["--cacert", server.ca_file, "-f", "--parallel", parallel, *urls]) == 7
        printed = capfd.readouterr()
        assert printed.out == "hellolate"
        assert [line.split(": ")[1] for line in printed.err.splitlines()] == [
            "http://127.0.0.1:1/",
            f"GET {server.url('/missing')} ",
        ]


def test_silence(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    missing = ["--cacert", server.ca_file, "-f", server.url("/missing")]
    assert main(["-s", *missing]) == 22
    assert capfd.readouterr() == ("", "")
    assert main(["-sS", *missing]) == 22
    assert capfd.readouterr().err.startswith("hyperlite: GET ")
    assert main(["--traceback", *missing]) == 22
    assert capfd.readouterr().err.startswith("Traceback (most recent call last):\n")


def test_what_steers_a_terminal_is_shown() -> None:
    error = hyperlite.cli.exits.Failure("a\x1b[31mb\nc\u202e", hyperlite.cli.exits.Exit.WRITE)
    assert hyperlite.cli.exits.sentence(error) == r"a\x1b[31mb\nc\u202e"


# -- in processes of their own ----------------------------------------------------------------------


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "hyperlite", "--cacert", certificates().ca_file, *arguments]


def test_a_reader_that_ends(server: Server) -> None:
    get = subprocess.Popen(
        command(server.url("/chunks?n=100000")), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with get:
        assert get.stdout is not None
        assert get.stderr is not None
        assert get.stdout.readline() == b"000000000\n"
        get.stdout.close()
        assert get.stderr.read() == b""
    assert get.returncode == 23


def test_a_reader_that_ends_while_threads_print_heads(server: Server, tmp_path: Path) -> None:
    named = [word for number in range(200) for word in ("-o", str(tmp_path / str(number)))]
    urls = [server.url("/sized?n=1000")] * 200
    shell = (
        "exec 3>&1; { "
        + shlex.join(command("-i", "--parallel", "4", *named, *urls))
        + "; echo $? >&3; } | true"
    )
    done = subprocess.run(["sh", "-c", shell], check=True, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("23\n", "")


def test_a_full_disk(server: Server) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command(server.url("/")), check=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 23
    assert done.stderr.decode() == f"hyperlite: {server.url('/')}: standard output: No space left on device\n"


def test_ctrl_c(server: Server) -> None:
    get = subprocess.Popen(command("-v", server.url("/slow")), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with get:
        assert get.stderr is not None
        for line in get.stderr:
            if line.startswith(b"> GET"):
                break
        get.send_signal(signal.SIGINT)
        assert b"hyperlite" not in get.stderr.read().replace(b"hyperlite/", b"")
    assert get.returncode == 130


def test_standard_error_that_is_closed(server: Server) -> None:
    shell = " ".join(command("-f", server.url("/missing"))) + " 2>&-"
    assert os.waitstatus_to_exitcode(os.system(shell)) == 22


def test_every_failure_names_its_url(
    server: Server, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url = server.url("/")
    for status, arguments, said in (
        (23, ["-o", "/dev/full", url], f"{url}: /dev/full: No space left on device"),
        (23, ["-o", "none/x", url], f"{url}: none: the folder of the file does not exist"),
        (26, ["-T", "none", url], f"{url}: none: No such file or directory"),
        (2, ["-o", "", url], f"{url}: path is empty: it names no file"),
        (23, ["-O", "http://me:secret@localhost/"], "http://…@localhost/: it has no name to save a file by"),
    ):
        assert main(["--cacert", server.ca_file, *arguments]) == status
        printed = capfd.readouterr().err
        assert printed.startswith(f"hyperlite: {said}")
        assert printed.count("\n") == 1


def test_a_response_that_breaks_the_rules_was_not_reset(
    answers: Answers, capfd: pytest.CaptureFixture[str]
) -> None:
    for head in (b"Content-Length: x\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"):
        assert main(["http://" + answers(b"HTTP/1.1 200 OK\r\n" + head)]) == 8
        assert "malformed response" in capfd.readouterr().err


def test_a_length_that_the_body_does_not_have(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["-H", "Content-Length: 5", "-d", "abc", server.url("/")]
    assert main(["--cacert", server.ca_file, *arguments]) == 2
    assert "its content-length says 5" in capfd.readouterr().err


@pytest.mark.parametrize("words", [["--help"], ["--help", "tls"], ["--version"]])
def test_help_that_cannot_be_written(words: list[str]) -> None:
    line = [sys.executable, "-m", "hyperlite", *words]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(line, check=False, stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (23, b"hyperlite: No space left on device\n")
    reading, writing = os.pipe()
    os.close(reading)  # as a program that has ended
    done = subprocess.run(line, check=False, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (23, b"")


@pytest.mark.parametrize(
    ("shell", "status", "said"),
    [
        ("@ >&-", 23, ": standard output: Bad file descriptor"),
        ("-d @- @ <&-", 0, ""),
        ("--timing @ 2>/dev/full", 0, ""),
        ("-v @ 2>/dev/full", 0, ""),
        ("-k @ 2>/dev/full", 0, ""),
        ("-f @missing 2>/dev/full", 22, ""),
        ("-u name @ < /dev/null", 2, "-u takes NAME:PASSWORD"),
    ],
)
def test_closed_and_full_streams(server: Server, shell: str, status: int, said: str) -> None:
    line = " ".join(
        command(shell.replace("@ ", server.url("/ ")).replace("@missing", server.url("/missing")))
    )
    done = subprocess.run(
        ["sh", "-c", line], capture_output=True, check=False, text=True, start_new_session=True
    )
    assert (done.returncode, said in done.stderr) == (status, True)
    assert done.stderr.count("hyperlite: ") == bool(said)
    assert "Traceback" not in done.stderr


def test_ctrl_c_while_modules_are_imported(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_name: str, _package: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("importlib.import_module", interrupted)
    assert main(["http://localhost/"]) == 130
    assert capfd.readouterr() == ("", "")
