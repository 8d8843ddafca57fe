"""The pages in docs/migration/: their examples run, and what their tables name is there.

`test_hyper_page.py` is about hyper's.
"""

import inspect
import re
from pathlib import Path

import pytest

import hyperlite
from hyperlite.fetching.arguments import FetchArguments, ManyArguments
from hyperlite.pool import default_pool
from hyperlite.testing.server import Response
from tests.conftest import ROUTES, Serve

from .pages import DOCS
from .test_documents import examples, here

PAGES = [path for path in sorted((DOCS / "migration").glob("*.md")) if path.stem not in ("hyper", "index")]
# Errors of Python's, functions of others, and words that stand for an argument.
NAMES_OF_OTHERS = {
    *["ConnectionRefusedError", "TimeoutError", "encode_multipart_formdata", "parse", "urlencode", "urllib"],
    *["SSLContext", "ssl", "urllib3", "False", "True"],
    *["host", "id", "method", "n", "url", "urls"],
}


def public() -> set[str]:
    """Return the names that a program may use: of the package, of its objects, of their arguments."""
    found = {*hyperlite.__all__, *FetchArguments.__annotations__, *ManyArguments.__annotations__}
    for name in hyperlite.__all__:
        thing = getattr(hyperlite, name)
        found |= {part for part in dir(thing) if not part.startswith("_")}
        calls = [thing, *(getattr(thing, part) for part in dir(thing) if not part.startswith("_"))]
        for call in filter(callable, calls):
            try:
                found |= inspect.signature(call).parameters.keys()
            except ValueError:
                continue  # a type of Python's own
    return found


KNOWN = public() | NAMES_OF_OTHERS
CELLS = [
    pytest.param(cell, id=f"{page.stem}: {cell[:40]}")
    for page in PAGES
    for cell in re.findall(r"^\|.*\| (.*) \|$", page.read_text(), re.MULTILINE)
    if "`" in cell
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples(
    page: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve(routes=ROUTES | {"/": lambda _: Response(body=b"hello")})
    monkeypatch.setenv("SSL_CERT_FILE", server.ca_file)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", server.ca_file)
    names: dict[str, object] = {}
    found = examples(f"migration/{page.stem}")
    assert found
    try:
        for example, expected in found:
            exec(compile(here(example, server), page, "exec"), names)
            assert capsys.readouterr().out == (expected or "")
    finally:
        default_pool().close()


@pytest.mark.parametrize("cell", CELLS)
def test_what_a_table_names_is_there(cell: str) -> None:
    for code in re.findall(r"`([^`]+)`", cell):
        without_values = re.sub(r"\"[^\"]*\"", "", code)
        assert set(re.findall(r"[A-Za-z_]\w*", without_values)) <= KNOWN, code
