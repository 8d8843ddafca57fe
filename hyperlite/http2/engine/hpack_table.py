"""The static table of HPACK: fields that both sides know by number (RFC 7541 appendix A)."""

from ...messages.fields import Field

# RFC 7541 section 4.1: what an entry of a table costs besides its name and its value.
ENTRY_OVERHEAD = 32
# The size of a dynamic table, unless SETTINGS_HEADER_TABLE_SIZE says otherwise: hyperlite never sends it.
TABLE_SIZE = 4096

# In their order; the first has the number 1.
STATIC_TABLE: tuple[Field, ...] = (
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    *[(b":status", status) for status in (b"200", b"204", b"206", b"304", b"400", b"404", b"500")],
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    *[
        (name, b"")
        for name in (
            b"accept-language",
            b"accept-ranges",
            b"accept",
            b"access-control-allow-origin",
            b"age",
            b"allow",
            b"authorization",
            b"cache-control",
            b"content-disposition",
            b"content-encoding",
            b"content-language",
            b"content-length",
            b"content-location",
            b"content-range",
            b"content-type",
            b"cookie",
            b"date",
            b"etag",
            b"expect",
            b"expires",
            b"from",
            b"host",
            b"if-match",
            b"if-modified-since",
            b"if-none-match",
            b"if-range",
            b"if-unmodified-since",
            b"last-modified",
            b"link",
            b"location",
            b"max-forwards",
            b"proxy-authenticate",
            b"proxy-authorization",
            b"range",
            b"referer",
            b"refresh",
            b"retry-after",
            b"server",
            b"set-cookie",
            b"strict-transport-security",
            b"transfer-encoding",
            b"user-agent",
            b"vary",
            b"via",
            b"www-authenticate",
        )
    ],
)
# The number of each field, and that of the first field with each name.
NUMBERS: dict[Field, int] = {field: number for number, field in enumerate(STATIC_TABLE, 1)}
NAME_NUMBERS: dict[bytes, int] = {}
for _field, _number in NUMBERS.items():
    NAME_NUMBERS.setdefault(_field[0], _number)
