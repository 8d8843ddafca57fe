"""The clients that are measured: the same few calls, as each of them is meant to be used.

Those that multiplex send a whole chunk before they read; the others go one by one on a kept connection.  Each
is imported when it is made, in a process of its own: connecting and importing are not measured.
"""

import importlib
import os

from .base import Client, Target, Unfit

PURE = {"HYPERLITE_ENGINE": "native", "HYPERLITE_SPEEDUPS": "0"}
FAST = {"HYPERLITE_ENGINE": "native"}
REFERENCE = {"HYPERLITE_ENGINE": "h2", "HYPERLITE_SPEEDUPS": "0"}

# By name: the module and the class, and what the environment says to hyperlite.
CLIENTS: dict[str, tuple[str, str, dict[str, str]]] = {
    "native": ("ours", "Hyperlite", PURE),
    "native-many": ("ours", "HyperliteMany", PURE),
    "speedups": ("ours", "Hyperlite", FAST),
    "speedups-many": ("ours", "HyperliteMany", FAST),
    "h2": ("ours", "Hyperlite", REFERENCE),
    "h2-many": ("ours", "HyperliteMany", REFERENCE),
    "pycurl": ("curl", "Pycurl", {}),
    "pycurl-untuned": ("curl", "PycurlUntuned", {}),
    "curl_cffi": ("curl", "CurlCffi", {}),
    "ry": ("rust", "Ry", {}),
    "wreq": ("rust", "Wreq", {}),
    "pyreqwest": ("rust", "Pyreqwest", {}),
    "primp": ("rust", "Primp", {}),
    "httpr": ("rust", "Httpr", {}),
    "http.client": ("python", "HttpClient", {}),
    "aiohttp": ("python", "Aiohttp", {}),
    "urllib3.future": ("python", "Urllib3Future", {}),
    "niquests": ("python", "Niquests", {}),
    "requests": ("python", "Requests", {}),
    "httpx": ("python", "Httpx", {}),
    "floor": ("floor", "Floor", PURE),
    "floor-many": ("floor", "FloorMany", PURE),
    "floor-http1": ("floor", "FloorHttp1", PURE),
}
# urllib3-future takes urllib3's place, so these two have an environment of their own.
ELSEWHERE = {"urllib3.future", "niquests"}
# Those that speak HTTP/1.1 alone.
HTTP1_ONLY = {"http.client", "requests", "aiohttp", "floor-http1"}


def make(name: str, target: Target) -> Client:
    """Return a client; what the environment says to hyperlite is said to this process.

    Raises ImportError or Unfit when it cannot be had.
    """
    module, kind, environment = CLIENTS[name]
    os.environ.update(environment)
    client = getattr(importlib.import_module("." + module, __name__), kind)(target)
    assert isinstance(client, Client)
    return client


__all__ = ["CLIENTS", "ELSEWHERE", "HTTP1_ONLY", "Client", "Target", "Unfit", "make"]
