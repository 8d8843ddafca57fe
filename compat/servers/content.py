"""What every server serves: the files, and the numbers that requests and answers agree on.

| path | answer |
|---|---|
| `/small`, `/large`, `/text` | a file |
| `/echo` | JSON: `length` and `sha256` of the request's body, its `trailers`; or the body itself |
| `/fields` | JSON: `count`, of the request's fields `x-many-…`; a server of files has `/small` there |
| `/trailers` | a body, and behind it the trailer `checksum: abc` |
| `/refuse` | 413 as soon as more than a kilobyte is announced or has come |
"""

from pathlib import Path

SMALL = b"0123456789abcdef" * 64
LARGE = bytes(range(256)) * (16 << 10)
TEXT = b"".join(b"line %d of a text that gzip makes short\n" % number for number in range(1500))

FILES = {"small": SMALL, "large": LARGE, "text": TEXT}


def write_files(root: Path) -> Path:
    """Write the files that servers of files serve; returns their directory."""
    root.mkdir()
    names = {**FILES, "text.txt": TEXT, "fields": SMALL, "trailers": b"body"}
    for name, content in names.items():
        (root / name).write_bytes(content)
    return root
