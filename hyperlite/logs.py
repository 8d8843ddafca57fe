"""The logs of hyperlite, by topic: found without importing `logging`, which most programs do not use.

Rule: a request that a handler of the log makes, to send a record, causes no line.  It would cause further
requests, without end; and the server that gets the records may take one at a time.
"""

import sys
from types import FrameType
from typing import Any

_DEBUG = 10  # logging.DEBUG

_found: dict[str, Any] = {}


def is_on(topic: str) -> bool:
    """Whether the log of a topic is on.

    Args:
        topic: "connections", "requests", "retries" or "frames".
    """
    found = _found.get(topic) or _logger(topic)
    return found is not None and found.isEnabledFor(_DEBUG)


def _logger(topic: str) -> Any:
    """Return the log of a topic; None: the program has not imported `logging`, so it reads no log."""
    get_logger = getattr(sys.modules.get("logging"), "getLogger", None)
    if get_logger is not None and topic not in _found:
        _found[topic] = get_logger(f"{__package__}.{topic}")
    return _found.get(topic)


def write(topic: str, text: str, *arguments: Any) -> None:
    """Write a line to the log of a topic, if it is on, and this thread is in no handler of the log."""
    if is_on(topic) and not _handles_a_record():
        _found[topic].debug(text, *arguments)


def _handles_a_record() -> bool:
    """Whether this thread is in a handler of the log."""
    logging: Any = sys.modules["logging"]
    handle, call = logging.Handler.handle.__code__, logging.Logger.callHandlers.__code__
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        if code is handle or code is call:  # `in` would compare equal codes, not the same ones: dear
            return True
        frame = frame.f_back
    return False
