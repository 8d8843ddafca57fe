"""The tests of requests that are lost with HTTP20Adapter, and why."""

# (the part of the name behind the last "::", over which protocols): why.
LOST: dict[str, str] = {}
