"""The observers in docs/examples write what HAR 1.2, OpenTelemetry and Prometheus want, of real requests."""

import datetime as dt
import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from hyperlite.testing import Request, Response, Server
from tests.conftest import Serve
from tests.real.runtimes import require_module

from .test_examples import alpn, run

__all__ = ["alpn"]

BODY = b"x" * 700
SECRET = "s3cret"


def served(serve: Serve, alpn: tuple[str, ...]) -> Server:
    """Return a server whose "/" leads to "/later", which is unavailable once."""
    asked: list[str] = []

    def route(request: Request) -> Response:
        asked.append(request.target)
        if request.target.startswith("/?"):
            cookies = [("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2")]
            return Response(302, headers=[("location", "/later"), *cookies])
        if asked.count("/later") == 1:
            return Response(503, headers=[("retry-after", "0")])
        return Response(body=BODY, headers=[("content-type", "text/plain")])

    return serve(routes=route, alpn=alpn)


def refused_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        return f"https://127.0.0.1:{closed.getsockname()[1]}/"


# -- HAR ------------------------------------------------------------------------------------------


def check_pairs(found: Any) -> None:
    assert all({"name", "value"} <= one.keys() for one in found)
    assert all(isinstance(value, str) for one in found for value in one.values())


def check_har(har: Any) -> list[Any]:
    """Check what HAR 1.2 says of each object: what it must have, and of which type. Return the entries."""
    log = har["log"]
    assert log["version"] == "1.2"
    assert all(isinstance(log["creator"][key], str) for key in ("name", "version"))
    for entry in log["entries"]:
        began = dt.datetime.fromisoformat(entry["startedDateTime"])
        assert began.tzinfo is not None
        assert entry["cache"] == {}
        times = entry["timings"]
        assert (
            {"send", "wait", "receive"} <= times.keys() <= {"blocked", "dns", "connect", "ssl"} | times.keys()
        )
        assert all(times[key] >= 0 for key in ("send", "wait", "receive"))
        assert all(value == -1 or value >= 0 for value in times.values())
        assert times["ssl"] <= times["connect"]
        known = sum(value for key, value in times.items() if value != -1 and key != "ssl")
        assert entry["time"] == pytest.approx(known)
        request, response = entry["request"], entry["response"]
        for part, texts in ((request, ("method", "url")), (response, ("statusText", "redirectURL"))):
            assert all(isinstance(part[key], str) for key in (*texts, "httpVersion"))
            assert all(isinstance(part[key], int) for key in ("headersSize", "bodySize"))
            check_pairs(part["cookies"])
            check_pairs(part["headers"])
        check_pairs(request["queryString"])
        assert isinstance(response["status"], int)
        assert isinstance(response["content"]["size"], int)
        assert isinstance(response["content"]["mimeType"], str)
    assert log["entries"] == sorted(log["entries"], key=lambda entry: entry["startedDateTime"])
    return list(log["entries"])


def test_har(serve: Serve, alpn: tuple[str, ...], tmp_path: Path) -> None:
    server, path = served(serve, alpn), tmp_path / "log.har"
    printed = run("har.py", server.url("/?a=1&b="), str(path), server.ca_file)
    assert printed == f"3 entries in {path}\n"
    first, second, third = check_har(json.loads(path.read_text()))
    assert first["request"]["queryString"] == [{"name": "a", "value": "1"}, {"name": "b", "value": ""}]
    assert first["request"]["method"] == "GET"
    assert first["response"]["redirectURL"] == "/later"
    assert [one["value"] for one in first["response"]["cookies"]] == ["1", "2"]
    assert [one["response"]["status"] for one in (first, second, third)] == [302, 503, 200]
    assert third["request"]["url"] == server.url("/later")
    assert third["response"]["content"] == {"size": 700, "mimeType": "text/plain"}
    assert third["response"]["httpVersion"] == ("HTTP/2" if alpn == ("h2",) else "HTTP/1.1")
    assert len({one["connection"] for one in (first, second, third)}) == 1
    assert first["serverIPAddress"] in {"127.0.0.1", "::1"}
    assert first["timings"]["connect"] >= first["timings"]["ssl"] > 0
    assert [third["timings"][key] for key in ("dns", "connect", "ssl")] == [-1, -1, -1]


def test_har_of_failures(tmp_path: Path) -> None:
    path = tmp_path / "log.har"
    printed = run("har.py", refused_url(), str(path))
    assert "connection refused" in printed
    entries = check_har(json.loads(path.read_text()))
    assert len(entries) > 1  # it was tried again
    for entry in entries:
        assert entry["response"]["status"] == 0
        assert "refused" in entry["_error"]
        assert "connection" not in entry


# -- OpenTelemetry --------------------------------------------------------------------------------


def spans_of(printed: str) -> list[Any]:
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


def test_tracing(serve: Serve, alpn: tuple[str, ...]) -> None:
    require_module("opentelemetry.sdk", "opentelemetry-sdk")
    server = served(serve, alpn)
    *requests, main = spans_of(run("tracing.py", server.url(f"/?token={SECRET}"), server.ca_file))
    assert main["name"] == "main"
    for span in requests:
        assert span["name"] == "GET"
        assert span["kind"] == "SpanKind.CLIENT"
        assert span["parent_id"] == main["context"]["span_id"]
        assert main["start_time"] <= span["start_time"] <= span["end_time"] <= main["end_time"]
        found = span["attributes"]
        assert found["http.request.method"] == "GET"
        assert (found["server.address"], found["server.port"]) == ("localhost", server.port)
        assert found["network.protocol.name"] == "http"
        assert found["network.protocol.version"] == ("2" if alpn == ("h2",) else "1.1")
        assert found["network.peer.port"] == server.port
    told = [span["attributes"] for span in requests]
    assert [one["url.full"] for one in told] == [server.url("/?token=…"), *[server.url("/later")] * 2]
    assert [one["http.response.status_code"] for one in told] == [302, 503, 200]
    assert [one.get("http.request.resend_count") for one in told] == [None, 1, 2]
    assert [one.get("error.type") for one in told] == [None, "503", None]
    assert [span["status"]["status_code"] for span in requests] == ["UNSET", "ERROR", "UNSET"]


def test_tracing_of_failures() -> None:
    require_module("opentelemetry.sdk", "opentelemetry-sdk")
    *requests, _ = spans_of(run("tracing.py", refused_url()))
    assert len(requests) > 1
    for count, span in enumerate(requests):
        assert span["attributes"]["error.type"].endswith("ConnectionRefusedError")
        assert span["attributes"].get("http.request.resend_count", 0) == count
        assert "http.response.status_code" not in span["attributes"]
        assert span["status"]["status_code"] == "ERROR"


# -- Prometheus -----------------------------------------------------------------------------------


def samples_of(printed: str) -> dict[str, float]:
    lines = [line.rpartition(" ") for line in printed.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines if "_created" not in name}


def test_metrics(serve: Serve, alpn: tuple[str, ...]) -> None:
    require_module("prometheus_client", "prometheus-client")
    server = served(serve, alpn)
    found = samples_of(run("metrics.py", server.url("/?a=1"), server.ca_file))
    for status in (302, 503, 200):
        assert found[f'http_client_requests_total{{host="localhost",method="GET",status="{status}"}}'] == 1
    assert found['http_client_retries_total{host="localhost",reason="503"}'] == 1
    assert found[f'http_client_connections_total{{host="localhost",protocol="{alpn[0]}"}}'] == 1
    assert found['http_client_received_bytes_total{host="localhost"}'] == 700
    assert found['http_client_request_seconds_count{host="localhost",method="GET"}'] == 3
    assert found['http_client_request_seconds_sum{host="localhost",method="GET"}'] > 0


def test_metrics_of_failures() -> None:
    require_module("prometheus_client", "prometheus-client")
    found = samples_of(run("metrics.py", refused_url(), complaint="[^\n]*connection refused[^\n]*\n"))
    [(name, count)] = [(name, value) for name, value in found.items() if "requests_total" in name]
    [retries] = [value for name, value in found.items() if "retries_total" in name]
    assert re.search('status="[A-Za-z]*ConnectionRefusedError"', name)
    assert count == retries + 1
