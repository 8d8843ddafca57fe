"""hyperlite against real servers of HTTP/2, one by one: python -m compat.servers."""
