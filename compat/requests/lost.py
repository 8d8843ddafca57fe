"""The tests of requests that are lost with HTTP20Adapter, and why."""

# By name, without the module.
LOST = {
    "test_chunked_encoding_error": (
        "the server breaks off within the header block; http.client, beneath urllib3, takes what there was "
        "for all of it, and only the body fails (ChunkedEncodingError). Here the header block fails: "
        "ConnectionError"
    ),
}
