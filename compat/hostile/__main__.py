"""Tries hyperlite's engines and other clients against the hostile cases, and writes docs/hostile-clients.md.

Clients that are not there are left out.  `--only NAME …` tries some, and keeps the others' outcomes.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "hostile-clients.md"
KEPT = Path(__file__).with_name("outcomes.json")
HERE = Path(__file__).parent
CLIENT = HERE / "client.py"
GO = ROOT / ".venv" / "hostile-go"
Outcomes = dict[str, dict[str, Any]]

INTRODUCTION = """# Hostile servers, and other clients

The cases by which hyperlite is tested (`python -m hyperlite.testing.hostile --list`), tried with other
clients as well. `make hostile-clients` makes this page. What is expected is what hyperlite promises
([security](explanation/security.md)): another outcome need not be a fault of another client, which may have
other limits, or may be more tolerant on purpose. [How to try a client of your own](howto/hostile.md).

| outcome | what it means |
|---|---|
| ok | each response came whole, and was the right one |
| error, timeout | an exception |
| **wrong** | what passed for a whole response was another one: a part, or one that the server did not mean |
| **hang** | no answer within the timeout and 20 seconds |
| **crash** | the program ended |
| (empty) | not tried: the client has no HTTP/2 there |

Where outcomes differ among the requests of a case, each stands there once. A `*` is at an outcome that
hyperlite does not promise, or that took more memory than they allow, or after which a further request to
a server that behaves failed.

A case is tried over TLS if it has a form with TLS. Each client trusts the case's authority alone, has the
timeout of the case for each step (Go: ten seconds more for the whole; libcurl: whole seconds), and follows no
redirect.
"""


class Tried(NamedTuple):
    """A client: its name in the table, what it is, how it is started, and with which environment."""

    name: str
    about: str
    command: list[str]
    environment: dict[str, str]


def clients(options: argparse.Namespace) -> list[Tried]:
    """Return the clients that are there."""
    found = [
        Tried("hyperlite", "its own engine", [sys.executable, str(CLIENT), "hyperlite"], {}),
        Tried(
            "hyperlite, h2",
            "its engine on h2",
            [sys.executable, str(CLIENT), "hyperlite"],
            {"HYPERLITE_ENGINE": "h2"},
        ),
    ]
    for name, distribution, python in (
        ("curl", "pycurl", options.python),
        ("httpx", "httpx", options.python),
        ("niquests", "niquests", options.niquests),
        ("urllib3", "urllib3", options.python),
    ):
        about = version(python, distribution)
        if about:
            found.append(Tried(name, about, [python, str(CLIENT), name], {}))
    if shutil.which("go") and build_go():
        about = subprocess.run(["go", "version"], capture_output=True, text=True, check=True).stdout.split()[
            2
        ]
        found.append(Tried("Go", about, [str(GO)], {}))
    return found


def version(python: str, distribution: str) -> str:
    """Return the version of a library; "" if it is not there."""
    program = (
        f"import importlib.metadata as m; text = m.version({distribution!r})\n"
        "try: import pycurl; text = pycurl.version.split()[1] if 'pycurl' == "
        f"{distribution!r} else text\nexcept ImportError: pass\nprint(text)"
    )
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def build_go() -> bool:
    """Build the client in Go; tell whether that went well."""
    GO.parent.mkdir(exist_ok=True)
    environment = os.environ | {"GO111MODULE": "off"}
    command = ["go", "build", "-o", str(GO), str(HERE / "client.go")]
    return not subprocess.run(command, env=environment, check=False).returncode


def attempt(client: Tried, words: list[str]) -> Outcomes:
    """Try a client; returns its outcomes by case."""
    outcomes = ROOT / ".venv" / "hostile-outcomes.json"
    outcomes.parent.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "hyperlite.testing.hostile", "--client", " ".join(client.command)]
    command += ["--json", str(outcomes), *words]
    subprocess.run(command, cwd=ROOT, env=os.environ | client.environment, check=False)
    found: Outcomes = json.loads(outcomes.read_text())
    return found


def page(kept: dict[str, dict[str, Any]]) -> str:
    """Return the page."""
    names = list(kept)
    lines = [
        INTRODUCTION,
        "## By client\n",
        "| client | version | cases | as hyperlite promises | wrong | hang, crash |",
    ]
    lines.append("|---|---|---:|---:|---:|---:|")
    for name in names:
        tried = [one for one in kept[name]["outcomes"].values() if not one["skipped"]]
        good = sum(not one["problems"] for one in tried)
        wrong = sum(one["outcome"] == "wrong" for one in tried)
        hung = sum(one["outcome"] in {"hang", "crash"} for one in tried)
        lines.append(f"| {name} | {kept[name]['about']} | {len(tried)} | {good} | {wrong} | {hung} |")
    sections: dict[str, list[str]] = {}
    for case, one in kept[names[0]]["outcomes"].items():
        sections.setdefault(one["section"], []).append(case)
    for section, cases in sections.items():
        lines += [
            f"\n## {section}\n",
            "| case | expected | " + " | ".join(names) + " |",
            "|---|---|" + "---|" * len(names),
        ]
        for case in cases:
            expected = kept[names[0]]["outcomes"][case]["expected"].replace("|", " or ")
            cells = " | ".join(cell(kept[name]["outcomes"].get(case)) for name in names)
            lines.append(f"| `{case}` | {expected} | {cells} |")
    return "\n".join(lines) + "\n"


def cell(one: dict[str, Any] | None) -> str:
    """Return what stands in the table for a case."""
    if one is None or one["skipped"]:
        return ""
    outcome = one["outcome"]
    shown = f"**{outcome}**" if outcome in {"wrong", "hang", "crash"} else outcome
    return shown + (" \\*" if one["problems"] else "")


def main() -> None:
    """Try them, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m compat.hostile", description=__doc__)
    parser.add_argument("words", nargs="*", help="parts of cases' names, or sections")
    parser.add_argument("--python", default=sys.executable, help="that has httpx, urllib3 and pycurl")
    parser.add_argument("--niquests", default=sys.executable, help="that has niquests")
    parser.add_argument("--only", nargs="*", help="try these clients alone")
    options = parser.parse_args()
    kept: dict[str, dict[str, Any]] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for client in clients(options):
        if options.only and client.name not in options.only:
            continue
        print(f"== {client.name} ({client.about})", flush=True)
        before = kept.get(client.name, {"outcomes": {}})["outcomes"]
        kept[client.name] = {"about": client.about, "outcomes": before | attempt(client, options.words)}
        KEPT.write_text(json.dumps(kept, indent=0))
        PAGE.write_text(page(kept))


if __name__ == "__main__":
    main()
