"""Pictures of terminals for the README and the site, of real output: `python -m tests.docs.pictures`.

They are SVG, and load no fonts. Each shows a command line and what it printed on a terminal.
"""

import io
import os
import pty
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from .pages import DOCS, ROOT

COLUMNS = 88
# Dark on both light and dark pages, as terminals are.
THEME = TerminalTheme(
    (22, 27, 34),
    (201, 209, 217),
    [
        (72, 79, 88),
        (255, 123, 114),
        (126, 231, 135),
        (210, 153, 34),
        (121, 192, 255),
        (210, 168, 255),
        (118, 227, 234),
        (201, 209, 217),
    ],
)
SVG = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;

  font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""


def on_a_terminal(command: str, folder: Path, seconds: float | None = None) -> str:
    """Return what a command prints on a terminal, as it stands there in the end.

    Args:
        command: the command line.
        folder: where it runs.
        seconds: after these it is killed.
    """
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        taken = {"TERM": "xterm-256color", "SSL_CERT_FILE": "ca.pem", "PYTHONPATH": str(ROOT)}
        os.execve(sys.executable, [sys.executable, *words(command)], os.environ | taken)
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    if seconds is not None:
        signal.signal(signal.SIGALRM, lambda *_: os.kill(process, signal.SIGKILL))
        signal.setitimer(signal.ITIMER_REAL, seconds)
    printed = b""
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # the end of a terminal, on Linux
            break
        printed += data
    os.waitpid(process, 0)
    os.close(terminal)
    lines = printed.decode().replace("\r\n", "\n").split("\n")
    return "\n".join(line.rpartition("\r")[2].replace("\x1b[K", "") for line in lines)


def words(command: str) -> list[str]:
    """Return the arguments of `python` for a command line of hyperlite."""
    return ["-m", *shlex.split(command)]


def draw(name: str, title: str, text: str) -> None:
    """Write a picture."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(text.rstrip("\n")), soft_wrap=True)
    picture = console.export_svg(title=title, theme=THEME, code_format=SVG, unique_id=name)
    (DOCS / "_static" / f"{name}.svg").write_text(re.sub(r"[ \t]+\n", "\n", picture))


def typed(command: str) -> str:
    """Return a command line as it stands on a terminal."""
    return f"\x1b[1m$ {command}\x1b[0m\n"


@contextmanager
def shop(folder: Path, *options: str) -> Iterator[None]:
    """Run the bookstore."""
    server = subprocess.Popen(
        [sys.executable, *words("hyperlite serve --port 8443 --write-ca ca.pem -q"), *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    while "try: " not in server.stdout.readline():
        pass
    try:
        yield
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    """Draw them all."""
    folder = Path(tempfile.mkdtemp())
    with shop(folder):
        command = "hyperlite --frames -o book.json 'https://localhost:8443/book?id=7'"
        draw("frames", "hyperlite --frames", typed(command) + on_a_terminal(command, folder))
    (folder / "urls.txt").write_text("".join(f"https://localhost:8443/book?id={n}\n" for n in range(3000)))
    with shop(folder, "--latency", "40"):
        command = "hyperlite crawl urls.txt --output books.jsonl --per-host 50 --ignore-robots"
        killed = on_a_terminal(command, folder, 2.5)
        again = on_a_terminal(command, folder)
        draw(
            "crawl",
            "hyperlite crawl",
            f"{typed(command)}{killed.rstrip()}\nKilled\n{typed(command)}{again}",
        )
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
