"""hyperlite: a synchronous HTTP/2 client that is a drop-in for http.client.

>>> conn = hyperlite.HTTP20Connection("localhost", 8443)
>>> ids = [conn.request("GET", f"/book?id={n}") for n in range(100)]
>>> books = [conn.getresponse(stream_id).read() for stream_id in ids]
"""

from .connection import HTTP20Connection
from .errors import (
    BodyReset,
    BufferLimitExceeded,
    ConnectionGoingAway,
    ConnectionLost,
    ErrorCode,
    HTTP2Error,
    InadequateSecurity,
    IncompleteBody,
    MalformedBody,
    MalformedResponse,
    NotHTTP2,
    ProtocolError,
    RequestTimeout,
    StreamReset,
)
from .install import install
from .response import HTTP20Response
from .transport import create_context

__version__ = "0.1.0"

__all__ = [
    "BodyReset",
    "BufferLimitExceeded",
    "ConnectionGoingAway",
    "ConnectionLost",
    "ErrorCode",
    "HTTP2Error",
    "HTTP20Connection",
    "HTTP20Response",
    "InadequateSecurity",
    "IncompleteBody",
    "MalformedBody",
    "MalformedResponse",
    "NotHTTP2",
    "ProtocolError",
    "RequestTimeout",
    "StreamReset",
    "create_context",
    "install",
]
