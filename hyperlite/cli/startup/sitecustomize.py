"""What Python imports at its start under `hyperlite run`: it installs hyperlite.

`hyperlite run` puts this folder first in PYTHONPATH, and site.py imports the module of this name.  Every
interpreter that the program starts does so, those of other environments too, so this module asks for little,
and acts in the environment of `hyperlite run` alone.  It takes its folder from `sys.path`, and gives a
sitecustomize that the environment itself has its turn.
"""

import atexit
import importlib
import os
import sys

NOTICE = (
    "hyperlite run: urllib3 and requests open connections of their own, in HTTP/1.1; for HTTP/2 in requests: "
    'session.mount("https://", hyperlite.adapters.requests.HTTP20Adapter())'
)


def _give_way() -> None:
    """Import the environment's own sitecustomize, if there is one."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != here]
    this = sys.modules.pop(__name__)
    try:
        importlib.import_module(__name__)
    except ModuleNotFoundError as error:
        if error.name != __name__:
            raise
    finally:
        sys.modules.setdefault(__name__, this)


def _install() -> None:
    """Install hyperlite where the interpreter is the one of `hyperlite run`."""
    place, _, interpreter = os.environ.get("HYPERLITE_RUN", "").partition(" ")
    if interpreter != " ".join([str(sys.implementation.cache_tag), sys.prefix]):
        return
    os.environ["HYPERLITE_RUN"] = "child " + interpreter
    folder = os.path.abspath(__file__)
    for _ in ("startup", "cli", "hyperlite", "what it was imported from"):
        folder = os.path.dirname(folder)
    reachable = folder in map(os.path.abspath, sys.path)
    if not reachable:
        sys.path.append(folder)
    try:
        installing = importlib.import_module("hyperlite.installing")
        installing.install()
    finally:
        if not reachable:
            sys.path.remove(folder)
    if place == "first" and not sys.flags.quiet:
        atexit.register(_tell, os.getpid())


def _tell(process: int) -> None:
    """At the end of the program: say of urllib3, if it was used, what it takes to speak HTTP/2."""
    used = "urllib3" in sys.modules and "hyperlite.adapters.requests" not in sys.modules
    if used and os.getpid() == process and sys.stderr is not None:
        print(NOTICE, file=sys.stderr)


try:
    _give_way()
finally:
    _install()
