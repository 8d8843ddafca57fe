"""Run in an interpreter of its own: one test module of the standard library, its outcomes as JSON lines.

It is started as a file, by interpreters that know nothing of the project, and imports hyperlite only if it is
to be put in the place of http.client: what the baseline measures is the standard library alone.
"""

import argparse
import faulthandler
import importlib
import inspect
import json
import re
import sys
import unittest
from collections.abc import Callable, Iterator
from typing import Any, TextIO

# What `python -m test` may use without being told: no network, nothing that takes gigabytes.
RESOURCES = ["cpu", "subprocess", "walltime"]
OK, SKIP, FAIL, ERROR = "ok", "skip", "fail", "error"
SEVERITY = [OK, SKIP, FAIL, ERROR]
HTTP_CODE = re.compile(r"http\.client|http\.server|HTTPSConnection|make_https_server|urlopen")


class Reporter(unittest.TextTestResult):
    """Writes each test's outcome as soon as it is known, its sub-tests folded into it: the worst counts."""

    report: TextIO
    _running = False  # 3.12.1 does not start a skipped test, but stops it
    _worst: str | None = None

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802
        super().startTest(test)
        self._running, self._worst = True, None

    def stopTest(self, test: unittest.TestCase) -> None:  # noqa: N802
        if self._running:
            self._write(test, self._worst or ERROR)
        self._running = False
        super().stopTest(test)

    def addSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802
        super().addSuccess(test)
        self._note(test, OK)

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:  # noqa: N802
        super().addSkip(test, reason)
        self._note(test, SKIP)

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        super().addFailure(test, err)
        self._note(test, FAIL)

    def addError(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        super().addError(test, err)
        self._note(test, ERROR)

    def addExpectedFailure(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        super().addExpectedFailure(test, err)
        self._note(test, OK)

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802
        super().addUnexpectedSuccess(test)
        self._note(test, FAIL)

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:  # noqa: N802
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._note(test, FAIL if issubclass(err[0], test.failureException) else ERROR)

    def _note(self, test: unittest.TestCase, outcome: str) -> None:
        if not self._running:  # a class's or a module's fixture
            self._write(test, outcome)
        elif self._worst is None or SEVERITY.index(outcome) > SEVERITY.index(self._worst):
            self._worst = outcome

    def _write(self, test: unittest.TestCase, outcome: str) -> None:
        print(json.dumps({"test": test.id(), "outcome": outcome}), file=self.report, flush=True)


def flatten(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    """Return the tests in the order in which they would run."""
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flatten(item)
        else:
            yield item


def uses_http(test: unittest.TestCase) -> bool:
    """Tell whether a test's own code opens a URL, or talks to or as an HTTP server."""
    method = getattr(test, getattr(test, "_testMethodName", ""), None)
    return method is not None and bool(HTTP_CODE.search(inspect.getsource(method)))


def is_http_handler(test: unittest.TestCase) -> bool:
    """Tell whether a test of logging is about its HTTP handler."""
    return type(test).__name__.startswith("HTTPHandler")


# The modules of which only a part is about HTTP.
PARTS: dict[str, Callable[[unittest.TestCase], bool]] = {
    "test_logging": is_http_handler,
    "test_ssl": uses_http,
}


def select(module: str, only: str | None) -> unittest.TestSuite:
    """Load a module's tests: the part of it that counts, or one test."""
    tests = flatten(unittest.defaultTestLoader.loadTestsFromName(f"test.{module}"))
    wanted = PARTS.get(module, lambda _test: True)
    chosen = [test for test in tests if type(test).__name__ == "_FailedTest" or wanted(test)]
    return unittest.TestSuite(test for test in chosen if only is None or test.id() == only)


def put_in_place(root: str) -> Callable[[], bool]:
    """Put hyperlite in the place of http.client; returns what tells whether it is there."""
    sys.path.insert(0, root)
    client = importlib.import_module("hyperlite.client")
    importlib.import_module("hyperlite.installing").install()

    def in_place() -> bool:
        http = importlib.import_module("http")
        return sys.modules["http.client"] is client and vars(http)["client"] is client

    return in_place


def main() -> None:
    """Run the module; the exit status says nothing of its tests."""
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("report")
    parser.add_argument("--hyperlite", metavar="ROOT", help="where the package is that replaces http.client")
    parser.add_argument("--only", metavar="ID", help="run this test only")
    parser.add_argument("--limit", type=float, default=300, help="seconds after which to show where it hangs")
    options = parser.parse_args()
    sys.argv[1:] = []  # some tests read it

    faulthandler.dump_traceback_later(options.limit)
    in_place = put_in_place(options.hyperlite) if options.hyperlite else lambda: False
    support: Any = importlib.import_module("test.support")
    support.use_resources = RESOURCES
    support.verbose = 0
    with open(options.report, "w", encoding="utf-8") as report:
        Reporter.report = report
        suite = select(options.module, options.only)
        unittest.TextTestRunner(sys.stderr, verbosity=2, resultclass=Reporter).run(suite)
        print(json.dumps({"end": True, "hyperlite": in_place()}), file=report, flush=True)


if __name__ == "__main__":
    main()
