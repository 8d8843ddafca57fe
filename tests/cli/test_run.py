"""`hyperlite run`: a program runs as Python runs it, and finds `hyperlite.client` where http.client was."""

import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hyperlite.cli import main
from hyperlite.cli.run import MARK, environment, split

RUN = ("-m", "hyperlite", "run")
PROGRAM = """
import __main__, http.client, json, pickle, sys
class Thing: pass
pickle.loads(pickle.dumps(Thing()))
seen = {name: globals().get(name) for name in ("__name__", "__file__", "__package__", "__cached__")}
seen["spec"] = getattr(__spec__, "name", None)
seen["argv"], seen["path"], seen["main"] = sys.argv, sys.path, __main__.Thing is Thing
print(json.dumps(seen))
print(http.client.HTTPSConnection.__init__.__code__.co_filename.split("/")[-2], http.client.__name__)
"""


def python(
    *arguments: str, cwd: Path | None = None, text: str = "", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Python with arguments to the end."""
    root = str(Path(__file__).parents[2])  # the program runs elsewhere
    given = dict(env or os.environ)
    given["PYTHONPATH"] = os.pathsep.join([*filter(None, [given.get("PYTHONPATH")]), root])
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, input=text, timeout=60, check=False, cwd=cwd, env=given
    )


def names_of_http_client(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the lines that a program wrote, which are names of the module that it has for http.client."""
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the program in each form that Python runs."""
    (tmp_path / "script.py").write_text(PROGRAM)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "__main__.py").write_text(PROGRAM)
    package = tmp_path / "package"
    package.mkdir()
    for name in ("__init__.py", "__main__.py"):
        (package / name).write_text("" if name == "__init__.py" else PROGRAM)
    with zipfile.ZipFile(tmp_path / "program.zip", "w") as archive:
        archive.writestr("__main__.py", PROGRAM)
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ("script.py", "--", "a", "-m", "--", "-h"),
        ("--", "folder/../script.py"),
        ("folder", "-x"),
        ("program.zip",),
        ("-Bm", "package", "--", "b"),
        ("-c", PROGRAM, "--", "c"),
        ("-", "--", "d"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_it_runs_as_python_runs_it(folder: Path, arguments: Sequence[str]) -> None:
    expected, *plain = python(*arguments, cwd=folder, text=PROGRAM).stdout.splitlines()
    done = python(*RUN, *arguments, cwd=folder, text=PROGRAM)
    found, *installed = done.stdout.splitlines()
    assert json.loads(found) == json.loads(expected)
    assert (plain, installed, done.stderr) == (["http http.client"], ["hyperlite hyperlite.client"], "")


@pytest.mark.parametrize(
    "program",
    [
        "1/0",
        "import sys; sys.exit(7)",
        "raise KeyboardInterrupt",
        """if True:
            import atexit, threading
            atexit.register(print, "the end")
            threading.Thread(target=lambda: (threading.main_thread().join(), print("later"))).start()
        """,
    ],
)
def test_it_ends_as_python_ends_it(program: str) -> None:
    plain, done = python("-c", program), python(*RUN, "-c", program)
    assert (done.returncode, done.stdout, done.stderr) == (plain.returncode, plain.stdout, plain.stderr)


def test_an_interrupt_ends_it_by_its_signal() -> None:
    # A shell starts what runs in the background with this signal ignored, and its children inherit that.
    hear = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    command = [sys.executable, *RUN, "-c", f"{hear}; print('ready', flush=True); input()"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=60)
    assert child.returncode == -signal.SIGINT
    assert errors.splitlines()[-1] == "KeyboardInterrupt"
    assert "hyperlite" not in errors


def test_a_module_that_is_missing(folder: Path) -> None:
    plain, done = python("-m", "absent", cwd=folder), python(*RUN, "-m", "absent", cwd=folder)
    assert (done.returncode, done.stderr) == (plain.returncode, plain.stderr)


def test_options_of_python_hold() -> None:
    program = "import sys; print(sys.warnoptions, sys.dont_write_bytecode, sys.flags.dev_mode, sys._xoptions)"
    given = ("-W", "error::UserWarning", "-X", "hidden")
    done = python(*given, *RUN, "-Xdev", "-bWignore::ImportWarning", "-c", program)
    assert done.stdout == python(*given, "-Xdev", "-bWignore::ImportWarning", "-c", program).stdout


@pytest.mark.parametrize("option", ["-I", "-E", "-S", "-BES"])
def test_options_that_keep_hyperlite_out(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", option, "script.py"]) == 2
    assert f"error: {option} keeps hyperlite out" in capsys.readouterr().err


def test_without_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run"]) == 2
    assert "there is no program to run" in capsys.readouterr().err
    assert main(["run", "--help"]) == 0
    assert "-m MODULE" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "options", "program"),
    [
        ("s.py -u", [], ["s.py", "-u"]),
        ("-u -X dev s.py", ["-u", "-X", "dev"], ["s.py"]),
        ("-Werror -uXdev -W ignore -", ["-Werror", "-uXdev", "-W", "ignore"], ["-"]),
        ("-uW ignore -- -s.py", ["-uW", "ignore"], ["--", "-s.py"]),
        ("-um pack -x", ["-u"], ["-m", "pack", "-x"]),
        ("-mpack -m", [], ["-mpack", "-m"]),
        ("-uccode", ["-u"], ["-ccode"]),
        ("--check-hash-based-pycs never -V s", ["--check-hash-based-pycs", "never", "-V"], ["s"]),
        ("-X", ["-X"], []),
        ("", [], []),
    ],
)
def test_a_command_line_of_python(line: str, options: list[str], program: list[str]) -> None:
    assert split(line.split()) == (options, program)


def test_processes_that_it_starts(tmp_path: Path) -> None:
    """Those of multiprocessing, which import the program anew, and any other Python of the environment."""
    script = tmp_path / "script.py"
    script.write_text(
        "from http import client\n"
        "import multiprocessing, subprocess, sys\n"
        "def work(): print(client.__name__, flush=True)\n"
        "if __name__ == '__main__':\n"
        "    for method in ('spawn', 'fork', 'forkserver'):\n"
        "        child = multiprocessing.get_context(method).Process(target=work)\n"
        "        child.start(); child.join()\n"
        "    code = 'import http.client; print(http.client.__name__)'\n"
        "    subprocess.run([sys.executable, '-c', code])\n"
        "    subprocess.run([sys.executable, '-I', '-c', code])\n"
    )
    assert names_of_http_client(python(*RUN, str(script))) == [*["hyperlite.client"] * 4, "http.client"]


ASK = "import http.client, sys; print(http.client.__name__, *sys.path)"


def test_other_environments_are_left_alone() -> None:
    marked = environment()
    marked[MARK] = marked[MARK].replace(sys.prefix, "/another")
    assert names_of_http_client(python("-c", ASK, env=marked)) == python("-c", ASK).stdout.split()


def test_the_environments_own_sitecustomize(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.hook = __file__\n")
    ask = "import http.client, sys, sitecustomize as one; print(http.client.__name__, sys.hook, one.__file__)"
    own = str(tmp_path / "sitecustomize.py")
    done = python(*RUN, "-c", ask, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert names_of_http_client(done) == ["hyperlite.client", own, own]


def test_hyperlite_need_not_be_on_the_programs_path(tmp_path: Path) -> None:
    """`python -m hyperlite` finds it in the current directory; a program elsewhere does not."""
    code = "import hyperlite, sys; from hyperlite.cli.run import environment; import subprocess\n"
    code += (
        "sys.exit(subprocess.call([sys.executable, '-c', 'import http.client; print(http.client.__name__)'],"
    )
    code += f"env=environment(), cwd={str(tmp_path)!r}))"
    root = Path(__file__).parents[2]
    without = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=root, env=without, check=False
    )
    assert names_of_http_client(done) == ["hyperlite.client"]


class TestNotice:
    """A line says what a program with urllib3, which opens its own connections, needs for HTTP/2."""

    def test_once(self) -> None:
        """Not by the processes that the program starts."""
        code = "import urllib3, os, subprocess, sys\nif os.fork(): os.wait()\n"
        code += "subprocess.run([sys.executable, '-c', 'import urllib3'])"
        done = python(*RUN, "-c", code)
        assert done.returncode == 0
        assert done.stdout == ""
        (line,) = done.stderr.splitlines()
        assert "HTTP20Adapter" in line

    @pytest.mark.parametrize(
        "arguments",
        [
            ("-c", "import http.client, urllib.request"),
            ("-q", "-c", "import urllib3"),
            ("-c", "import requests; from hyperlite.adapters.requests import HTTP20Adapter"),
            ("-c", "import sys, urllib3; sys.stderr = None"),
        ],
    )
    def test_not_where_it_is_of_no_use(self, arguments: Any) -> None:
        done = python(*RUN, *arguments)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
