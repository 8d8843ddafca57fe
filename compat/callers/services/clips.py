"""A site with clips: files with ranges, a page that names one, and an HLS playlist with its segments."""

from hyperlite.testing.server import Request, Response

from .answers import as_text

CLIP = bytes(range(256)) * 1200  # 300 KB


def clip(request: Request) -> Response:
    headers = [("content-type", "video/mp4"), ("accept-ranges", "bytes"), ("etag", '"c1"')]
    wanted = request.header("range")
    if wanted is None:
        return Response(200, [*headers, ("content-length", str(len(CLIP)))], CLIP)
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    start, end = int(first), min(int(last) if last else len(CLIP) - 1, len(CLIP) - 1)
    if start >= len(CLIP):
        return Response(416, [*headers, ("content-range", f"bytes */{len(CLIP)}")])
    return Response(
        206, [*headers, ("content-range", f"bytes {start}-{end}/{len(CLIP)}")], CLIP[start : end + 1]
    )


PLAYLIST = (
    "#EXTM3U\n#EXT-X-TARGETDURATION:1\n"
    + "".join(f"#EXTINF:1,\nsegment{n}.ts\n" for n in range(6))
    + "#EXT-X-ENDLIST\n"
)
PAGE = """<html><head><title>A clip</title><meta property="og:title" content="A clip"></head>
<body><video><source src="/clip.mp4" type="video/mp4"></video></body></html>"""

ROUTES = {
    "/clip.mp4": clip,
    "/moved": lambda _: Response(302, [("location", "/clip.mp4")]),
    "/page": lambda _: as_text(PAGE, kind="text/html"),
    "/list.m3u8": lambda _: as_text(PLAYLIST, kind="application/vnd.apple.mpegurl"),
    **{
        f"/segment{n}.ts": lambda _, n=n: Response(200, [("content-type", "video/mp2t")], bytes([n]) * 5000)
        for n in range(6)
    },
    "/forbidden.mp4": lambda _: as_text("no", 403),
}
