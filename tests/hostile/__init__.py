"""What hostile and broken servers do, one named case each, and what hyperlite makes of it.

- `case.py`: what a case is; the `cases_*.py` declare them, by section.
- `line.py`: the misbehaving server: raw frames, or raw bytes, on a real socket in a thread.
- `run.py`: runs one case over one engine and one transport, and judges it.
- `known.py`: what is known to fail, with the reason.

`make hostile` prints the table: case, outcome, time, memory.
"""
