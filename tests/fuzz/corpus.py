"""The inputs in the repository: a file for each target, a line for each input, which has a name.

A name that begins with "find-" is that of an input that has broken a promise; a test has its name, too.
"""

import base64
from pathlib import Path

FOLDER = Path(__file__).with_name("corpus")


def load(target: str) -> dict[str, bytes]:
    """Return the inputs of a target, by name."""
    path = FOLDER / f"{target}.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return {name: base64.b64decode(code) for name, code in (line.split("\t") for line in lines)}


def save(target: str, inputs: dict[str, bytes]) -> None:
    """Write the inputs of a target."""
    lines = [f"{name}\t{base64.b64encode(data).decode()}\n" for name, data in sorted(inputs.items())]
    (FOLDER / f"{target}.txt").write_text("".join(lines))
