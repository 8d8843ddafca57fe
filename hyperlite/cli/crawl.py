"""`hyperlite crawl FILE --output OUT`: fetches the URLs in a file, and loses none when it is killed.

`hyperlite crawl status OUT`, `export OUT` and `retry-failed OUT` are about a crawl that was begun.
"""

import argparse
import contextlib
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from ..crawling.crawl import crawl, state_folder
from ..crawling.executors import dask, processes
from ..crawling.export import COMPRESSIONS, Compression, compression_for, export, write
from ..crawling.records import BODY_KINDS
from ..crawling.report_page import write_report
from ..crawling.scope import CrawlScope, Hosts
from ..crawling.state import State
from .crawl_progress import progress_for, summary_table
from .exits import Exit
from .options import (
    SHARED,
    Group,
    Parser,
    UsageError,
    count,
    declare_headers,
    header_fields,
    pool_keywords,
    positive,
)

_INTRODUCTION = """
Fetches the URLs in a file, a line each, and writes a line of JSON for each.
After a kill, a full disk or Ctrl-C, the same command goes on where it was.

  hyperlite crawl urls.txt --output pages.jsonl
  zcat urls.gz | hyperlite crawl - --output pages.jsonl.zst
  hyperlite crawl urls.txt --output pages.warc.gz   a WARC file instead
  hyperlite crawl status pages.jsonl         how far it is, also while it runs
  hyperlite crawl export pages.jsonl         write what there is so far
  hyperlite crawl retry-failed pages.jsonl   have failures tried again
"""
_ABOUT = ("status", "export", "retry-failed")


def parser() -> Parser:
    """Return the parser of the command's options."""
    usage = f"hyperlite crawl [OPTION …] FILE --output OUT\n       hyperlite crawl {'|'.join(_ABOUT)} OUT"
    made = Parser("crawl", usage, _INTRODUCTION, GROUPS)
    made.add_argument("source", metavar="FILE")
    made.add_argument("about", nargs="?", metavar="OUT", help=argparse.SUPPRESS)
    return made


def _declare_output(group: Any) -> None:
    group.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="JSON Lines, or a WARC file (.warc.gz, .warc)",
    )
    group.add_argument(
        "--state", metavar="DIRECTORY", help='the state, on a local disk (OUT with ".state" behind it)'
    )
    group.add_argument("--body", choices=BODY_KINDS, help="how bodies are written (text)")
    group.add_argument(
        "--max-body", type=count, metavar="BYTES", default=64 << 20, help="cut longer bodies off (64 MiB)"
    )
    group.add_argument(
        "--compression", choices=COMPRESSIONS, help="of the output (by its name: .gz, .zst, or none)"
    )
    group.add_argument("--report", metavar="FILE", help="write a page of HTML that shows how it went")
    group.add_argument("-q", "--quiet", action="store_true", help="no progress, and no summary")
    group.add_argument("--log-json", action="store_true", help="the progress as lines of JSON")


def _declare_requests(group: Any) -> None:
    group.add_argument(
        "--per-host", type=positive, metavar="N", default=8, help="so many requests to a host at a time (8)"
    )
    group.add_argument("--rate", type=float, metavar="N", help="so many requests to a site in a second")
    group.add_argument("--delay", type=float, metavar="SECONDS", help="between two requests to a site")
    group.add_argument("--contact", metavar="URL", help="where you are found; sent with User-Agent")
    group.add_argument("--ignore-robots", action="store_true", help="do not ask for robots.txt")
    group.add_argument(
        "--allow-private", action="store_true", help="redirects and links may lead to private addresses"
    )
    declare_headers(group)


def _declare_links(group: Any) -> None:
    group.add_argument(
        "--follow",
        choices=get_args(Hosts),
        help="fetch what pages link to: on their host, on domains in FILE, anywhere",
    )
    group.add_argument("--depth", type=count, metavar="N", help="so many links away from FILE's URLs")
    group.add_argument(
        "--include", action="append", default=[], metavar="REGEX", help="only URLs that match (repeat it)"
    )
    group.add_argument(
        "--exclude", action="append", default=[], metavar="REGEX", help="no URLs that match (repeat it)"
    )
    group.add_argument("--sitemaps", action="store_true", help="read the sitemaps that robots.txt names")
    group.add_argument("--max-urls", type=positive, metavar="N", help="add no URLs beyond so many")
    group.add_argument("--max-urls-per-host", type=positive, metavar="N", help="the same, of each host")
    group.add_argument("--stop-after", type=float, metavar="SECONDS", help="then the next run goes on")
    group.add_argument("--stop-after-bytes", type=positive, metavar="N", help="the same, of bodies")


def _declare_workers(group: Any) -> None:
    group.add_argument("--processes", type=positive, metavar="N", help="fetch in so many processes")
    group.add_argument("--dask", metavar="ADDRESS", help="fetch on a Dask cluster, tcp://…, by its scheduler")
    group.add_argument(
        "--storage", metavar="PLACE", help="where workers write, if not in the state: a folder, s3://…"
    )
    group.add_argument(
        "--lease", type=float, metavar="SECONDS", help="how long a worker may take for what it is given (300)"
    )


GROUPS = {
    "output": Group("Output: what becomes of responses", _declare_output),
    "requests": Group("Requests: how hosts are asked", _declare_requests),
    "links": Group("Links: what is followed, and for how long", _declare_links),
    "workers": Group("Workers: more processes than this one", _declare_workers),
    **SHARED,
}


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = parser().parse(arguments)
    if options.about is not None:
        if options.source not in _ABOUT:
            raise UsageError(f"{options.source!r} is none of {', '.join(_ABOUT)}")
        return _about(options, Path(options.about))
    if options.output is None:
        raise UsageError("--output says where the records go")
    if options.output == "-":
        raise UsageError(
            "--output is a file, written when all is done; then `export` writes to standard output"
        )
    if "://" in options.source:
        raise UsageError(
            f"FILE has the URLs, a line each; for one: echo {options.source} | hyperlite crawl -"
        )
    return _crawl(options)


def _crawl(options: argparse.Namespace) -> int:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # what has come is written down then
    try:
        with progress_for(options) as progress:
            summary = crawl(
                options.source,
                output=options.output,
                state=options.state,
                body=options.body,
                max_body=options.max_body,
                compression=options.compression,
                per_host=options.per_host,
                progress=progress,
                report=options.report,
                headers=header_fields(options),
                rate=options.rate,
                delay=options.delay,
                contact=options.contact,
                ignore_robots=options.ignore_robots,
                allow_private=options.allow_private,
                follow=_scope(options),
                stop_after=options.stop_after,
                stop_after_bytes=options.stop_after_bytes,
                **_workers(options),
                **pool_keywords(options),
            )
    except KeyboardInterrupt:
        print("hyperlite: interrupted; the same command goes on", file=sys.stderr)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
    if not options.quiet:
        print(summary_table(summary), end="")
    return Exit.DONE


def _workers(options: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of `crawl()` that say where URLs are fetched."""
    if options.processes is None and options.dask is None:
        for name in ("storage", "lease"):
            if getattr(options, name) is not None:
                raise UsageError(f"--{name} is for workers, which --processes or --dask gives")
        return {}
    if options.processes is not None and options.dask is not None:
        raise UsageError("--processes and --dask are two ways to fetch: one of them")
    executor = processes(options.processes) if options.dask is None else dask(options.dask)
    given = {"executor": executor, "storage": options.storage}
    return given if options.lease is None else given | {"lease": options.lease}


def _scope(options: argparse.Namespace) -> CrawlScope | None:
    """Return which links are followed."""
    if options.follow is None:
        for name in ("depth", "include", "exclude", "sitemaps", "max_urls", "max_urls_per_host"):
            if getattr(options, name):
                raise UsageError(f"--{name.replace('_', '-')} is for links: --follow says which are followed")
        return None
    try:
        return CrawlScope(
            options.follow,
            options.depth,
            options.include,
            options.exclude,
            sitemaps=options.sitemaps,
            max_urls=options.max_urls,
            max_urls_per_host=options.max_urls_per_host,
        )
    except ValueError as error:
        raise UsageError(f"--{error}") from None


def _about(options: argparse.Namespace, output: Path) -> int:
    """Show, write or prepare something of a crawl that was begun."""
    read_only = options.source != "retry-failed"
    with contextlib.closing(State(state_folder(output, options.state), read_only=read_only)) as state:
        if options.source == "status":
            print(summary_table(state.summary(), state.runs()), end="")
            if options.report is not None:
                write_report(state, Path(options.report), str(output))
        elif options.source == "export":
            _export(state, Path(options.output or output), options.compression)
        else:
            print(f"{state.retry_failed():,} URLs are fetched again by the next run of the crawl")
    return Exit.DONE


def _export(state: State, target: Path, compression: Compression | None) -> None:
    """Write the records that there are to a file, or to standard output ("-")."""
    if str(target) == "-":
        write(state, sys.stdout.buffer, state.folder.stem, compression or "none")
        return
    records = export(state, target, compression or compression_for(target))
    print(f"{records:,} records in {target}")
