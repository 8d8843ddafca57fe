"""A way in which a case is run: a module in the place of http.client, and a server."""

from typing import Any

from hyperlite.testing.server import Server

from .observe import Case, run


class Way:
    """Runs cases; those that need no connection of their own come one after the other on one that all share.

    A connection costs several times what a request does. One that a case has spoilt is not used again.

    Args:
        module: http.client, or what takes its place.
        server: what it talks to.
    """

    def __init__(self, module: Any, server: Server) -> None:
        self._module = module
        self._port = server.port
        self._context = server.context()
        self._shared: Any = None

    def __call__(self, case: Case) -> dict[str, Any]:
        """Run a case and return what it showed."""
        if case.alone or self._shared is None:
            conn = self._module.HTTPSConnection(
                "localhost", self._port, context=self._context, timeout=case.timeout
            )
        else:
            conn, self._shared = self._shared, None
        seen = run(case, conn)
        if case.alone or seen["next request"] != 200:
            conn.close()
        else:
            self._shared = conn
        return seen

    def close(self) -> None:
        """Close the connection that is shared."""
        if self._shared is not None:
            self._shared.close()
