"""The standard library's own tests, run with http.client and with hyperlite in its place, and compared."""
