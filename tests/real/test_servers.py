"""That the servers themselves are to be relied on: what is missing is seen, what is started is stopped."""

import os
from pathlib import Path

import pytest

from . import servers
from .servers import Block, Nginx, Process, Site, find_program


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_a_missing_server_is_seen(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(servers, "PLACES", ("/no/such/directory",))
    with pytest.raises(outcome, match="apt install nghttp2-server"):
        find_program("nghttpd", "nghttp2-server")


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    server = Nginx(tmp_path, tmp_path, {"only": Block("nonsense;")})
    with pytest.raises(AssertionError, match='unknown directive "nonsense"'), server:
        pass


def test_a_server_that_will_not_stop_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ready = tmp_path / "ready"
    script = f"trap '' TERM; touch {ready}; exec sleep 1000"
    with Process(["sh", "-c", script], tmp_path / "log") as process:
        assert process.wait_until(ready.exists)
        monkeypatch.setattr(servers, "PATIENCE", 0.1)
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_nginx_is_stopped_and_started_on_the_same_port(tmp_path: Path) -> None:
    def read(site: Site) -> bytes:
        with site.connect() as conn:
            return conn.getresponse(conn.request("GET", "/")).read()

    with Nginx(tmp_path, tmp_path, {"only": Block("return 200 here;")}) as server:
        assert read(server.sites["only"]) == b"here"
        server.stop()
        server.start()
        assert read(server.sites["only"]) == b"here"
