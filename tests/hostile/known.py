"""What is known to fail: by case, or by "case/engine", "case/transport" or "case/engine/transport".

A case that is listed and passes fails the suite: whoever mends something strikes it off.
"""

KNOWN: dict[str, str] = {
    **dict.fromkeys(
        ("h1-close-after-status", "h1-close-mid-headers", "h1-close-mid-header-line"),
        "http.client takes a head that is cut off for a whole one",
    ),
    **dict.fromkeys(
        ("h1-status-plus200", "h1-status-underscore"), "http.client takes what int() takes for a status"
    ),
    **dict.fromkeys(
        ("h1-103-flood", "h1-103-then-200", "h1-102-103-then-200"),
        "http.client takes every 1xx but 100 for the final response",
    ),
    **dict.fromkeys(
        ("h1-endless-trailers", "h1-100-flood"),
        "http.client reads them without a bound",
    ),
    "h1-drip-body": "a deadline does not reach http.client's reads",
    **dict.fromkeys(
        ("h1-drip-status", "h1-drip-headers", "h1-drip-100"),
        "http.client's timeout is of each recv: a head that drips never times out",
    ),
    **dict.fromkeys(
        (
            "h1-cl-minus",
            "h1-cl-plus",
            "h1-cl-text",
            "h1-cl-empty",
            "h1-cl-underscore",
            "h1-cl-hex",
            "h1-cl-list-different",
            "h1-cl-5000-digits",
        ),
        "http.client reads to the end where content-length is no number",
    ),
    "h1-cl-conflict": "http.client takes the first of two lengths",
    **dict.fromkeys(
        ("h1-cl-huge", "h1-cl-100-digits", "h1-chunk-size-huge"),
        "MemoryError or OverflowError: http.client allocates what was announced",
    ),
    "h1-chunk-size-minus": "a raw ValueError",
    **dict.fromkeys(
        (
            "h1-chunk-size-minus-zero",
            "h1-chunk-size-plus",
            "h1-chunk-size-0x",
            "h1-chunk-size-underscore",
            "h1-chunk-cut-in-size",
        ),
        "http.client takes what int(…, 16) takes for a chunk's size",
    ),
    **dict.fromkeys(
        ("h1-te-gzip", "h1-te-twice", "h1-te-identity", "h1-te-not-last", "h1-te-unknown", "h1-te-tab"),
        "http.client hands out the chunks' frame as the body where Transfer-Encoding is not just chunked",
    ),
    "h1-length-after-nonsense": "http.client's parser drops all fields after a line that is none",
    "h1-header-injected-by-bare-cr": "http.client's parser ends lines at a bare CR",
    "tls-cn-only": "Python's contexts fall back to the common name",
    "alpn-h11-speaks-h2": "http.client waits for the end of a status line that does not begin as one",
}


def known(case: str, engine: str, over: str) -> str | None:
    """Return why a case is known to fail, if it is."""
    keys = (case, f"{case}/{engine}", f"{case}/{over}", f"{case}/{engine}/{over}")
    return next((KNOWN[key] for key in keys if key in KNOWN), None)
