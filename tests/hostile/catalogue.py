"""All cases, and how they combine with engines and transports."""

from collections.abc import Iterator

from tests.http2.engine.conftest import ENGINES

from . import (  # noqa: F401  the cases declare themselves
    cases_baseline,
    cases_coding,
    cases_connection,
    cases_flood,
    cases_flow,
    cases_frames,
    cases_headers,
    cases_http1,
    cases_message,
    cases_tls,
)
from .case import CASES, Case


def combinations() -> Iterator[tuple[Case, str, str]]:
    """Yield what is to be run: (case, engine, transport). On HTTP/1.1 there is no engine: once is enough."""
    for engine in ENGINES:
        for case in CASES.values():
            if case.protocol == "h2" or engine == ENGINES[0]:
                for over in case.over:
                    yield case, engine, over
