"""A shop of 3,000 science-fiction books that do not exist: a site to fetch many small things from.

`/` lists the ids as JSON, `/book?id=N` is one book. `python -m hyperlite.testing.bookstore` runs it: one line
of JSON with the port and the path of the certificate authority says that it is ready, and it serves until its
standard input ends, so that it does not survive the process that started it.
"""

import argparse
import json
import random
import signal
import sys
from collections.abc import Mapping, Sequence
from functools import cache

from hyperlite.testing.server import Handler, Request, Response, Server

Book = dict[str, str | int]
"""A book: `id`, `title`, `author`, `year`, `pages`, `isbn` and `summary`."""

_COUNT = 3000
_SEED = 1895  # "The Time Machine"
_LONGEST_SUMMARY = 46  # in sentences, which makes some 4,000 bytes

_FIRST_NAMES = (
    "Ada", "Anselm", "Beatrix", "Caspian", "Dario", "Edda", "Fenna", "Gideon", "Hedwig", "Ilse", "Jonas",
    "Kazimir", "Leonie", "Maren", "Nadia", "Orson", "Petra", "Quentin", "Rosalind", "Severin", "Tamsin",
    "Ulla", "Viktor", "Wanda", "Xenia", "Yorick", "Zora",
)  # fmt: skip
_LAST_NAMES = (
    "Abelard", "Brandvold", "Castellan", "Dragomir", "Eastlake", "Farrow", "Greave", "Halloran", "Ivarsen",
    "Jessop", "Kestrel", "Lindqvist", "Marchetti", "Novak", "Okonjo", "Pemberton", "Quill", "Rasmussen",
    "Sandoval", "Thorne", "Umber", "Vasquez", "Wexley", "Yamada", "Zeller",
)  # fmt: skip
_ADJECTIVES = (
    "Amber", "Brittle", "Cold", "Distant", "Endless", "Fallen", "Glass", "Hollow", "Iron", "Last", "Luminous",
    "Missing", "Nameless", "Outer", "Patient", "Quiet", "Restless", "Second", "Silent", "Sleeping", "Tidal",
    "Unwritten", "Wandering",
)  # fmt: skip
_NOUNS = (
    "Archive", "Beacon", "Cartographer", "Colony", "Comet", "Engine", "Equation", "Garden", "Harbour",
    "Horizon", "Machine", "Meridian", "Moon", "Observatory", "Orbit", "Parallax", "Planet", "Satellite",
    "Signal", "Starship", "Station", "Voyage",
)  # fmt: skip
_PLACES = (
    "Andromeda", "Callisto", "Ceres", "Deneb", "Enceladus", "Europa", "Ganymede", "Io", "Mars", "Mercury",
    "Oberon", "Phobos", "Proxima", "Titan", "Triton", "Vega", "Venus",
)  # fmt: skip
_TITLES = (
    "The {adjective} {noun}",
    "The {noun} of {place}",
    "{adjective} {noun}, {adjective} {noun2}",
    "No {noun} for {place}",
    "Beyond the {adjective} {noun}",
    "{place} Does Not Answer",
)
_SENTENCES = (
    "On {place}, {name} repairs the {adjective} {noun} that her family has kept for six generations.",
    "Nobody in the colony remembers who built the {noun}, and the records stop a century ago.",
    "When a signal arrives from {place}, the council forbids everyone to answer it.",
    "The crew of the {adjective} {noun} has eleven days of air and two plans, which do not agree.",
    "{name} has been awake for longer than the voyage was meant to take.",
    "Between {place} and {place2} there is nothing on the charts, and that is where the lights are.",
    "The machine counts backwards, in a language that only {name} has studied.",
    "By the second winter the {noun} has begun to dream.",
    "A smuggler, a surveyor and a retired judge share the last lifeboat to {place}.",
    "It is a story about patience, orbital mechanics and the price of bread.",
    "Every letter from {place} takes four years, so {name} writes only what will still be true.",
    "The {adjective} {noun} was never lost; it was told to wait.",
)


@cache
def books() -> dict[int, Book]:
    """Return all the books by id, from 0 to 2,999: the same ones in every version of Python."""
    dice = _Dice()
    return {number: _book(number, dice) for number in range(_COUNT)}


@cache
def routes() -> Mapping[str, Handler]:
    """Return the handlers of the shop, for `hyperlite.testing.server.Server`."""
    index = _json(list(books()))
    pages = {f"/book?id={number}": _json(book) for number, book in books().items()}
    missing = _json({"error": "There is no such book."}, status=404)

    def book(request: Request) -> Response:
        # To parse the query would take as long as all the rest.
        return pages.get(request.target) or pages.get(f"/book?id={request.query.get('id', [''])[0]}", missing)

    return {"/": lambda _: index, "/book": book}


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the shop as the command line says, until standard input ends or a SIGTERM comes."""
    parser = argparse.ArgumentParser(
        prog="python -m hyperlite.testing.bookstore", description="Serve a bookstore."
    )
    parser.add_argument(
        "--port", type=int, default=0, help="the port to listen on (default: any that is free)"
    )
    parser.add_argument(
        "--latency", type=float, default=0.0, metavar="SECONDS", help="round-trip time to add"
    )
    parser.add_argument("--cleartext", action="store_true", help="do without TLS")
    parser.add_argument(
        "--http1", action="store_true", help="agree on nothing but HTTP/1.1 in the TLS handshake"
    )
    options = parser.parse_args(arguments)
    # By default the signal would leave the certificates' files behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with Server(
        routes(),
        secure=not options.cleartext,
        alpn=("http/1.1",) if options.http1 else ("h2", "http/1.1"),
        latency=options.latency,
        port=options.port,
    ) as server:
        ca_file = None if options.cleartext else server.ca_file
        print(json.dumps({"port": server.port, "ca_file": ca_file}), flush=True)
        while sys.stdin.buffer.read(1 << 16):
            pass


class _Dice:
    """Chooses at random, by `random()` alone: its results for a seed are the same in every Python."""

    def __init__(self) -> None:
        self._random = random.Random(_SEED).random  # noqa: S311 (nothing here is secret)

    def below(self, limit: int) -> int:
        """Return a number from 0 to limit - 1."""
        return int(self._random() * limit)

    def pick(self, choices: Sequence[str]) -> str:
        """Return one of these."""
        return choices[self.below(len(choices))]

    def fill(self, template: str) -> str:
        """Put words in a template's gaps."""
        return template.format(
            adjective=self.pick(_ADJECTIVES),
            noun=self.pick(_NOUNS),
            noun2=self.pick(_NOUNS),
            place=self.pick(_PLACES),
            place2=self.pick(_PLACES),
            name=self.pick(_FIRST_NAMES),
        )


def _book(number: int, dice: _Dice) -> Book:
    length = 1 + dice.below(_LONGEST_SUMMARY)
    return {
        "id": number,
        "title": dice.fill(dice.pick(_TITLES)),
        "author": f"{dice.pick(_FIRST_NAMES)} {dice.pick(_LAST_NAMES)}",
        "year": 1926 + dice.below(100),
        "pages": 120 + dice.below(700),
        "isbn": _isbn(number),
        "summary": " ".join(dice.fill(dice.pick(_SENTENCES)) for _ in range(length)),
    }


def _isbn(number: int) -> str:
    digits = f"978{number:09}"
    total = sum(int(digit) * (3 if position % 2 else 1) for position, digit in enumerate(digits))
    return f"{digits}{-total % 10}"


def _json(value: object, status: int = 200) -> Response:
    return Response(status, [("content-type", "application/json")], json.dumps(value).encode())


if __name__ == "__main__":
    main()
