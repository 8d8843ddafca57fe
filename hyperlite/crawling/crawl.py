"""`crawl()`: fetch any number of URLs, in a way that survives the end of the process."""

import contextlib
import math
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Unpack

from ..fetching.checks import kind, whole
from ..fetching.outcome import Outcome
from ..net.timeouts import checked_seconds
from ..pool import ConnectionPool
from .arguments import CrawlArguments
from .bodies import Bodies
from .executors import ExecutorArgument, Workers
from .export import COMPRESSIONS, Compression, compression_for, export
from .manners import manners
from .placing import check_places, is_special
from .progress import CrawlProgress
from .recorders import as_recorded, recorder_for
from .records import BODY_KINDS, BodyKind, CallingRecorder, LineRecorder, Recorder
from .report_page import write_report
from .running import check_portable, place_of, run
from .state import PARTS, State
from .summary import CrawlSummary, error_text
from .tasks import Setting
from .warc import is_warc

# Seconds: a URL may take three times 60, the timeout of a pool, in the last two thirds of it.
LEASE = 300.0

_surrogate = re.compile("([\udc80-\udcff])|[\ud800-\udfff]").sub

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
    folder = state_folder(output, state)
    recorder = _recorder(output, folder, body, whole(max_body, "max_body"), compression)
    check_places(urls, output, report)
    executor = options.pop("executor", None)
    setting = _setting(output, folder, recorder, max_body, per_host, options, executor)
    made = manners(as_recorded(options, recorder))
    with (
        _workers(executor, output, options) as workers,
        ConnectionPool(**made.pool) as pool,
        contextlib.closing(State(folder, create=True)) as opened,
    ):
        _copy(opened, urls)
        settings = {"body": None if callable(output) else body or "text", "ending": recorder.ending}
        settings["storage"] = setting.storage or None
        with _noted(opened, settings, made.noted | {"per_host": setting.per_host}):
            run(opened, recorder, pool, made, setting, workers, progress)
        _finish(opened, output, compression, report)
        return opened.summary()


def _finish(
    state: State,
    output: Output,
    compression: Compression | None,
    report: str | os.PathLike[str] | None,
) -> None:
    """Write the output, and the report."""
    if not callable(output):
        path = Path(output)
        export(state, path, compression or compression_for(path))
    if report is not None:
        write_report(state, Path(report), str(state.folder if callable(output) else output))


def _setting(
    output: Output,
    folder: Path,
    recorder: Recorder,
    max_body: int,
    per_host: int,
    options: CrawlArguments,
    executor: ExecutorArgument | None,
) -> Setting:
    """Return what all workers are told; its `storage` is empty if that is in the state."""
    storage, lease = options.pop("storage", None), _lasting(options.pop("lease", LEASE))
    if storage is not None and executor is None:
        raise ValueError("storage= is where workers write: it goes with executor=")
    body = recorder.body if isinstance(recorder, LineRecorder) else None
    bodies = "" if callable(output) or storage is not None else f"{Path(output).absolute()}.bodies"
    per_host = whole(per_host, "per_host", least=1)
    return Setting(place_of(storage), bodies, body, max_body, per_host, dict(options), frozenset(), lease)


def _lasting(lease: float) -> float:
    found = checked_seconds(lease, "lease")
    if not found or found == math.inf:
        raise ValueError(f"lease is a number of seconds above 0, not {lease!r}")
    return found


@contextlib.contextmanager
def _workers(
    executor: ExecutorArgument | None, output: Output, options: CrawlArguments
) -> Iterator[Workers | None]:
    """Return the workers of an executor, which are there within the block."""
    if executor is None:
        yield None
        return
    if callable(output):
        raise TypeError("output is a function, which workers cannot call: leave executor= out")
    with contextlib.closing(Workers(executor)) as workers:
        check_portable(workers, options)
        yield workers


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
    output: Output, folder: Path, body: BodyKind | None, max_body: int, compression: Compression | None
) -> Recorder:
    """Return what takes the outcomes, and check what is for it alone."""
    if compression is not None and compression not in COMPRESSIONS:
        raise ValueError(f"compression is one of {', '.join(COMPRESSIONS)}, not {compression!r}")
    if callable(output):
        return CallingRecorder(output, max_body)
    if not isinstance(output, str | os.PathLike):
        raise TypeError(f"output is a path, or a function, not {kind(output)}")
    bodies = Bodies(Path(f"{os.fspath(output)}.bodies"), None, max_body)
    if is_warc(output):
        if body is not None:
            raise ValueError("a WARC file has bodies as they came: body= is for JSON Lines")
        if compression is not None:
            raise ValueError(
                'a WARC file is packed if its name ends in ".gz": compression= is for JSON Lines'
            )
        return recorder_for(None, bodies, max_body, folder / PARTS)
    body = body or "text"
    if body not in BODY_KINDS:
        raise ValueError(f"body is one of {', '.join(BODY_KINDS)}, not {body!r}")
    return recorder_for(body, bodies, max_body, folder / PARTS)


def state_folder(output: Output, state: str | os.PathLike[str] | None) -> Path:
    """Return the folder of a crawl's state: see `crawl()`."""
    if state is not None:
        return Path(state)
    if callable(output):
        raise TypeError(
            "state is needed where output is a function: it is the folder that keeps what is done"
        )
    if is_special(Path(output)):
        raise ValueError(
            f"state is needed where output is no file, as {os.fspath(output)} is: it is a folder"
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
        url = _scalar(line.decode("utf-8", "surrogateescape").removeprefix("\ufeff")).strip()
        if url and not url.startswith("#"):
            yield url


def _given(urls: Iterable[Any]) -> Iterator[str]:
    for url in urls:
        if not isinstance(url, str):
            raise TypeError(f"urls are strings, not {kind(url)}")
        if stripped := url.strip():
            yield _scalar(stripped)


def _scalar(url: str) -> str:
    """Return a URL without surrogates: those that stand for a byte, as in names of files, are quoted."""
    if url.isascii():
        return url
    return _surrogate(lambda found: f"%{ord(found[0]) - 0xDC00:02X}" if found[1] else "\ufffd", url)
