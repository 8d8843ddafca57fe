"""A client of a bookstore, which stands for any program that makes requests with hyperlite."""

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Self

import hyperlite

Book = dict[str, Any]


class BookClient:
    """The books of one store.

    Args:
        url: of the store.
        options: of its `hyperlite.ConnectionPool`; a test gives `verify` or `handler`.
    """

    def __init__(self, url: str, **options: Any) -> None:
        options.setdefault("timeout", 5.0)
        self._pool = hyperlite.ConnectionPool(base_url=url, **options)

    def book(self, number: int) -> Book | None:
        """Return a book, or None if the store has none of this number."""
        response = self._pool.fetch("/book", params={"id": number})
        if response.status == 404:
            return None
        book: Book = response.raise_for_status().json()
        return book

    def books(self, numbers: Iterable[int]) -> Iterator[Book]:
        """Yield books in their order; many are under way at once."""
        urls = (f"/book?id={number}" for number in numbers)
        for outcome in self._pool.fetch_many(urls, ordered=True):
            yield outcome.result().raise_for_status().json()

    def order(self, number: int, key: str) -> str:
        """Order a book, and return the address of the order; one key stands for one order."""
        response = self._pool.fetch("/orders", "POST", json={"id": number}, headers={"Idempotency-Key": key})
        return response.raise_for_status().headers["Location"]

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
