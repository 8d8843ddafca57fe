"""On what machine, with which versions of what, of which commit something was measured."""

import argparse
import datetime as dt
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import ssl
import subprocess
import sysconfig
from pathlib import Path

from . import servers

PEERS = [
    "pycurl", "curl_cffi", "ry", "wreq", "pyreqwest", "primp", "httpr", "requests", "httpx", "aiohttp",
    "h2", "hpack", "niquests", "urllib3-future", "jh2",
]  # fmt: skip
# The libraries of TLS that a compiled module may have in it, as they name themselves there.
LIBRARIES = re.compile(
    rb"OpenSSL \d\.\d+\.\d+[a-z]?|BoringSSL|rustls-\d[\d.]*\d|aws-lc-rs-\d[\d.]*\d|ring-\d[\d.]*\d"
)
# Compiled modules by the distribution they are of, where that has another name.
MODULES = {"curl_cffi": "curl_cffi._wrapper"}


def about(options: argparse.Namespace) -> list[str]:
    """Return the lines for the report's beginning."""
    when = f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC, commit {commit()}"
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    other = options.niquests_python
    lines = [
        f"- {when}, medians of {options.rounds} interleaved rounds",
        f'- `make bench ARGS="{options.given}"`',
        f"- {os.cpu_count()} x {processor()}, {platform.system()} {platform.release()}",
        f"- server and client share the machine, whose load was {load} at the end",
        f"- {python()}",
    ]
    told = [one for name in PEERS if (one := peer(name))]
    if other.exists():
        command = "from tests.benchmarks import about; print(about.elsewhere())"
        here = Path(__file__).parents[2]
        answer = subprocess.run([other, "-c", command], capture_output=True, text=True, check=False, cwd=here)
        if answer.returncode == 0:
            told += json.loads(answer.stdout)
    lines += [f"- {one}" for one in told]
    lines += [f"- {name}: {servers.version(name)}" for name in options.servers]
    return lines


def elsewhere() -> str:
    """Return, as JSON, what there is to say of another environment than the one that measures."""
    return json.dumps(
        [python(), *(one for name in ("niquests", "urllib3-future", "jh2") if (one := peer(name)))]
    )


def python() -> str:
    """Return which Python this is, how it was built and which OpenSSL it has."""
    wanted = ("--enable-optimizations", "--with-lto", "--enable-shared", "--with-pydebug", "--disable-gil")
    options = (sysconfig.get_config_var("CONFIG_ARGS") or "").replace("'", "").split()
    built = [option for option in options if option.startswith(wanted)] or ["no options of optimization"]
    name = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{name}, built by {platform.python_compiler()} with {' '.join(built)}; {ssl.OPENSSL_VERSION}"


def peer(name: str) -> str:
    """Return a client's version, and which library of TLS is in it if it has one of its own."""
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
    if name == "pycurl":
        import pycurl  # noqa: PLC0415

        return f"pycurl {version}: {pycurl.version.partition(' ')[2]}"
    found = {
        match.decode()
        for file in importlib.metadata.files(name) or ()
        if file.suffix == ".so"
        for match in LIBRARIES.findall(Path(file.locate()).read_bytes())
    }
    return f"{name} {version}" + (f": {', '.join(sorted(found))}" if found else "")


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(": ")[2]
    return platform.processor() or platform.machine()


def commit() -> str:
    """Return the last commit that changed hyperlite, and whether something was changed since."""
    told = [
        subprocess.run(
            ["git", *command], capture_output=True, text=True, check=False, cwd=Path(__file__).parent
        )
        for command in (
            ["log", "-1", "--format=%h", "--", ":/hyperlite"],
            ["status", "--porcelain", "--", ":/hyperlite"],
        )
    ]
    return (told[0].stdout.strip() or "unknown") + (" with changes" if told[1].stdout.strip() else "")
