"""Files that are written whole or not at all: beside their place, which they take when the disk has them.

What is no file, such as a pipe or a device, keeps its place: it is written to.  Of a symbolic link, the file
to which it leads is replaced.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from .durable import settle_folder


def is_special(path: Path) -> bool:
    """Tell whether there is something at a path that is no file, and no folder."""
    return path.exists() and not path.is_file() and not path.is_dir()


def check_places(source: object, *outputs: object) -> None:
    """Check that what a crawl writes replaces no folder, nor its list of URLs, nor another output.

    Args:
        source: the list of URLs, if it is a path.
        outputs: what is written; those that are no paths are left out.

    Raises:
        IsADirectoryError, ValueError: it does.
    """
    seen = [os.path.realpath(source)] if isinstance(source, str | os.PathLike) and source != "-" else []
    for output in outputs:
        if isinstance(output, str | os.PathLike):
            place = os.path.realpath(output)
            _check_place(Path(place))
            if place in seen and not is_special(Path(place)):
                raise ValueError(f"{os.fspath(output)} would replace the list of URLs, or the other output")
            seen.append(place)


def _check_place(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))


@contextlib.contextmanager
def placed(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file that takes a place at the end of the block, unless that raises.

    Raises:
        OSError: it cannot be written; what was there before still is.
    """
    _check_place(path)
    if is_special(path):
        with open(path, "wb") as file:
            yield file
        return
    target = Path(os.path.realpath(path))
    beside = target.with_name(f".{target.name}.new")
    try:
        with open(beside, "wb") as file:
            if target.exists():
                shutil.copymode(target, beside)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, target)
        settle_folder(target.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
