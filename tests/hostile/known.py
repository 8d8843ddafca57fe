"""What is known to fail: by case, or by "case/engine", "case/transport" or "case/engine/transport".

A case that is listed and passes fails the suite: whoever mends something strikes it off.
"""

_NO_COUNTER = "nothing counts frames without progress: the connection goes on being used"

KNOWN: dict[str, str] = {
    **dict.fromkeys(
        (
            "ping-flood",
            "ping-flood-noread",
            "ping-ack-flood",
            "settings-flood",
            "settings-flood-noread",
            "settings-empty-flood",
            "settings-ack-flood",
            "settings-window-flood",
            "padding-data-flood",
            "empty-data-flood",
            "one-byte-data-flood",
            "one-byte-padded-flood",
            "rst-flood",
            "window-update-flood",
            "window-update-stream-flood",
            "priority-flood",
            "priority-idle-flood",
            "unknown-frame-flood",
            "unknown-frame-large-flood",
            "altsvc-flood",
            "informational-flood",
            "informational-large-flood",
            "unknown-stream-data-flood",
            "trailers-flood",
        ),
        _NO_COUNTER,
    ),
    "reserved-bit-window-update": "the reserved bit of an increment is not ignored",
    "tls-cn-only": "Python's contexts fall back to the common name",
}


def known(case: str, engine: str, over: str) -> str | None:
    """Return why a case is known to fail, if it is."""
    keys = (case, f"{case}/{engine}", f"{case}/{over}", f"{case}/{engine}/{over}")
    return next((KNOWN[key] for key in keys if key in KNOWN), None)
