"""pip: `pip download` from the index that the options name."""

from pathlib import Path
from typing import Any

from pip._internal.cli.main import main


def call(options: dict[str, Any]) -> dict[str, Any]:
    """Download a project into a folder; returns pip's exit status and what lies there."""
    folder = Path(options["folder"])
    status = main(
        [
            "download",
            "--quiet",
            "--no-deps",
            "--no-cache-dir",
            "--disable-pip-version-check",
            "--retries=0",
            f"--index-url={options['url']}/simple/",
            f"--cert={options['ca_file']}",
            f"--dest={folder}",
            options["project"],
        ]
    )
    return {"status": status, "files": {path.name: path.stat().st_size for path in folder.iterdir()}}
