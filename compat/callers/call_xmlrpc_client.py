"""xmlrpc.client: calls, a fault, and `count` calls in a row."""

import ssl
import xmlrpc.client
from typing import Any


def _fault(proxy: Any) -> list[Any]:
    try:
        proxy.divide(1, 0)
    except xmlrpc.client.Fault as fault:
        return [fault.faultCode, fault.faultString]
    raise AssertionError("no Fault")


def _protocol_error(base: str, context: ssl.SSLContext) -> list[Any]:
    with xmlrpc.client.ServerProxy(f"{base}/missing", context=context) as proxy:
        try:
            proxy.add(1, 2)
        except xmlrpc.client.ProtocolError as error:
            return [error.errcode, error.errmsg, error.headers["X-Why"]]
    raise AssertionError("no ProtocolError")


def call(options: dict[str, Any]) -> dict[str, Any]:
    """Make the calls that the options ask for."""
    context = ssl.create_default_context(cafile=options["ca_file"])
    with xmlrpc.client.ServerProxy(f"{options['url']}/rpc", context=context) as proxy:
        if "count" in options:
            return {"sums": [proxy.add(number, 1) for number in range(options["count"])]}
        several = xmlrpc.client.MultiCall(proxy)
        several.add(1, 2)
        several.add(3, 4)
        return {
            "sum": proxy.add(2, 3),
            "methods": sorted(proxy.system.listMethods()),
            "large": len(proxy.repeat("x", 1_000_000)),
            "upload": proxy.length("y" * 1_000_000),
            "fault": _fault(proxy),
            "after the fault": proxy.add(4, 5),
            "several": list(several()),
            "protocol error": _protocol_error(options["url"], context),
        }
