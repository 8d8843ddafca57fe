"""A site to browse: forms, links, cookies, a login, and what robots may not see."""

import gzip

from hyperlite.testing.server import Request, Response

from .answers import as_text

FORM = """<html><head><title>Form</title></head><body><a href="/next">on</a>
<form action="/sent" method="post" enctype="%s"><input name="name" value="">
<input type="checkbox" name="fast" value="yes">
<select name="size"><option>S</option><option>L</option></select><input type="file" name="file">
<input type="submit"></form>
</body></html>"""


def page(text: str, *headers: tuple[str, str]) -> Response:
    return as_text(text, headers=headers, kind="text/html")


def sent(request: Request) -> Response:
    body = request.body.decode("latin-1")
    kind = request.header("content-type") or ""
    if "boundary=" in kind:  # which differs each time
        body = body.replace(kind.partition("boundary=")[2], "~").replace("\r\n", "|")
    return page(f"<title>Sent</title>{body} {request.header('cookie')} {bool(request.header('referer'))}")


def private(request: Request) -> Response:
    if request.header("authorization") != "Basic bWU6c2VjcmV0":
        return as_text("no", 401, [("www-authenticate", 'Basic realm="site"')])
    return page("<title>Private</title>")


PACKED = Response(
    200,
    [("content-type", "text/html"), ("content-encoding", "gzip")],
    gzip.compress(b"<title>Packed</title>", mtime=0),
)

ROUTES = {
    "/robots.txt": lambda _: as_text("User-agent: *\nDisallow: /secret\n"),
    "/": lambda _: page(
        FORM % "application/x-www-form-urlencoded",
        ("set-cookie", "id=5; path=/; secure"),
        ("set-cookie", "lang=en"),
    ),
    "/upload": lambda _: page(FORM % "multipart/form-data"),
    "/sent": sent,
    "/next": lambda _: page('<title>Next</title><meta http-equiv="refresh" content="0; url=/">'),
    "/moved": lambda _: Response(302, [("location", "/sent"), ("set-cookie", "moved=1")]),
    "/private": private,
    "/packed": lambda _: PACKED,
    "/large": lambda _: Response(
        200, [("content-type", "application/octet-stream")], b"0123456789abcdef" * 20000
    ),
}
