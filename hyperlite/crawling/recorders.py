"""Which recorder takes the outcomes of a crawl, by its arguments."""

from pathlib import Path
from typing import Any

from .arguments import CrawlArguments
from .bodies import Bodies
from .records import LineRecorder, Recorder
from .warc import WarcRecorder, with_codings


def recorder_for(body: Any, bodies: Bodies, max_body: int, folder: Path) -> LineRecorder | WarcRecorder:
    """Return what makes records for a file.

    Args:
        body: how bodies are written in JSON Lines; None: the records are for a WARC file.
        bodies: those in files of their own.
        max_body: bytes of a body to keep.
        folder: of the parts.

    Raises:
        ImportError: warcio is missing.
    """
    if body is None:
        return WarcRecorder(folder, max_body)
    return LineRecorder(body, bodies, max_body)


def as_recorded(options: CrawlArguments, recorder: Recorder) -> CrawlArguments:
    """Return the arguments of a crawl with what its recorder needs."""
    if isinstance(recorder, WarcRecorder):
        options = options.copy()
        options["headers"] = with_codings(options.get("headers"))
        options["observers"] = [*options.get("observers", ()), recorder.requests]
    return options
