"""vcrpy: requests of http.client and of urllib.request that a cassette records, and then plays."""

import http.client
import json
import os
import ssl
import tempfile
import urllib.request
from typing import Any

import vcr
import yaml


def _urllib_request(options: dict[str, Any], context: ssl.SSLContext) -> list[Any]:
    """Make a GET and a POST."""
    answers = []
    for body in (None, b"a=1"):
        with urllib.request.urlopen(f"{options['url']}/report", body, context=context) as response:
            seen = json.load(response)
            answers.append([response.status, response.headers["content-type"], seen["method"], seen["body"]])
    return answers


def _http_client(options: dict[str, Any], context: ssl.SSLContext) -> list[Any]:
    """Make three requests on one connection, one of them by its parts."""
    conn = http.client.HTTPSConnection("localhost", options["port"], context=context)
    conn.request("GET", "/report?n=1", headers={"X-Mark": "here"})
    response = conn.getresponse()
    answers: list[Any] = [response.status, json.load(response)["mark"]]
    conn.putrequest("POST", "/report")
    conn.putheader("Content-Length", "3")
    conn.endheaders()
    conn.send(b"one")
    answers.append(json.load(conn.getresponse())["body"])
    conn.request("GET", "/missing")
    response = conn.getresponse()
    answers += [response.status, response.getheader("x-why"), response.read().decode()]
    conn.close()
    return answers


def call(options: dict[str, Any]) -> dict[str, Any]:
    """Make the requests with an empty cassette, and again with the full one."""
    context = ssl.create_default_context(cafile=options["ca_file"])
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "cassette.yaml")
        rounds, played = [], []
        for mode in (vcr.mode.ONCE, vcr.mode.NONE):
            with vcr.use_cassette(path, record_mode=mode) as cassette:
                rounds.append([_urllib_request(options, context), _http_client(options, context)])
                played.append(cassette.play_count)
        with open(path) as file:
            kept = yaml.safe_load(file)["interactions"]
    return {
        "recorded": rounds[0],
        "played": rounds[1],
        "counts": played,
        "kept": [[one["request"]["method"], one["response"]["status"]] for one in kept],
    }
