"""An HTTP/2 and HTTP/1.1 server to embed in tests and demonstrations.

`hyperlite.testing.server` is the server, `hyperlite.testing.bookstore` a site to fetch things from. Nothing
here imports the client: the server judges it from outside.
"""
