"""The logs of hyperlite, by topic: found without importing `logging`, which most programs do not use."""

import sys
from typing import Any

_DEBUG = 10  # logging.DEBUG

_found: dict[str, Any] = {}


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
    return found is not None and found.isEnabledFor(_DEBUG)
