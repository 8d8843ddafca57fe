"""`pip download` stays on HTTP/1.1, from an index on the embedded server."""

import io
import zipfile
from pathlib import Path

from hyperlite.testing.server import Response

from .conftest import Run, Serve, need

WHEEL = "demo-1.0-py3-none-any.whl"
PAGE = f'<!DOCTYPE html><html><body><a href="/files/{WHEEL}">{WHEEL}</a></body></html>'.encode()


def wheel() -> bytes:
    """Return the smallest wheel that pip takes for one, and some weight."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("demo.py", "# weight\n" * 200_000)
        about = "demo-1.0.dist-info"
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: us\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")
    return file.getvalue()


def test_download(run: Run, serve: Serve, tmp_path: Path) -> None:
    need("pip")
    content = wheel()
    server = serve(
        {
            "/simple/demo/": lambda _: Response(headers=[("content-type", "text/html")], body=PAGE),
            f"/files/{WHEEL}": lambda _: Response(body=content),
        }
    )
    outcomes = {}
    for client in ("hyperlite", "stock"):
        folder = tmp_path / client
        folder.mkdir()
        outcomes[client] = run("call_pip", server, client, project="demo", folder=str(folder))
        assert (folder / WHEEL).read_bytes() == content
    assert outcomes["hyperlite"].protocols == {"http/1.1"}
    assert outcomes["hyperlite"].result == {"status": 0, "files": {WHEEL: len(content)}}
    assert outcomes["hyperlite"].result == outcomes["stock"].result
    assert outcomes["hyperlite"].requests == outcomes["stock"].requests
