"""s3cmd: its command line, with objects small, behind `Expect: 100-continue`, and in several parts."""

import http.client
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_SPEED = re.compile(r"in [0-9.]+ seconds, [0-9.]+ \S+/s")
S3CMD = Path(sys.executable).parent / "s3cmd"


def call(options: dict[str, Any]) -> list[Any]:
    """Make a bucket, put objects there, list them, get them back, and remove all."""
    host = f"localhost:{options['port']}"
    hyperlite = ["-m", "hyperlite", "run"] if http.client.__file__.endswith("hyperlite/client.py") else []
    settings = {
        "access_key": "key",
        "secret_key": "secret",
        "host": host,
        "host-bucket": host,
        "ca-certs": options["ca_file"],
        "region": "us-east-1",
        "multipart-chunk-size-mb": "5",
    }
    environment = os.environ | {
        "PYTHONWARNINGS": "ignore"
    }  # s3cmd leaves its files to the interpreter to close
    with tempfile.TemporaryDirectory() as folder:
        small, large, back, config = (Path(folder, name) for name in ("small", "large", "back", "config"))
        config.write_text("[default]\nuse_http_expect = True\n")
        command = [sys.executable, *hyperlite, str(S3CMD), f"--config={config}", "--no-progress"]
        command += [f"--{name}={value}" for name, value in settings.items()]
        small.write_bytes(b"small")
        large.write_bytes(b"0123456789abcdef" * (6 << 16))  # 6 MiB: in two parts
        done = []
        for words in (
            ["mb", "s3://books"],
            ["put", str(small), "s3://books/small"],
            ["put", str(large), "s3://books/large"],
            ["ls", "s3://books"],
            ["info", "s3://books/small"],
            ["get", "--force", "s3://books/large", str(back)],
            ["get", "s3://books/missing", str(back)],
            ["del", "s3://books/small", "s3://books/large"],
            ["rb", "s3://books"],
        ):
            ran = subprocess.run(
                [*command, *words], capture_output=True, text=True, check=False, env=environment
            )
            text = (ran.stdout + ran.stderr).replace(folder, "FOLDER").replace(host, "HOST")
            done.append([words[0], ran.returncode, _SPEED.sub("", text)])
        return [done, back.read_bytes() == large.read_bytes()]
