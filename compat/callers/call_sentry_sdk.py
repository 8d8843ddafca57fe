"""sentry-sdk: the spans that its patches of http.client make of a few requests."""

import json
import ssl
import urllib.request
from typing import Any

import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport


class _Kept(Transport):
    """Keeps what would be sent to Sentry."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.events += [item.payload.json for item in envelope.items if item.type == "transaction"]


def _urllib_request(options: dict[str, Any]) -> list[Any]:
    context = ssl.create_default_context(cafile=options["ca_file"])
    marks = []
    for body in (None, b"a=1"):
        with urllib.request.urlopen(f"{options['url']}/traced", body, context=context) as response:
            marks.append(json.load(response))
    return marks


def _urllib3(options: dict[str, Any]) -> list[Any]:
    import urllib3  # noqa: PLC0415 (one of the libraries needs it)

    with urllib3.PoolManager(ca_certs=options["ca_file"]) as pool:
        return [
            pool.request(method, f"{options['url']}/traced", body=body).json()
            for method, body in (("GET", None), ("POST", b"a=1"))
        ]


def call(options: dict[str, Any]) -> dict[str, Any]:
    """Make requests by the library that the options name, in a transaction."""
    kept = _Kept()
    sentry_sdk.init(
        dsn="https://key@localhost/1",
        transport=kept,
        traces_sample_rate=1.0,
        auto_enabling_integrations=False,
    )
    if options.get("install_late"):
        from hyperlite.installing import install  # noqa: PLC0415 (sentry-sdk comes first here)

        install()
    with sentry_sdk.start_transaction(name="calls") as transaction:
        traced = {"urllib.request": _urllib_request, "urllib3": _urllib3}[options["library"]](options)
    (event,) = kept.events
    return {
        "spans": [
            [span["op"], span["description"], span["data"]["http.response.status_code"]]
            for span in event["spans"]
        ],
        "traced": [mark["trace"].startswith(transaction.trace_id) for mark in traced],
        "bodies": [mark["body"] for mark in traced],
    }
