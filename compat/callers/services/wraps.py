"""Sources of a project's parts, as archives, and their sums."""

import gzip
import hashlib
import io
import tarfile

from hyperlite.testing.server import Request, Response


def archive(name: str, files: dict[str, bytes]) -> bytes:
    """Return a packed archive with one folder, the same each time."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile("", "wb", fileobj=packed, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for path, data in files.items():
            member = tarfile.TarInfo(f"{name}/{path}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


ARCHIVES = {
    "/one-1.0.tar.gz": archive(
        "one-1.0", {"meson.build": b"project('one')\n", "data": bytes(range(256)) * 2000}
    ),
    "/three-1.0.tar.gz": archive("three-1.0", {"meson.build": b"project('three')\n"}),
    "/two-1.0.tar.gz": archive("two-1.0", {"meson.build": b"project('two')\n"}),
}


def moved(request: Request) -> Response:
    return Response(302, [("location", request.path.removeprefix("/moved"))])


def sums(_: Request) -> Response:
    lines = [f"{hashlib.sha256(data).hexdigest()} {path}\n" for path, data in ARCHIVES.items()]
    return Response(200, [("content-type", "text/plain")], "".join(lines).encode())


ROUTES = {
    path: lambda _, data=data: Response(200, [("content-type", "application/gzip")], data)
    for path, data in ARCHIVES.items()
} | {"/moved/one-1.0.tar.gz": moved, "/sums": sums}
