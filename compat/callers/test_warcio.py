"""warcio: the mere import puts a class of its own in the place of http.client's HTTPConnection."""

from hyperlite.testing.server import Server

from .conftest import Run, need


def test_captured(compare: Run, server: Server) -> None:
    """As under http.client, it captures what urllib3 sends, whose connections come from that class."""
    need("warcio", "urllib3")
    outcome = compare("call_warcio", server)
    assert [(protocol, target.partition("=")[2]) for protocol, *_, target in outcome.log] == [
        ("h2", "http.client"),
        ("h2", "urllib"),
        ("http/1.1", "urllib3"),
    ]
    assert outcome.result["captured"] == [["response", "?by=urllib3"], ["request", "?by=urllib3"]]
