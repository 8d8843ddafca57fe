"""httpretty: the answers that it makes up come; when it is off again HTTP/2 is spoken."""

from hyperlite.testing.server import Server

from .conftest import Run, need


def test_made_up(compare: Run, server: Server) -> None:
    need("httpretty")
    outcome = compare("call_httpretty", server)
    assert outcome.protocols == {"h2"}  # of the request that was made after httpretty
    assert outcome.result == {
        "made up": [[200, "up", "made up", "POST", "/made-up?n=1", "here", "a=1"], [203, "page"]],
        "afterwards": "/report",
    }
