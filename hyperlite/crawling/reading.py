"""What counts of a part, read from where it is."""

from collections.abc import Iterator

from .parts import PIECE, Counted
from .storage import Storage


def pieces(storage: Storage, part: Counted, ending: str) -> Iterator[bytes]:
    """Yield what counts of a part, in pieces that end with a record.

    Args:
        storage: which has it.
        part: which it is.
        ending: of the names of parts.

    Raises:
        OSError: it cannot be read, or is shorter than the manifest says.
    """
    left = part.size
    with storage.open(f"{part.name}{ending}") as file:
        while left and (piece := file.read(min(left, PIECE))):
            if len(piece) < left:
                piece += file.readline(left - len(piece))
            left -= len(piece)
            yield piece
    if left:
        raise OSError(
            f"{part.name}{ending} is {left} bytes shorter than the state says: the disk has lost them"
        )
