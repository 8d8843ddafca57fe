"""The logs of hyperlite, by topic: found without importing `logging`, which most programs do not use."""

import sys
import threading
from typing import Any

_DEBUG = 10  # logging.DEBUG

_found: dict[str, Any] = {}


class _Writing(threading.local):
    """Whether this thread writes a line: its handler may make requests, of which no line is written."""

    active = False


_writing = _Writing()


def logger(topic: str) -> Any:
    """Return the log of a topic; None: the program has not imported `logging`, so it reads no log.

    Args:
        topic: "connections", "requests", "retries" or "frames".
    """
    get_logger = getattr(sys.modules.get("logging"), "getLogger", None)
    if get_logger is not None and topic not in _found:
        _found[topic] = get_logger(f"{__package__}.{topic}")
    return _found.get(topic)


def is_on(topic: str) -> bool:
    """Whether the log of a topic is on."""
    found = _found.get(topic) or logger(topic)
    return found is not None and found.isEnabledFor(_DEBUG) and not _writing.active


def write(topic: str, text: str, *arguments: Any) -> None:
    """Write a line to the log of a topic, at DEBUG; the handlers' own requests cause none."""
    if _writing.active:
        return
    _writing.active = True
    try:
        logger(topic).debug(text, *arguments)
    finally:
        _writing.active = False
