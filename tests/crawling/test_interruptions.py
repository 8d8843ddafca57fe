"""Other ends than SIGKILL: a full disk, Ctrl-C, functions that raise, a second run."""

import errno
import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest

import hyperlite
from hyperlite import Outcome
from hyperlite.crawling.export import export
from hyperlite.crawling.state import State, Turn, Turned
from hyperlite.testing.server import Request, Response

from .conftest import MakeSite
from .site import Site
from .test_kills import AT_RISK, finish


def crawl(site: Site, urls: list[str] | None = None, **given: object) -> hyperlite.CrawlSummary:
    """Crawl a site in this process."""
    options = {"output": site.output, "verify": False, "resolver": lambda *_: ["127.0.0.1"]} | given
    return hyperlite.crawl(site.urls if urls is None else urls, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("limit", [3_000, 100_000])
def test_files_that_cannot_grow(make_site: MakeSite, limit: int) -> None:
    """With the smaller limit that is a part, with the larger one the database."""
    site = make_site(4, 150)
    done = site.crawl(largest_file=limit)
    assert done.returncode == 1
    assert done.stderr.startswith("OSError: ")
    assert not site.output.exists()
    finish(site)
    assert site.refetched() <= AT_RISK


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system")
@pytest.mark.parametrize("kilobytes", [200, 350, 500])
def test_a_full_disk(make_site: MakeSite, kilobytes: int) -> None:
    """On a small tmpfs: the copy of the input, a part, the output."""
    site = make_site(4, 150)
    site.state.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "crawl", str(site.state)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        done = site.crawl()
        assert done.returncode == 1, done.stdout
        assert f"[Errno {errno.ENOSPC}]" in done.stderr
        assert site.crawl().returncode == 1  # and again
        subprocess.run(["mount", "-o", "remount,size=50m", str(site.state)], check=True)
        before = site.refetched()
        finish(site)
        assert before <= 2 * AT_RISK
        assert site.refetched() <= 3 * AT_RISK
    finally:
        subprocess.run(["umount", str(site.state)], check=True)


def test_an_output_that_cannot_be_written(make_site: MakeSite) -> None:
    site = make_site(2, 50)
    site.output.mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        crawl(site)
    site.output.rmdir()
    assert [path.name for path in site.output.parent.iterdir() if "new" in path.name] == []
    crawl(site)
    site.check_output()
    assert site.refetched() == 0


def test_a_function_that_raises(make_site: MakeSite, tmp_path: Path) -> None:
    """Its URL comes again in the next run; those before it do not."""
    site = make_site(3, 100)
    seen: list[str] = []

    def take(outcome: Outcome[str]) -> None:
        if len(seen) == 120:
            raise RuntimeError("the function's own")
        seen.append(outcome.request)

    with pytest.raises(RuntimeError, match="own"):
        crawl(site, output=take, state=tmp_path / "state")
    assert len(set(seen)) == 120
    rest: list[str] = []
    summary = crawl(site, output=lambda outcome: rest.append(outcome.request), state=tmp_path / "state")
    assert summary.left == 0
    assert sorted(seen + rest) == sorted(site.urls)


def test_a_function_without_a_state(make_site: MakeSite) -> None:
    with pytest.raises(TypeError, match="state is needed"):
        crawl(make_site(1, 1), output=print)


def test_ctrl_c(make_site: MakeSite) -> None:
    """What has come is written down, so almost nothing is fetched again."""
    site = make_site(8, 100)
    done = site.crawl(kill_at=400, kill_by=signal.SIGINT)
    assert done.returncode == 1
    assert done.stderr.startswith("KeyboardInterrupt")
    finish(site)
    assert site.refetched() <= 2 * 8 * 8  # what was under way


def test_an_error_of_progress(make_site: MakeSite) -> None:
    site = make_site(2, 50)

    def fail(progress: hyperlite.CrawlProgress) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        crawl(site, progress=fail)
    crawl(site)
    site.check_output()


def test_a_second_run_says_so_and_ends(make_site: MakeSite) -> None:
    site = make_site(2, 50)
    errors: list[OSError] = []

    def run_again(_: object) -> None:
        if not errors:
            with pytest.raises(BlockingIOError, match="running already") as caught:
                crawl(site)
            errors.append(caught.value)

    crawl(site, progress=run_again)
    assert errors
    site.check_output()
    assert site.refetched() == 0


def test_other_settings_than_before(make_site: MakeSite) -> None:
    site = make_site(1, 3)
    crawl(site)
    with pytest.raises(ValueError, match="begun with body='text', not 'base64'"):
        crawl(site, body="base64")


def test_a_folder_that_holds_something_else(make_site: MakeSite) -> None:
    site = make_site(1, 3)
    site.state.mkdir()
    (site.state / "state.sqlite3").write_bytes(b"no database" * 1000)
    with pytest.raises(ValueError, match="holds no state of a crawl"):
        crawl(site)


def test_an_iterable_that_raises_is_copied_again(make_site: MakeSite) -> None:
    site = make_site(1, 20)

    def urls() -> object:
        yield from site.urls[:10]
        raise LookupError

    with pytest.raises(LookupError):
        crawl(site, urls())  # type: ignore[arg-type]
    summary = crawl(site, [*site.urls, site.urls[3].replace("https", "HTTPS")])
    assert (summary.urls, summary.duplicates, summary.left) == (20, 1, 0)


def test_standard_input_goes_on_from_what_was_copied(make_site: MakeSite) -> None:
    """The process is killed while it copies; the next one gets nothing more."""
    site = make_site(10, 40)
    lines = site.list.read_text()
    arguments = site.arguments(urls="-", die=["committed", 3], rows=100)
    command = [sys.executable, "-m", "tests.crawling.child", arguments]
    killed = subprocess.run(command, input=lines, text=True, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    command[-1] = site.arguments(urls="-")
    done = subprocess.run(command, input="", text=True, capture_output=True, check=False)
    assert (done.stdout, done.stderr) == ("300 0 0\n", "")
    assert {record["url"] for record in site.records()} == set(site.urls[:300])


def test_the_pool_s_own_errors_come_before_anything_is_asked(make_site: MakeSite) -> None:
    site = make_site(1, 3)
    with pytest.raises(TypeError, match="retries"):
        crawl(site, retries="many")
    assert site.server.log == []


def test_an_export_while_a_run_goes_on(make_site: MakeSite, tmp_path: Path) -> None:
    """It has the records of one moment, each URL once, although some are replaced meanwhile."""
    site = make_site(2, 120)  # of which four fail
    crawl(site)
    with closing(State(site.state)) as state:
        assert state.retry_failed() == 4
    exported: list[int] = []

    def export_now(_: object) -> None:
        with closing(State(site.state, read_only=True)) as state:
            exported.append(export(state, tmp_path / "now.jsonl", "none"))

    crawl(site, progress=export_now)
    assert set(exported) == {240}
    records = [json.loads(line) for line in (tmp_path / "now.jsonl").read_text("utf-8").splitlines()]
    assert len({record["url"] for record in records}) == len(records) == 240


def test_a_snapshot_stays_as_it_was(make_site: MakeSite) -> None:
    site = make_site(1, 5)
    crawl(site)
    with closing(State(site.state, read_only=True)) as looking:
        with looking.snapshot():
            before = looking.summary()
            with closing(State(site.state)) as state:
                assert state.retry_failed() == 0
                state.end(state.begin({"body": "text"}, {}), "test")
            assert looking.summary() == before
            assert len(looking.runs()) == 1
        assert len(looking.runs()) == 2


class Counting(Site):
    """A site that tells when `AT_RISK` pages were asked for, and when more were."""

    def __init__(self, folder: Path) -> None:
        self.full, self.beyond = Event(), Event()
        super().__init__(folder, 10, 220)

    def _answer(self, request: Request) -> Response:
        answer = super()._answer(request)
        if len(self._seen) >= AT_RISK:
            self.full.set()
        if len(self._seen) > AT_RISK:
            self.beyond.set()
        return answer


def test_no_more_is_asked_for_than_a_kill_may_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a turn takes long, the run goes on until 1,000 URLs are asked for and are not written down."""
    site = Counting(tmp_path)
    early: list[bool] = []
    real = State.turn

    def turn(state: State, turn: Turn, *others: Any) -> Turned:
        if turn.results and not early:
            assert site.full.wait(30)
            early.append(site.beyond.wait(0.5))
        return real(state, turn, *others)

    monkeypatch.setattr(State, "turn", turn)
    with site.server:
        assert crawl(site).left == 0
    assert early == [False]
    site.check_output()
    assert site.beyond.is_set()
