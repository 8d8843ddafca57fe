"""All cases, by name."""

from . import (  # noqa: F401  the cases declare themselves
    cases_baseline,
    cases_chunks,
    cases_coding,
    cases_connection,
    cases_flood,
    cases_flow,
    cases_frames,
    cases_headers,
    cases_http1,
    cases_message,
    cases_settings,
    cases_tls,
)
from .case import CASES

__all__ = ["CASES"]
