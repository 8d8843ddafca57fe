"""logging.handlers.HTTPHandler: `count` records, and then what is left open of it."""

import gc
import logging
import logging.handlers
import os
import ssl
from pathlib import Path
from typing import Any


def _sockets() -> int | None:
    """Count the open sockets; None where the system does not tell."""
    folder = Path("/proc/self/fd")
    if not folder.exists():
        return None
    return sum(os.readlink(entry).startswith("socket:") for entry in folder.iterdir() if entry.is_symlink())


def call(options: dict[str, Any]) -> dict[str, Any]:
    """Log, with the method that the options name."""
    secure = options["url"].startswith("https")
    handler = logging.handlers.HTTPHandler(
        f"localhost:{options['port']}",
        options["path"],
        options["method"],
        secure=secure,
        credentials=("user", "password"),
        context=ssl.create_default_context(cafile=options["ca_file"]) if secure else None,
    )
    failures: list[logging.LogRecord] = []
    handler.handleError = failures.append  # type: ignore[method-assign]
    logger = logging.getLogger("caller")
    logger.propagate = False
    logger.addHandler(handler)
    for number in range(options["count"]):
        logger.warning("number %d: %s", number, "smørrebrød & co")
    gc.collect()
    return {"failures": len(failures), "sockets": _sockets()}
