"""GitLab's API, version 4."""

import base64
import json

from hyperlite.testing.server import Request, Response

from .answers import as_json, as_text

MAIN = b"print('hello')\n" * 100
PROJECTS = [{"id": number, "name": f"P{number}", "path": f"p{number}"} for number in range(1, 6)]
refused: set[tuple[str, str]] = set()
"""What was refused already, by protocol and path."""


def projects(request: Request) -> Response:
    page, size = (
        int(request.query.get(name, [given])[0]) for name, given in (("page", "1"), ("per_page", "2"))
    )
    fields = [("x-total", "5"), ("x-per-page", str(size)), ("x-page", str(page)), ("x-total-pages", "3")]
    if page * size < 5:
        fields.append(("x-next-page", str(page + 1)))
        fields.append(
            (
                "link",
                f'<https://{request.authority}/api/v4/projects?page={page + 1}&per_page={size}>; rel="next"',
            )
        )
    return as_json(PROJECTS[(page - 1) * size : page * size], headers=fields)


def issue(request: Request) -> Response:
    sent = json.loads(request.body or b"{}")
    return as_json(
        {"iid": 1, "id": 1, "project_id": 1, "title": "t", "state": "opened"} | sent, 201 if sent else 200
    )


def once(request: Request, status: int) -> Response:
    """Refuse the first time."""
    if (request.protocol, request.path) not in refused:
        refused.add((request.protocol, request.path))
        return as_json({"message": "later"}, status, [("retry-after", "0")])
    return as_json({"done": request.path})


def package(request: Request) -> Response:
    if request.method == "PUT":
        return as_json({"message": f"201 Created {len(request.body)}"}, 201)
    return Response(200, [("content-type", "application/octet-stream")], b"p" * 200_000)


V, ONE = "/api/v4", "/api/v4/projects/1"
FILE = {"file_path": "src/main.py", "content": base64.b64encode(MAIN).decode(), "encoding": "base64"}
ROUTES_BY_PATH = {
    f"{V}/user": lambda _: as_json({"id": 1, "username": "me"}),
    f"{V}/version": lambda _: as_json({"version": "17.5", "revision": "r"}),
    f"{V}/projects": projects,
    f"{V}/projects/group%2Fone": lambda _: as_json(PROJECTS[0]),
    f"{ONE}/issues": issue,
    f"{ONE}/issues/1": issue,
    f"{ONE}/uploads": lambda request: as_json({"url": "/u", "size": len(request.body) // 1000}, 201),
    f"{ONE}/repository/files/src%2Fmain%2Epy": lambda _: as_json(FILE),
    f"{ONE}/repository/files/src%2Fmain.py": lambda _: as_json(FILE),
    f"{ONE}/repository/files/src%2Fmain.py/raw": lambda _: as_text(MAIN.decode()),
    f"{ONE}/repository/files/src%2Fmain%2Epy/raw": lambda _: as_text(MAIN.decode()),
    f"{ONE}/repository/archive": lambda _: Response(200, (), (b"a" * 30_000 for _ in range(10))),
    f"{ONE}/jobs/1": lambda _: as_json({"id": 1, "status": "success"}),
    f"{ONE}/jobs/1/trace": lambda _: as_text("first\nsecond\n"),
    f"{ONE}/jobs/1/artifacts": lambda _: Response(200, (), (b"z" * 30_000 for _ in range(5))),
    f"{ONE}/packages/generic/one/1.0/one.bin": package,
    f"{ONE}/variables": lambda request: as_json(json.loads(request.body), 201),
    f"{ONE}/variables/K": lambda _: Response(204),
    f"{V}/busy": lambda request: once(request, 502),
    f"{V}/limited": lambda request: once(request, 429),
    f"{V}/forbidden": lambda _: as_json({"message": "403 Forbidden"}, 403),
    f"{V}/moved": lambda request: as_json(
        {"message": "moved"}, 301, [("location", f"https://{request.authority}{V}/version")]
    ),
}


def answer(request: Request) -> Response:
    """Answer whatever is asked for, with a token."""
    if request.header("private-token") != "glpat-1":
        return as_json({"message": "401 Unauthorized"}, 401)
    handler = ROUTES_BY_PATH.get(request.path)
    return handler(request) if handler else as_json({"message": "404 Not Found"}, 404)


ROUTES = answer
