"""Slack's web API: https://localhost/api/METHOD, files, and an incoming webhook."""

from hyperlite.testing.server import Request, Response

from .answers import as_json, as_text, form

limited: set[str] = set()
"""The users that were told to wait already."""


def auth_test(request: Request) -> Response:
    token = request.header("authorization")
    if token != "Bearer xoxb-1":
        return as_json({"ok": False, "error": "invalid_auth"}, headers=[("x-oauth-scopes", "none")])
    return as_json({"ok": True, "user": "bot", "team": "T1"}, headers=[("x-oauth-scopes", "chat:write")])


def post(request: Request) -> Response:
    return as_json(
        {"ok": True, "ts": "1.2", "kind": request.header("content-type"), "sent": request.body.decode()}
    )


def channels(request: Request) -> Response:
    cursor = form(request).get("cursor") or request.query.get("cursor", [""])[0]
    page = {"": (["a", "b"], "p2"), "p2": (["c"], "")}[cursor]
    names = [{"id": f"C{name}", "name": name} for name in page[0]]
    return as_json({"ok": True, "channels": names, "response_metadata": {"next_cursor": page[1]}})


def limit(request: Request) -> Response:
    """Refuse the first call of each protocol."""
    if request.protocol not in limited:
        limited.add(request.protocol)
        return as_json({"ok": False, "error": "ratelimited"}, 429, [("retry-after", "0")])
    return as_json({"ok": True, "user": {"id": "U1"}})


def upload_url(request: Request) -> Response:
    return as_json({"ok": True, "file_id": "F1", "upload_url": f"https://{request.authority}/upload/F1"})


def upload(request: Request) -> Response:
    return as_text(f"OK - {len(request.body)}")


def uploaded(_: Request) -> Response:
    return as_json({"ok": True, "files": [{"id": "F1", "title": "notes"}]})


ROUTES = {
    "/api/auth.test": auth_test,
    "/api/chat.postMessage": post,
    "/api/conversations.list": channels,
    "/api/users.info": limit,
    "/api/files.getUploadURLExternal": upload_url,
    "/upload/F1": upload,
    "/api/files.completeUploadExternal": uploaded,
    "/hook": lambda request: as_text("ok" if b"build" in request.body else "no_text"),
    "/api/down": lambda _: as_text("upstream is away", 503),
}
