"""`crawl()`: fetch any number of URLs, in a way that survives the end of the process."""

import contextlib
import dataclasses
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Unpack

from ..fetching.checks import kind, whole
from ..fetching.outcome import Outcome
from ..pool import ConnectionPool
from .arguments import CrawlArguments
from .bodies import Bodies
from .driver import Driver
from .export import COMPRESSIONS, Compression, compression_for, export
from .manners import Manners, bound, manners
from .progress import CrawlProgress, Tally
from .records import BODY_KINDS, BodyKind, CallingRecorder, LineRecorder, Recorder
from .report_page import write_report
from .rules import Rules
from .state import PARTS, State
from .summary import CrawlSummary, error_text
from .warc import WarcRecorder, is_warc, with_codings

Source = Iterable[str] | str | os.PathLike[str]
Output = str | os.PathLike[str] | Callable[[Outcome[str]], object]


def crawl(
    urls: Source,
    *,
    output: Output,
    state: str | os.PathLike[str] | None = None,
    body: BodyKind | None = None,
    max_body: int = 64 << 20,
    compression: Compression | None = None,
    per_host: int = 8,
    progress: Callable[[CrawlProgress], object] | None = None,
    report: str | os.PathLike[str] | None = None,
    **options: Unpack[CrawlArguments],
) -> CrawlSummary:
    """Fetch URLs, each of them once, and write down what came.  The same call again goes on after a kill.

    Before anything is fetched, the URLs are copied into the state, a folder.  What was fetched is written
    there some hundred URLs at a time, so the next call fetches at most 1,000 URLs again.  When all have an
    outcome, `output` is written, whole or not at all.

    Two URLs are the same if their WHATWG form is.  The first one that was given is the one that is fetched.

    Args:
        urls: an iterable; or the path of a file with a URL a line, "-" for standard input.
        output: a path, for a file of JSON Lines, or a WARC file if it ends in ".warc.gz" or ".warc"; or a
            function, which is called with the `Outcome` of each URL.  A URL that the function has got may
            come again after a kill.  What it raises ends the run.
        state: the folder of the state, on a local disk; by default `output` with ".state" behind it.
        body: how bodies are written in JSON Lines: as "text" (the default), in "base64", to a "file" each in
            a folder, `output` with ".bodies" behind it, or not at all ("none"). One of more than 8 MiB goes
            to a file in any case.  A WARC file has them as they came.
        max_body: bytes of a body to keep. A longer one is cut off; for a function, it is a `BodyTooLarge`.
        compression: of JSON Lines: "gzip", "zstd" or "none"; by default what the name of the output ends in.
        per_host: how many requests to a host are under way at most.
        progress: called some times a second with a `CrawlProgress`.
        report: a path, for a page of HTML that shows how the crawl went.
        options: see `CrawlArguments`; the others are as for `ConnectionPool`.

    Raises:
        BlockingIOError: another process is at this crawl. ValueError: it was begun with other arguments.
        OSError: the state or the output cannot be written; the next call goes on.
    """
    recorder = _recorder(output, state, body, whole(max_body, "max_body"))
    _check_compression(compression, recorder)
    made = manners(_as_recorded(options, recorder))
    noted = {"per_host": whole(per_host, "per_host", least=1)} | made.noted
    with (
        contextlib.closing(State(state_folder(output, state), create=True)) as opened,
        ConnectionPool(**made.pool) as pool,
    ):
        _copy(opened, urls)
        settings = {"body": None if callable(output) else body or "text", "ending": recorder.ending}
        with _noted(opened, settings, noted):
            _run(opened, recorder, pool, made, per_host, progress)
        if not callable(output):
            path = Path(output)
            export(opened, path, compression or compression_for(path))
        if report is not None:
            write_report(opened, Path(report), str(opened.folder if callable(output) else output))
        return opened.summary()


def _run(
    state: State,
    recorder: Recorder,
    pool: ConnectionPool,
    made: Manners,
    per_host: int,
    progress: Callable[[CrawlProgress], object] | None,
) -> None:
    """Fetch what is left."""
    before = state.summary()
    tally = Tally(before.urls, before.urls - before.left, progress, made.stop_after, made.stop_after_bytes)
    policy = dataclasses.replace(bound(made.policy, state), packed=not recorder.decodes)
    Driver(state, recorder, pool, Rules(policy, pool, made.guard), per_host, tally).run()
    tally.report()


@contextlib.contextmanager
def _noted(state: State, settings: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[None]:
    """Note in the state that there is a run, and how it ends."""
    number = state.begin(settings, options)
    how = "finished"
    try:
        yield
    except BaseException as error:
        how = error_text(error)
        raise
    finally:
        with contextlib.suppress(OSError):  # a full disk does not keep the first error from the caller
            state.end(number, how)


def _recorder(
    output: Output, state: str | os.PathLike[str] | None, body: BodyKind | None, max_body: int
) -> Recorder:
    if callable(output):
        return CallingRecorder(output, max_body)
    if not isinstance(output, str | os.PathLike):
        raise TypeError(f"output is a path, or a function, not {kind(output)}")
    if is_warc(output):
        if body is not None:
            raise ValueError("a WARC file has bodies as they came: body= is for JSON Lines")
        return WarcRecorder(state_folder(output, state) / PARTS, max_body)
    body = body or "text"
    if body not in BODY_KINDS:
        raise ValueError(f"body is one of {', '.join(BODY_KINDS)}, not {body!r}")
    return LineRecorder(body, Bodies(Path(f"{os.fspath(output)}.bodies"), max_body), max_body)


def _as_recorded(options: CrawlArguments, recorder: Recorder) -> CrawlArguments:
    """Return the arguments of a crawl with what its recorder needs."""
    if isinstance(recorder, WarcRecorder):
        options["headers"] = with_codings(options.get("headers"))
        options["observers"] = [*options.get("observers", ()), recorder.requests]
    return options


def _check_compression(compression: Compression | None, recorder: Recorder) -> None:
    if compression is not None and compression not in COMPRESSIONS:
        raise ValueError(f"compression is one of {', '.join(COMPRESSIONS)}, not {compression!r}")
    if compression is not None and isinstance(recorder, WarcRecorder):
        raise ValueError('a WARC file is packed if its name ends in ".gz": compression= is for JSON Lines')


def state_folder(output: Output, state: str | os.PathLike[str] | None) -> Path:
    """Return the folder of a crawl's state: see `crawl()`."""
    if state is not None:
        return Path(state)
    if callable(output):
        raise TypeError(
            "state is needed where output is a function: it is the folder that keeps what is done"
        )
    return Path(f"{os.fspath(output)}.state")


# -- the input ------------------------------------------------------------------------------------


def _copy(state: State, urls: Source) -> None:
    """Copy the input into the state, unless that was done."""
    if state.is_copied:
        return
    if isinstance(urls, bytes) or not isinstance(urls, str | os.PathLike | Iterable):
        raise TypeError(f"urls is an iterable of URLs, or a path, not {kind(urls)}")
    if isinstance(urls, str) and "://" in urls:
        raise TypeError("crawl() takes an iterable of URLs, not one URL: put it in a list")
    if urls == "-":
        state.copy(_lines(sys.stdin.buffer), again=False)
    elif isinstance(urls, str | os.PathLike):
        with open(urls, "rb") as file:
            state.copy(_lines(file), again=True)
    else:
        state.copy(_given(urls), again=True)


def _lines(file: IO[bytes]) -> Iterator[str]:
    """Yield the URLs of a file: a line each, but for empty ones, and comments."""
    for line in file:
        url = line.decode("utf-8-sig", "replace").strip()
        if url and not url.startswith("#"):
            yield url


def _given(urls: Iterable[Any]) -> Iterator[str]:
    for url in urls:
        if not isinstance(url, str):
            raise TypeError(f"urls are strings, not {kind(url)}")
        if stripped := url.strip():
            yield stripped if stripped.isascii() else stripped.encode("utf-8", "replace").decode()
