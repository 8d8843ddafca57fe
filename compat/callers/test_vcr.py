"""vcrpy: it records what comes over HTTP/2, and plays it."""

from hyperlite.testing.server import Server

from .conftest import Run, need


def test_recorded_and_played(compare: Run, server: Server) -> None:
    need("vcr")
    outcome = compare("call_vcr", server)
    assert outcome.protocols == {"h2"}
    result = outcome.result
    recorded = [
        [[200, "application/json", "GET", ""], [200, "application/json", "POST", "a=1"]],
        [200, "here", "one", 404, "none", "no such thing"],
    ]
    assert result["recorded"] == result["played"] == recorded
    assert result["counts"] == [0, 5]
    assert len(result["kept"]) == 5
