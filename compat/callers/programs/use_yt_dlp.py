"""Download clips: whole, in ranges, resumed, behind a page, by a playlist, and one refused."""

import contextlib
import hashlib
import os
import sys
import tempfile

import yt_dlp

url = sys.argv[1]


def run(*arguments: str) -> None:
    """Run the program; print its status and what it has written."""
    with contextlib.suppress(SystemExit):
        yt_dlp.main(
            [
                "--ignore-config",
                "--compat-options",
                "no-certifi",
                "--user-agent",
                "tester",
                "--no-cache-dir",
                "--no-progress",
                "-o",
                "%(id)s.%(ext)s",
                *arguments,
            ]
        )
    for name in sorted(os.listdir()):
        with open(name, "rb") as file:
            print(name, os.path.getsize(name), hashlib.sha256(file.read()).hexdigest()[:16])
        if not name.endswith(".part"):
            os.unlink(name)


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    sys.stderr = sys.stdout
    run(f"{url}/clip.mp4")
    run("--http-chunk-size", "100K", f"{url}/moved")
    with open("clip.mp4.part", "wb") as part:
        part.write(bytes(range(256)) * 100)
    run("--continue", f"{url}/clip.mp4")
    run("-N", "3", "--fixup", "never", "--hls-prefer-native", f"{url}/list.m3u8")
    run("--print", "title", "--no-simulate", "-q", f"{url}/page")
    run("--retries", "0", f"{url}/forbidden.mp4")
    os.chdir("/")
