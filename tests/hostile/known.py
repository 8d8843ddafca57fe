"""What is known to fail: by case, or by "case/engine", "case/transport" or "case/engine/transport".

A case that is listed and passes fails the suite: a commit that mends a case strikes it off.
"""

KNOWN: dict[str, str] = {}


def known(case: str, engine: str, over: str) -> str | None:
    """Return why a case is known to fail, if it is."""
    keys = (case, f"{case}/{engine}", f"{case}/{over}", f"{case}/{engine}/{over}")
    return next((KNOWN[key] for key in keys if key in KNOWN), None)
