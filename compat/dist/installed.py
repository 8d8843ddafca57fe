"""Installs the wheel into empty environments, outside of the tree, and uses it there: `make dist-check`.

With no extra, with each, and with all of them: what `smoke.py` does. Then a newcomer's walk: the tutorials, typed as
they are printed, in an environment that the first of them makes. Then a part of the tests, against what is installed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from contextlib import contextmanager
from collections.abc import Iterator
from pathlib import Path

from tests.docs.pages import DOCS
from tests.docs.walk import Walk, free_port

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"
SMOKE = Path(__file__).with_name("smoke.py")
EXTRAS = sorted(
    tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"].keys() - {"dev"}
)
# The tests that need no other server, and are about what users see.
TESTS = (
    "tests/connection/test_connection.py",
    "tests/fetching/test_fetch.py",
    "tests/docs/test_migration_pages.py",
    "tests/package/test_public_names.py",
)
TUTORIALS = ("first-request", "bookstore", "from-requests")


def clean_environment() -> dict[str, str]:
    """Return the environment without what leads to a tree, or to an authority."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "SSL_CERT", "REQUESTS_", "VIRTUAL_ENV"))
    }


def run(*command: object, folder: Path) -> None:
    """Run a command, quietly unless it fails."""
    words = [*map(str, command)]
    done = subprocess.run(
        words, cwd=folder, env=clean_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{' '.join(words)}\n{done.stdout}{done.stderr}")


def environment(folder: Path, extra: str) -> Path:
    """Make an environment with the wheel and an extra; return its Python."""
    (wheel,) = DIST.glob("hyperlite_http-*.whl")
    wanted = {"none": "", "all": f"[{','.join(EXTRAS)}]"}.get(extra, f"[{extra}]")
    run(sys.executable, "-m", "venv", folder / extra, folder=folder)
    python = folder / extra / "bin" / "python"
    quietly = ("--quiet", "--disable-pip-version-check", "--find-links", DIST)
    run(python, "-m", "pip", "install", *quietly, f"hyperlite-http{wanted} @ {wheel.as_uri()}", folder=folder)
    return python


@contextmanager
def bookstore(python: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """Run `hyperlite serve`; yield its URL and the file of its authority."""
    port, ca = free_port(), folder / "ca.pem"
    command = [python, "-m", "hyperlite", "serve", "-q", "--port", str(port), "--write-ca", str(ca)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        while "try: " not in server.stdout.readline():
            pass
        yield f"https://localhost:{port}/", str(ca)
        server.terminate()


def walk(folder: Path) -> None:
    """Type the tutorials, in a folder that has nothing but the wheel."""
    (wheel,) = DIST.glob("hyperlite_http-*.whl")
    folder.mkdir()
    shutil.copy(wheel, folder)
    path = f"{folder}/try/bin:{os.environ['PATH']}"
    newcomer = Walk(folder, clean_environment() | {"PATH": path}, installs=True)
    for page in TUTORIALS:
        newcomer.exported.clear()
        newcomer.along((DOCS / "tutorials" / f"{page}.md").read_text())
        print(f"walked: {page}", flush=True)


def tests(python: Path, folder: Path) -> None:
    """Run tests from a copy, beside which no hyperlite lies."""
    folder.mkdir()
    for name in ("docs", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (*ROOT.glob("*.md"), ROOT / "pyproject.toml"):
        shutil.copy(path, folder)
    run(python, "-m", "pip", "install", "--quiet", "pytest>=8.2", "pytest-timeout>=2.3", folder=folder)
    run(python, "-m", "pytest", "-q", *TESTS, folder=folder)


def main() -> None:
    """Use it in each environment."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        whole = environment(folder, "all")
        with bookstore(whole, folder) as (url, ca):
            for extra in ("none", *EXTRAS, "all"):
                python = whole if extra == "all" else environment(folder, extra)
                run(python, SMOKE, extra, url, ca, folder=folder)
                print(f"installed: {extra}", flush=True)
        walk(folder / "newcomer")
        tests(whole, folder / "tests")
        print("tested: " + ", ".join(TESTS))


if __name__ == "__main__":
    main()
