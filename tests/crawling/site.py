"""A site of many hosts on one server, which keeps a log, and can kill a crawl of it on its way."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hyperlite.testing.server import Request, Response, Server

# What is asked for beside the pages.
OTHERS = ("/moved", "/robots.txt")


class Site:
    """`hosts` hosts below .test with `each` pages each: some redirect, some fail, one host is slow.

    Args:
        folder: for the list of URLs and the output.
        slow: seconds that the slow host waits.
        robots: the robots.txt of each host; None: there is none.
    """

    def __init__(
        self, folder: Path, hosts: int, each: int, *, slow: float = 0.01, robots: bytes | None = None
    ) -> None:
        self._hosts = hosts
        self._slow = slow
        self._robots = robots
        self._seen: set[str] = set()
        self._victims: list[tuple[int, Callable[[], int], int]] = []
        self.server = Server(self._answer)
        self.urls = [
            f"https://h{host}.test:{self.server.port}/h{host}/{page}"
            for page in range(each)
            for host in range(hosts)
        ]
        self.list = folder / "urls.txt"
        self.list.write_text("\n".join(self.urls))
        self.output = folder / "out.jsonl"
        self.state = folder / "out.jsonl.state"

    def _answer(self, request: Request) -> Response:
        if not request.path.endswith(OTHERS):
            self._seen.add(request.path)
        if self._victims and len(self._seen) >= self._victims[0][0]:
            _, process, by = self._victims.pop(0)
            os.kill(process(), by)
        if request.path == "/robots.txt":
            return Response(404) if self._robots is None else Response(body=self._robots)
        host, _, page = request.path.removeprefix("/h").partition("/")
        if page.isdigit() and int(page) % 25 == 3:
            return Response(302, headers=[("location", f"{request.path}/moved")])
        status = 500 if is_broken(request.path) else 200
        delay = self._slow if host == "0" else 0.0
        kind = ("content-type", "text/plain; charset=utf-8")
        return Response(status, headers=[kind], body=f"{request.path} läßt\n".encode() * 10, delay=delay)

    @property
    def seen(self) -> int:
        """How many pages were asked for."""
        return len(self._seen)

    def kill(self, process: Callable[[], int], *at: int, by: int = signal.SIGKILL) -> None:
        """Kill a process when so many pages were asked for.

        Args:
            process: returns its id.
            at: the numbers of pages, from the least.
            by: the signal.
        """
        self._victims = [(one, process, by) for one in at]

    def arguments(self, **given: Any) -> str:
        """Return the argument of `tests.crawling.child`."""
        return json.dumps({"urls": str(self.list), "output": str(self.output)} | given)

    def crawl(
        self, *, kill_at: int | None = None, kill_by: int = signal.SIGKILL, **given: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run the crawl in a process of its own; kill it when so many pages were asked for."""
        command = [sys.executable, "-m", "tests.crawling.child", self.arguments(**given)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
            if kill_at is not None:
                self.kill(lambda: child.pid, kill_at, by=kill_by)
            out, err = child.communicate(timeout=100)
            self._victims = []
        return subprocess.CompletedProcess(command, child.returncode, out, err)

    def asked(self) -> Counter[str]:
        """Return how often each page was asked for, but for what redirects lead to."""
        return Counter(target for _, _, _, target in self.server.log if not target.endswith(OTHERS))

    def refetched(self) -> int:
        """Return how many requests for pages there were beyond one for each."""
        asked = self.asked()
        return asked.total() - len(asked)

    def records(self) -> list[dict[str, Any]]:
        """Return the records of the output."""
        with open(self.output, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def check_output(self) -> None:
        """Check that each URL is in the output once, and has what the server sent."""
        records = self.records()
        assert len(records) == len(self.urls)
        assert {record["url"] for record in records} == set(self.urls)
        for record in records:
            check(record)


def check(record: dict[str, Any]) -> None:
    """Check that a record has what the server sent."""
    target = "/" + record["final_url"].split("/", 3)[3]
    assert record["body"] == f"{target} läßt\n" * 10
    assert record["status"] == (500 if is_broken(target) else 200)
    assert record["error"] is None


def is_broken(target: str) -> bool:
    """Tell whether a page is one of the one in a hundred that fail."""
    page = target.rpartition("/")[2]
    return page.isdigit() and int(page) % 100 == 7
