"""Try capabilities with a server: python -m compat.servers.probe CLIENT-IN-JSON CAPABILITY...

The engine is that of HYPERLITE_ENGINE. What came of each is printed, a line of JSON each.
"""

import json
import sys
import traceback

from .capabilities import BY_NAME
from .client import NotOffered, Seen, client


def main(description: str, *names: str) -> None:
    """Try one after the other."""
    for name in names:
        asking = client(description)
        asking.seen = Seen()
        try:
            outcome, remark = "pass", BY_NAME[name].try_(asking) or ""
        except NotOffered as missing:
            outcome, remark = "not offered", str(missing)
        except Exception as error:  # whatever it is, it is the result
            outcome, remark = "fail", f"{type(error).__name__}: {error}"
            traceback.print_exc()
        print(json.dumps([name, outcome, remark]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
