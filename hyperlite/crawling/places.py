"""Which storage there is at a place."""

from pathlib import Path

from .folder import Folder
from .remote import Remote
from .state import State
from .storage import Storage


def storage_at(place: str) -> Storage:
    """Return the storage at a place: the path of a folder, or a URL for fsspec.

    Raises:
        ImportError: fsspec, or what it needs for such a URL, is missing.
    """
    if "://" in place:
        return Remote(place)
    return Folder(Path(place))


def storage_of(state: State) -> Storage:
    """Return the storage of a crawl."""
    return storage_at((state.get("settings") or {}).get("storage") or str(state.parts))
