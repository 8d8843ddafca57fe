"""One HTTP/1.1 connection (RFC 9112)."""
