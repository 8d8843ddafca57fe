"""Checks of single values that callers give: each error names the argument, and what it takes."""

from ..net.timeouts import checked_seconds


def seconds(value: object, name: str) -> float | None:
    """Check and return a time limit; see `checked_seconds`."""
    if isinstance(value, tuple | list):
        raise TypeError(f"{name} is one number of seconds, or None for no limit, not {value!r}")
    return checked_seconds(value, name)


def whole(value: object, name: str, *, least: int = 0) -> int:
    """Check and return a whole number."""
    if isinstance(value, bool) or not hasattr(type(value), "__index__"):
        raise TypeError(f"{name} is a whole number, not {value!r}")
    number: int = value.__index__()  # type: ignore[attr-defined]
    if number < least:
        raise ValueError(f"{name} must be at least {least}, not {number}")
    return number


def truth(value: object, name: str) -> bool:
    """Check and return True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} is True or False, not {value!r}")
    return value


def kind(value: object) -> str:
    """Return the kind of a value in words, for an error."""
    return "None" if value is None else type(value).__name__
