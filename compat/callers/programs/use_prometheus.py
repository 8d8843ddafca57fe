"""Push, add to and delete metrics at a gateway, with a password and without; read what it has."""

import sys
import urllib.error
import urllib.request

from prometheus_client import (
    CollectorRegistry,
    Gauge,
    Histogram,
    delete_from_gateway,
    disable_created_metrics,
    push_to_gateway,
    pushadd_to_gateway,
)
from prometheus_client.exposition import basic_auth_handler

url = sys.argv[1]
disable_created_metrics()
registry = CollectorRegistry()
Gauge("up", "Whether it is.", ["place"], registry=registry).labels("Å").set(1)
Histogram("took_seconds", "How long.", registry=registry).observe(0.2)
for call in (push_to_gateway, pushadd_to_gateway):
    print(call(url, job="nightly", registry=registry, grouping_key={"path": "a/b"}, timeout=30))
print(delete_from_gateway(url, job="nightly"))
for path in ("/metrics/job/nightly/path@base64/YS9i", "/metrics/job/nightly"):
    with urllib.request.urlopen(url + path) as answer:
        print(answer.read().decode())


def with_password(**options: object) -> object:
    """Push with a password."""
    return basic_auth_handler(**options, username="me", password="secret")


push_to_gateway(url, job="private", registry=registry, handler=with_password)
for job in ("private", "full"):
    try:
        push_to_gateway(url, job=job, registry=registry)
    except urllib.error.HTTPError as error:
        print(error, error.code, error.read())
