"""A crawl in a process of its own, which kills itself at a chosen moment: run as a module.

    python -m tests.crawling.child '{"urls": "urls.txt", "output": "out.jsonl", "die": ["commit", 3]}'

`die` names a call that the crawl makes, and the how manyth of these ends the process by SIGKILL:

- "commit", "committed": just before, and just after, a transaction of the state is committed
- "insert": within a transaction, after the manifest has changed
- "write": half of what is written to a part, or to its statuses, is written
- "fsync": before the disk has it
- "replace", "replaced": just before, and just after, the output takes its name
"""

import itertools
import json
import os
import resource
import signal
import sqlite3
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import hyperlite
from hyperlite.crawling import state
from hyperlite.crawling.executors import dask, processes


def main() -> None:
    given: dict[str, Any] = json.loads(sys.argv[1])
    if "die" in given:
        arm(*given.pop("die"))
    if limit := given.pop("largest_file", None):
        sys.dont_write_bytecode = True  # or else modules would be cut off as well
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    state.ROWS = given.pop("rows", state.ROWS)
    urls = given.pop("urls")
    if name := given.pop("executor", None):
        given["executor"] = executor(name, given.pop("scheduler", ""))
    if scope := given.pop("scope", None):
        given["follow"] = hyperlite.CrawlScope(**scope)
    try:
        summary = hyperlite.crawl(urls, resolver=resolve, verify=False, **given)
    except (OSError, KeyboardInterrupt) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    print(summary.urls, summary.left, summary.failed)


def executor(name: str, scheduler: str) -> Any:
    """Return two workers of a kind, as `crawl()` takes them."""
    if name == "loky":
        from loky import get_reusable_executor  # noqa: PLC0415  an import that costs

        return lambda: get_reusable_executor(2)
    kinds = {
        "threads": lambda: ThreadPoolExecutor(2),
        "processes": processes(2),
        "dask": dask(scheduler),
    }
    return kinds[name]


def resolve(host: str, _port: int) -> list[str] | None:
    """Have all names below .test lead to the server of the tests."""
    return ["127.0.0.1"] if host.endswith(".test") else None


def arm(where: str, number: int) -> None:
    calls = itertools.count(1)

    def is_it() -> bool:
        return next(calls) == number

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def around(real: Callable[..., Any], *, after: bool = False) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            strikes = is_it()
            if strikes and not after:
                die()
            result = real(*arguments)
            if strikes:
                die()
            return result

        return call

    def half(descriptor: int, data: memoryview) -> int:
        if isinstance(data, memoryview) and is_it():
            write(descriptor, data[: len(data) // 2])
            die()
        return write(descriptor, data)

    write = os.write
    if where == "fsync":
        os.fsync = around(os.fsync)
    elif where == "write":
        os.write = half  # type: ignore[assignment]
    elif where in {"replace", "replaced"}:
        os.replace = around(os.replace, after=where == "replaced")
    else:
        _arm_database(where, is_it, die)


def _arm_database(where: str, is_it: Callable[[], bool], die: Callable[[], None]) -> None:
    class Dying(sqlite3.Connection):
        def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
            concerned = statement.startswith("INSERT INTO parts" if where == "insert" else "COMMIT")
            strikes = concerned and is_it()
            if strikes and where == "commit":
                die()
            result = super().execute(statement, *values)
            if strikes:
                die()
            return result

    connect = sqlite3.connect
    sqlite3.connect = lambda *arguments, **options: connect(  # type: ignore[assignment]
        *arguments, **options, factory=Dying
    )


if __name__ == "__main__":
    main()
