"""How the cases combine with engines and transports."""

from collections.abc import Iterator

from hyperlite.testing.hostile.case import Case
from hyperlite.testing.hostile.catalogue import CASES
from tests.http2.engine.conftest import ENGINES


def combinations() -> Iterator[tuple[Case, str, str]]:
    """Yield what is to be run: (case, engine, transport). On HTTP/1.1 there is no engine: once is enough."""
    for engine in ENGINES:
        for case in CASES.values():
            if case.protocol == "h2" or engine == ENGINES[0]:
                for over in case.over:
                    yield case, engine, over
