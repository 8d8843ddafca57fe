"""What a crawl reads: robots.txt, sitemaps, pages; its own state, and the note beside a download."""

import contextlib
import shutil
import tempfile
import time
from pathlib import Path

from hyperlite.crawling import links, robots, sitemaps
from hyperlite.crawling.addresses import Reach
from hyperlite.crawling.parts import Result
from hyperlite.crawling.refusals import CrawlRefusal
from hyperlite.crawling.shards import Entry, Found, Shard
from hyperlite.crawling.state import State, Turn
from hyperlite.fetching.part import Note
from hyperlite.messages.urls import parse

from .target import Feed, check

AGENT = "bot"
PAGE = "https://base.example/a/b?c"
PATHS = ["/", "/a", "/a/b.html?c=d", "/%61", "/a%2Fb", "/\xe4", "/*$"]
# CPU seconds that an input of some kilobytes may take; a millisecond is usual.
LONGEST = 5.0
# Where the crawl's state is written: its database waits for the disk many times.
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


def robots_txt(data: bytes) -> None:
    """Parse a robots.txt, and ask it: it answers, in bounded time, and its figures are in bounds."""
    began = time.process_time()
    rules = robots.answered(200, data, AGENT)
    delay = rules.delay
    check(delay is None or 0 <= delay <= robots.LONGEST_DELAY, f"a delay of {delay}")
    check(all(isinstance(one, str) for one in rules.sitemaps), "a sitemap that is no URL")
    for path in PATHS:
        with contextlib.suppress(CrawlRefusal):
            rules.check(f"https://base.example{path}")
    check(time.process_time() - began < LONGEST, "it takes too long")


def sitemap(data: bytes) -> None:
    """Read a sitemap: the URLs are strings in bounds, and what leads nowhere is left out."""
    found = sitemaps.locations(data)
    check(len(found) <= sitemaps.MAX_URLS, f"{len(found)} URLs")
    _check_links(links.resolved(parse(PAGE), found))


def page(data: bytes) -> None:
    """Read the links of a page."""
    began = time.process_time()
    _check_links(links.html_links(data.decode("utf-8", "replace"), PAGE, AGENT))
    links.forbids([data[:200].decode("latin-1")], AGENT)
    check(time.process_time() - began < LONGEST, "it takes too long")


def _check_links(found: list[str]) -> None:
    check(len(found) == len(set(found)), "a link twice")
    for link in found:
        parsed = parse(link)
        check(str(parsed) == link, f"{link!r} is {str(parsed)!r}")
        check(parsed.user is None and not parsed.fragment, f"{link!r}: what no link keeps")


def state(data: bytes) -> None:
    """Take a crawl through turns, ends and further runs: no URL is lost, and none is given out twice."""
    feed = Feed(data)
    folder = Path(tempfile.mkdtemp(prefix="hyperlite-fuzz-", dir=MEMORY))
    try:
        _crawl(folder, feed)
    finally:
        shutil.rmtree(folder)


def _crawl(folder: Path, feed: Feed) -> None:
    urls = [_url(feed) for _ in range(feed.choice(12))]
    outcomes: dict[str, int] = {}
    for _ in range(3):  # runs
        current = State(folder, create=True)
        try:
            current.begin({"ending": ".jsonl"}, {})
            if not current.is_copied:
                current.copy(urls, again=True)
            _run(current, feed, outcomes)
            _check_state(current, outcomes)
        finally:
            current.close()


def _run(current: State, feed: Feed, outcomes: dict[str, int]) -> None:
    under_way: dict[str, Entry] = {}
    lanes: dict[int, Shard] = {}
    results: list[Result] = []
    found: list[Found] = []
    for _ in range(min(feed.choice(16), feed.left)):
        kind = feed.number()
        if kind < 0x60 and under_way:
            url = sorted(under_way)[kind % len(under_way)]
            entry = under_way.pop(url)
            status = feed.number() * 3 % 600
            error = None if status else "Error: none"
            results.append(Result(entry, status, 1, error, b"{}\n", 0, "1.1", None))
            outcomes[url] = status
        elif kind < 0x80:
            found.append(Found(_url(feed), 1, Reach.HERE))
        else:
            wanting = {
                lane: shard.number
                for lane, shard in lanes.items()
                if not any(entry.shard.lane == lane for entry in under_way.values())
            }
            written = list({one.entry.shard for one in results})
            for shard in written:
                shard.size += 3
                shard.records += 1
            turned = current.turn(Turn(results, written, found, 1.0), wanting, lanes, kind & 3)
            results, found = [], []
            for shard, entries in turned.given:
                lanes[shard.lane] = shard
                for entry in entries:
                    check(entry not in under_way, f"{entry!r} is given out twice")
                    check(entry not in outcomes, f"{entry!r} has an outcome, and is given out again")
                    under_way[str(entry)] = entry
    for one in results:  # the process is killed: what no turn has written down has not happened
        outcomes.pop(str(one.entry), None)


def _check_state(current: State, outcomes: dict[str, int]) -> None:
    summary = current.summary()
    done = summary.urls - summary.left
    check(done == len(outcomes), f"{done} outcomes in the state, {len(outcomes)} of the program")
    by_status = {status: 0 for status in outcomes.values() if status}
    for status in outcomes.values():
        if status:
            by_status[status] += 1
    check(summary.statuses == by_status, f"{summary.statuses}, not {by_status}")


def _url(feed: Feed) -> str:
    """Return one of some URLs, which may be invalid."""
    number = feed.number()
    url = f"http://h{number & 3}.example/{number >> 2 & 7}"
    if number >= 0xE0:
        url = feed.take(number & 0x1F).decode("utf-8", "replace")
    return url


def note(data: bytes) -> None:
    """Read the note beside a download that was interrupted: it is a note, or one that fits nothing."""
    with tempfile.NamedTemporaryFile(prefix="hyperlite-fuzz-") as file:
        file.write(data)
        file.flush()
        try:
            found = Note.read(file.name)
        except PermissionError:  # in a folder that others may write into it must be this user's alone
            return
    check(found is not None, "there is none")
    assert found is not None
    check(isinstance(found.url, str), f"{found}")
    check(found.validator is None or isinstance(found.validator, str), f"{found}")
    check(found.length is None or found.length >= 0, f"{found}")
