"""A client of a REST interface: credentials, parameters, retries, and lists that come in pages.

python rest_client.py https://example.org/api/ name password [the file of an authority to trust]
"""

import sys
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import hyperlite


class Books:
    """The books of a library, as its interface has them.

    Args:
        base_url: what all paths begin with.
        auth: a name and a password. They are sent to the host of `base_url` alone.
        verify: the file of an authority to trust; True: the usual ones.
    """

    def __init__(self, base_url: str, auth: tuple[str, str], *, verify: bool | str = True) -> None:
        self._pool = hyperlite.ConnectionPool(
            base_url=base_url,
            auth=auth,
            params={"lang": "en"},
            headers={"Accept": "application/json"},
            retries=hyperlite.Retries(total=4, backoff=0.2, statuses={429, 502, 503}),
            timeout=10,
            deadline=60,
            verify=verify,
        )

    def __enter__(self) -> "Books":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.close()

    def get(self, number: int) -> dict[str, Any] | None:
        """Return a book; None if there is none of that number."""
        response = self._pool.fetch(f"books/{number}")
        if response.status == 404:
            return None
        return dict(response.raise_for_status().json())

    def add(self, title: str) -> int:
        """Add a book, and return its number."""
        response = self._pool.fetch("books", "POST", json={"title": title}).raise_for_status()
        return int(response.json()["number"])

    def search(self, words: str) -> Iterator[dict[str, Any]]:
        """Yield the books that are found, page by page: each names the next one in its Link field."""
        url = "books"
        params: dict[str, Any] | None = {"q": words, "limit": 20}
        while True:
            response = self._pool.fetch(url, params=params).raise_for_status()
            yield from response.json()
            following = response.links.get("next")
            if following is None:
                return
            url, params = following["url"], None  # its query is complete

    def get_all(self, numbers: list[int]) -> list[dict[str, Any]]:
        """Return many books, in the order of their numbers; they are fetched at the same time."""
        paths = [f"books/{number}" for number in numbers]
        outcomes = self._pool.fetch_many(paths, ordered=True)
        return [outcome.result().raise_for_status().json() for outcome in outcomes]


def main(base_url: str, name: str, password: str, authorities: str | None = None) -> None:
    """Use each call once."""
    with Books(base_url, (name, password), verify=authorities or True) as books:
        number = books.add("Dune")
        print(books.get(number))
        print(books.get(10_000))
        print(len(list(books.search("the"))))
        print(len(books.get_all(list(range(50)))))
        try:
            books.add("")
        except hyperlite.HTTPStatusError as error:
            print(error.response.status, error.response.json()["error"])


if __name__ == "__main__":
    main(*sys.argv[1:])
