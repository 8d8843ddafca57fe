"""A crawl whose process is killed goes on where it was: SIGKILL, at any moment."""

import signal
import sqlite3

import pytest

from .conftest import MakeSite
from .site import Site

# See `hyperlite.crawling.driver`: what was asked for and is not written down.
AT_RISK = 1000


def finish(site: Site) -> None:
    """Run the crawl to its end, and check the output."""
    done = site.crawl()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{len(site.urls)} 0 0\n"
    site.check_output()


def test_killed_at_several_points_of_its_way(make_site: MakeSite) -> None:
    site = make_site(50, 24)
    shares = (0.05, 0.3, 0.6, 0.95)
    for number, share in enumerate(shares):
        before = site.refetched()
        done = site.crawl(kill_at=int(share * len(site.urls)))
        assert done.returncode == -signal.SIGKILL
        assert site.refetched() - before <= AT_RISK, number
        assert not site.output.exists()
    finish(site)
    assert site.refetched() <= AT_RISK * len(shares)


@pytest.mark.parametrize(
    "die",
    [
        ("commit", 2),  # of the copy of the input
        ("committed", 5),
        ("commit", 7),
        ("insert", 4),
        ("write", 3),
        ("fsync", 9),
        ("replace", 1),
        ("replaced", 1),
    ],
    ids=lambda die: f"{die[0]}-{die[1]}",
)
def test_killed_in_the_middle_of_a_step(make_site: MakeSite, die: tuple[str, int]) -> None:
    site = make_site(8, 100)
    done = site.crawl(die=die)
    assert done.returncode == -signal.SIGKILL, done.stderr
    finish(site)
    assert site.refetched() <= AT_RISK
    connection = sqlite3.connect(site.state / "state.sqlite3")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("SELECT how FROM runs").fetchall()[-1] == ("finished",)
    connection.close()


def test_what_no_kill_has_hit_is_fetched_once(make_site: MakeSite) -> None:
    site = make_site(10, 50)
    finish(site)
    assert site.refetched() == 0
    finish(site)  # there is nothing left to do
    assert len(site.asked()) == site.asked().total() == len(site.urls)
