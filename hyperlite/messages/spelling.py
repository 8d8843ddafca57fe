"""Names of header fields as servers of HTTP/1.1 write them; HTTP/2 carries them in lower case.

Names mean the same in any case (RFC 9110 section 5.1), but programs written for HTTP/1.1 depend on how they
are written: `dict(response.getheaders())["Content-Type"]`.
"""

from collections.abc import Iterable
from http.client import HTTPMessage

from .fields import REMEMBERED, REMEMBERED_LENGTH, Field, message_of

# IANA's "Hypertext Transfer Protocol (HTTP) Field Name Registry" (RFC 9110 section 18.4), including
# deprecated and obsolete names.
_REGISTERED = {
    name.lower().encode(): name
    for name in """
    A-IM Accept Accept-Additions Accept-CH Accept-Charset Accept-Datetime Accept-Encoding
    Accept-Features Accept-Language Accept-Patch Accept-Post Accept-Query Accept-Ranges
    Accept-Signature Access-Control Access-Control-Allow-Credentials Access-Control-Allow-Headers
    Access-Control-Allow-Methods Access-Control-Allow-Origin Access-Control-Expose-Headers
    Access-Control-Max-Age Access-Control-Request-Headers Access-Control-Request-Method
    Activate-Storage-Access Age Allow ALPN Alt-Svc Alt-Used Alternates AMP-Cache-Transform
    Apply-To-Redirect-Ref Authentication-Control Authentication-Info Authorization
    Available-Dictionary C-Ext C-Man C-Opt C-PEP C-PEP-Info Cache-Control Cache-Group-Invalidation
    Cache-Groups Cache-Status Cal-Managed-ID CalDAV-Timezones Capsule-Protocol CDN-Cache-Control
    CDN-Loop Cert-Not-After Cert-Not-Before Clear-Site-Data Client-Cert Client-Cert-Chain Close
    CMCD-Object CMCD-Request CMCD-Session CMCD-Status CMSD-Dynamic CMSD-Static Concealed-Auth-Export
    Configuration-Context Connection Content-Base Content-Digest Content-Disposition
    Content-Encoding Content-ID Content-Language Content-Length Content-Location Content-MD5
    Content-Range Content-Script-Type Content-Security-Policy Content-Security-Policy-Report-Only
    Content-Style-Type Content-Type Content-Version Cookie Cookie2 Cross-Origin-Embedder-Policy
    Cross-Origin-Embedder-Policy-Report-Only Cross-Origin-Opener-Policy
    Cross-Origin-Opener-Policy-Report-Only Cross-Origin-Resource-Policy CTA-Common-Access-Token DASL
    Date DAV Default-Style Delta-Base Deprecation Depth Derived-From Destination Detached-JWS
    Dictionary-ID Differential-ID Digest DPoP DPoP-Nonce Early-Data EDIINT-Features ETag Expect
    Expect-CT Expires Ext Forwarded From GetProfile Hobareg Host HTTP2-Settings If If-Match
    If-Modified-Since If-None-Match If-Range If-Schedule-Tag-Match If-Unmodified-Since IM
    Include-Referred-Token-Binding-ID Incremental Isolation Keep-Alive Label Last-Event-ID
    Last-Modified Link Link-Template Location Lock-Token Man Max-Forwards Memento-Datetime Meter
    Method-Check Method-Check-Expires MIME-Version Negotiate NEL OData-EntityId OData-Isolation
    OData-MaxVersion OData-Version Opt Optional-WWW-Authenticate Ordering-Type Origin
    Origin-Agent-Cluster OSCORE OSLC-Core-Version Overwrite P3P PEP PEP-Info Permissions-Policy
    PICS-Label Ping-From Ping-To Position Pragma Prefer Preference-Applied Priority ProfileObject
    Protocol Protocol-Info Protocol-Query Protocol-Request Proxy-Authenticate
    Proxy-Authentication-Info Proxy-Authorization Proxy-Features Proxy-Instruction Proxy-Status
    Public Public-Key-Pins Public-Key-Pins-Report-Only Range Redirect-Ref Referer Referer-Root
    Referrer-Policy Refresh Repeatability-Client-ID Repeatability-First-Sent
    Repeatability-Request-ID Repeatability-Result Replay-Nonce Reporting-Endpoints Repr-Digest
    Retry-After Safe Schedule-Reply Schedule-Tag Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site
    Sec-Fetch-Storage-Access Sec-Fetch-User Sec-GPC Sec-Purpose Sec-Token-Binding
    Sec-WebSocket-Accept Sec-WebSocket-Extensions Sec-WebSocket-Key Sec-WebSocket-Protocol
    Sec-WebSocket-Version Security-Scheme Server Server-Timing Set-Cookie Set-Cookie2 Set-Txn
    SetProfile Signature Signature-Input SLUG SoapAction Status-URI Strict-Transport-Security Sunset
    Surrogate-Capability Surrogate-Control TCN TE Timeout Timing-Allow-Origin Topic Traceparent
    Tracestate Trailer Transfer-Encoding TTL Unencoded-Digest Upgrade Urgency URI Use-As-Dictionary
    User-Agent Variant-Vary Vary Via Want-Content-Digest Want-Digest Want-Repr-Digest
    Want-Unencoded-Digest Warning WWW-Authenticate X-Content-Type-Options X-Frame-Options
    """.split()  # noqa: SIM905  (a quarter of the lines)
}
# The servers that send these write them so on HTTP/1.1 too.
_LOWER = (b"x-amz-", b"x-goog-", b"x-ms-", b"grpc-")


class _Spellings(dict[bytes, str]):
    """Maps a field name in lower case to the spelling of HTTP/1.1 servers; missing entries are made.

    Registered names are spelled as IANA does, and stay in the map. Others have each word capitalised, or are
    unchanged. Only a limited number of these is remembered, and no long ones: the peer chooses them, and may
    send new ones without end.
    """

    def __missing__(self, name: bytes) -> str:
        spelt = name
        if not name.startswith(_LOWER):
            spelt = b"-".join([word.capitalize() for word in name.split(b"-")])
        made = spelt.decode("latin-1")
        if len(name) <= REMEMBERED_LENGTH:
            if len(self) >= len(_REGISTERED) + REMEMBERED:
                for other in list(self)[len(_REGISTERED) :]:  # behind the registered ones, which came first
                    self.pop(other, None)
            self[name] = made
        return made


spellings: _Spellings = _Spellings(_REGISTERED)


def spelled_message(fields: Iterable[Field]) -> HTTPMessage:
    """Return the fields of a response on HTTP/2 with the names that they would have on HTTP/1.1."""
    return message_of(
        [(spellings[name], value.decode("latin-1")) for name, value in fields if name[:1] != b":"]
    )
