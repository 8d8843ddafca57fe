"""What the distribution is named, and that everything that speaks of it uses that name."""

import re
import tomllib
from pathlib import Path

import pytest

from hyperlite.http2.engine.speedups import INTERFACE

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = set(PROJECT["optional-dependencies"])
# An installer given this name alone installs another project.
FOREIGN = re.compile(r"""\bhyperlite\[(?=[a-z])|\bpip3? install [^\n]*?(?<![\w./-])hyperlite(?![\w./-])""")
# What is installed with extras: from the index, a file or a checkout.
OURS = re.compile(r"""(?:hyperlite-http|(?<=['"])\.)\[([a-z, ]+)\]""")
KINDS = {".cfg", ".in", ".md", ".py", ".sh", ".toml", ".txt", ".yaml", ".yml", ""}


def texts() -> list[Path]:
    """Return the files that people and installers read."""
    folders = [ROOT / name for name in ("hyperlite", "tests", "compat", "docs", ".ci")]
    files = [path for folder in folders for path in folder.rglob("*") if path.suffix in KINDS]
    return [path for path in [*ROOT.iterdir(), *files] if path.is_file() and path.suffix in KINDS]


def test_the_name_is_its_own() -> None:
    assert PROJECT["name"] == "hyperlite-http"


def test_nothing_has_another_project_installed() -> None:
    found = []
    for path in texts():
        if path != Path(__file__):
            text = path.read_text(errors="replace")
            found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in FOREIGN.finditer(text)]
    assert found == []


def test_every_extra_that_is_named_exists() -> None:
    named = set()
    for path in texts():
        for match in OURS.finditer(path.read_text(errors="replace")):
            extras = {extra.strip() for extra in match[1].split(",")}
            assert extras <= EXTRAS, path
            named |= extras
    assert {"dev", "requests", "testing"} <= named


def test_the_development_extra_is_this_project() -> None:
    """Under another name an installer would look for it on the index."""
    own = [one for one in PROJECT["optional-dependencies"]["dev"] if one.startswith("hyperlite")]
    assert own == [f"{PROJECT['name']}[{','.join(OURS.search(own[0])[1].split(','))}]"]


def test_the_compiled_decoder_is_a_distribution_of_its_own() -> None:
    """The core needs no compiler: its wheel is pure, and nothing but the extra asks for the other one."""
    other = tomllib.loads((ROOT / "speedups/pyproject.toml").read_text())
    assert PROJECT["optional-dependencies"]["speedups"] == [other["project"]["name"]]
    assert other["project"]["name"] not in " ".join(PROJECT["dependencies"])
    kinds = {path.suffix for path in (ROOT / "hyperlite").rglob("*") if "__pycache__" not in path.parts}
    assert kinds & {".c", ".h", ".pyx", ".so"} == set()


def test_the_compiled_decoder_is_for_this_hyperlite() -> None:
    source = (ROOT / "speedups/hyperlite_speedups.c").read_text()
    assert re.findall(r"\bINTERFACE = (\d+),", source) == [str(INTERFACE)]
    assert len(source.splitlines()) < 500


@pytest.mark.parametrize("extra", sorted(EXTRAS - {"dev"}))
def test_the_readme_tells_of_every_extra(extra: str) -> None:
    assert f"`{extra}`" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    "text",
    [
        "pip install hyperlite",
        "pip install 'hyperlite[br]'",
        "install hyperlite[testing].",
        "pip install -U hyperlite",
    ],
)
def test_what_is_found(text: str) -> None:
    assert FOREIGN.search(text)


@pytest.mark.parametrize(
    "text",
    [
        "pip install hyperlite-http",
        "hyperlite-http[br]",
        "pip install .",
        "hyperlite.install()",
        "hyperlite[0]",
    ],
)
def test_what_is_not(text: str) -> None:
    assert not FOREIGN.search(text)
