"""The tests of requests that are lost with HTTP20Adapter, and why: none."""

# By name, without the module; the reason can only be that the test pokes at a private detail of urllib3.
LOST: dict[str, str] = {}
