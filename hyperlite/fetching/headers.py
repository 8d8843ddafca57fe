"""Header fields as callers give them to a pool: their types, and checks that name the field."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, Union

from ..messages.fields import Header, header_fields, header_items
from .checks import kind

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

HeaderValue: TypeAlias = Union[str, bytes, int, "ReadableBuffer", None]


class HasItems(Protocol):
    """A dict, an HTTPMessage, anything with `items()`."""

    def items(self) -> Iterable[tuple[str | bytes, HeaderValue]]:
        """Return the (name, value) pairs in order."""
        ...


# (name, value) pairs may repeat a name; a value that is None stands for no header.
Headers: TypeAlias = HasItems | Iterable[tuple[str | bytes, HeaderValue]]


def pairs(headers: Any) -> list[tuple[str, Any]]:
    """Return a caller's headers, a mapping or pairs, as a new list; a value may be None.

    Raises:
        TypeError, ValueError (also UnicodeEncodeError): one of them may not be sent.
    """
    if headers is None:
        return []
    given: list[Any] = header_items(headers)
    try:
        header_fields((name, value) for name, value in given if value is not None)
    except (TypeError, ValueError):
        for name, value in given:
            _check_header(name, value)
        raise
    return [(name.decode("latin-1") if isinstance(name, bytes) else name, value) for name, value in given]


def header_pairs(headers: Any) -> list[Header]:
    """Return a caller's headers without those that are None; see `pairs`."""
    return [pair for pair in pairs(headers) if pair[1] is not None]


def _check_header(name: Any, value: Any) -> None:
    """Raise an error that names a header which may not be sent, and does not show its value."""
    header_fields([(name, b"")])
    try:
        header_fields([] if value is None else [(name, value)])
    except UnicodeEncodeError as error:
        reason = f"the header {name!r} goes out as Latin-1; quote what is beyond that, or give bytes"
        raise UnicodeEncodeError(error.encoding, error.object, error.start, error.end, reason) from None
    except TypeError:
        raise TypeError(
            f"the header {name!r} has a value that is str, bytes or int, not {kind(value)}"
        ) from None
    except ValueError:
        raise ValueError(
            f"the header {name!r} has a line break, or another control character, in its value"
        ) from None


def as_text(headers: Iterable[Header]) -> list[tuple[str, str]]:
    """Return header fields for observers, as text."""
    return [
        (name, value.decode("latin-1") if isinstance(value, bytes) else str(value)) for name, value in headers
    ]
