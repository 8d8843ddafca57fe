"""What the tests of observers of the command line share."""

from collections.abc import Iterable, Sequence

from hyperlite import ConnectionPool, Observer
from hyperlite.cli.text import Piece
from hyperlite.testing import Server


class Page:
    """Takes what is written, and keeps the text and the styles.

    Attributes:
        pieces: what was written: text, and its style.
    """

    def __init__(self) -> None:
        self.pieces: list[Piece] = []

    def write(self, pieces: Iterable[Piece]) -> None:
        """Keep some text."""
        self.pieces += pieces

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(text for text, _ in self.pieces)

    @property
    def lines(self) -> list[str]:
        """Its lines."""
        return self.text.splitlines()


def pool_of(server: Server, observers: Sequence[Observer], **options: object) -> ConnectionPool:
    """Return a pool that trusts a server."""
    return ConnectionPool(verify=server.ca_file, observers=observers, timeout=10, retries=0, **options)
