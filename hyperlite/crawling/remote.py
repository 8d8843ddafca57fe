"""Storage at a URL: S3 and others that fsspec knows.

::

    begun/00017-a2/5c1e…      the flag of a worker that would make this attempt
    begun/00017-a2/driver     that of the driver: nothing makes it
    00017-a2.jsonl            the part, an object of its own
    00017-a2.json             the sidecar

Not every storage can make an object on condition that there is none.  So a worker puts up its flag, and then
looks: if there is another one, it does nothing.  Of two that do so, at least one sees both, as long as the
storage shows an object as soon as it was written (S3, Google's and Azure's do).  It may be that both see
both: then nothing makes the attempt, and its lease ends by its time.
"""

import contextlib
import tempfile
import uuid
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Any, cast

from .shards import is_part_name
from .storage import BODIES, SIDECAR

# The name of the driver's flag.
_DRIVER = "driver"


class Flag:
    """The flag of an attempt; it stays."""

    def close(self) -> None:
        """Do nothing: the sidecar says that the attempt is over."""


class Remote:
    """Storage at a URL; see `Storage`.

    Args:
        url: where it is, as "s3://bucket/crawl".

    Raises:
        ImportError: fsspec, or what it needs for such a URL, is missing.
    """

    def __init__(self, url: str) -> None:
        try:
            from fsspec.core import url_to_fs  # type: ignore[import-untyped]  # noqa: PLC0415
        except ImportError:
            raise ImportError("storage at a URL needs a package: hyperlite-http[fsspec]") from None
        self._url = url.rstrip("/")
        self._fs: Any
        self._fs, root = url_to_fs(self._url)
        self._root = str(root).rstrip("/")

    def begin(self, name: str) -> Flag | None:
        """See `Storage`."""
        if self._flags(name):
            return None
        own = uuid.uuid4().hex
        self.write(f"begun/{name}/{own}", b"")
        return Flag() if self._flags(name) == {own} else None

    def has_begun(self, name: str) -> bool:
        """See `Storage`."""
        return bool(self._flags(name))

    def forbid(self, name: str) -> bool:
        """See `Storage`."""
        if not self._flags(name):
            self.write(f"begun/{name}/{_DRIVER}", b"")
        return self._flags(name) == {_DRIVER}

    def is_gone(self, name: str) -> bool:
        """See `Storage`: that is not known."""
        return False

    def forget(self, name: str) -> None:
        """See `Storage`."""
        self._remove([f"{name}{SIDECAR}", *(f"begun/{name}/{flag}" for flag in self._flags(name))])

    @contextlib.contextmanager
    def workplace(self) -> Iterator[Path]:
        """See `Storage`: a folder of this machine."""
        with tempfile.TemporaryDirectory(prefix="hyperlite-crawl-") as folder:
            yield Path(folder)

    def keep(self, path: Path, name: str) -> None:
        """See `Storage`."""
        self._fs.put_file(str(path), f"{self._root}/{name}")
        path.unlink()

    def bodies(self, workplace: Path) -> tuple[Path, str]:
        """See `Storage`."""
        return workplace / BODIES, f"{self._url}/{BODIES}"

    def write(self, name: str, data: bytes) -> None:
        """See `Storage`."""
        path = f"{self._root}/{name}"
        try:
            self._fs.pipe_file(path, data)
        except FileNotFoundError:  # a storage with real folders
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._fs.pipe_file(path, data)

    def read(self, name: str) -> bytes | None:
        """See `Storage`."""
        try:
            return cast("bytes", self._fs.cat_file(f"{self._root}/{name}"))
        except FileNotFoundError:
            return None

    def open(self, name: str) -> IO[bytes]:
        """See `Storage`."""
        return cast("IO[bytes]", self._fs.open(f"{self._root}/{name}", "rb"))

    def remove_others(self, attempts: Collection[str]) -> None:
        """See `Storage`."""
        found = {name: name.partition(".")[0] for name in self._names()}
        others = [name for name, one in found.items() if is_part_name(one) and one not in attempts]
        for folder in ("begun", BODIES):
            for attempt in filter(is_part_name, set(self._names(folder)) - set(attempts)):
                others += [f"{folder}/{attempt}/{name}" for name in self._names(f"{folder}/{attempt}")]
        self._remove(others)

    def is_stopped(self) -> bool:
        """See `Storage`: it would be a request a second."""
        return False

    def _flags(self, name: str) -> set[str]:
        return set(self._names(f"begun/{name}"))

    def _names(self, folder: str = "") -> list[str]:
        path = f"{self._root}/{folder}".rstrip("/")
        self._fs.invalidate_cache(path)
        try:
            found = self._fs.ls(path, detail=False)
        except FileNotFoundError:
            return []
        names = [str(one).rstrip("/").rpartition("/")[2] for one in found]
        return [name for name in names if name and name != path.rpartition("/")[2]]

    def _remove(self, names: Collection[str]) -> None:
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                self._fs.rm_file(f"{self._root}/{name}")
