"""A Trino coordinator: statements, whose rows come page by page."""

from hyperlite.testing.server import Request, Response

from .answers import as_json, as_text

WORDS = [[number, "word" * 100] for number in range(3000)]
COLUMNS = [
    {
        "name": name,
        "type": kind,
        "typeSignature": {"rawType": kind, "arguments": [{"kind": "LONG", "value": 400}]},
    }
    for name, kind in (("number", "integer"), ("word", "varchar"))
]
asked: set[str] = set()
"""The protocols by which the busy coordinator was asked already."""


def state(request: Request, page: int | None = None, **more: object) -> dict[str, object]:
    answer: dict[str, object] = {
        "id": "q1",
        "infoUri": f"https://{request.authority}/ui",
        "stats": {"state": "DONE"},
    }
    if page is not None:
        answer |= {"nextUri": f"https://{request.authority}/v1/page/{page}", "stats": {"state": "RUNNING"}}
    return answer | more


def statement(request: Request) -> Response:
    if request.header("authorization") != "Basic bWU6c2VjcmV0":
        return as_text("no", 401, [("www-authenticate", 'Basic realm="trino"')])
    text = request.body.decode()
    if text == "SELECT busy" and request.protocol not in asked:
        asked.add(request.protocol)
        return as_text("busy", 503)
    if "words" in text:
        return as_json(state(request, 1))
    if text == "SELECT wrong":
        error = {"errorName": "COLUMN_NOT_FOUND", "errorType": "USER_ERROR", "message": "no such column"}
        return as_json(state(request, error=error | {"errorCode": 47}))
    if text == "SELECT broken":
        return as_text("down", 500)
    fields = [("x-trino-set-session", "limit=2")] if text.startswith("SET") else []
    if text.startswith("EXECUTE") or text == "SELECT busy":
        return as_json(state(request, columns=COLUMNS[1:], data=[[text]]))
    return as_json(state(request, updateType="SET"), headers=fields)


def page(request: Request) -> Response:
    if request.method == "DELETE":
        return Response(204)
    number = int(request.path.rpartition("/")[2])
    rows = WORDS[(number - 1) * 1000 : number * 1000]
    return as_json(state(request, number + 1 if number < 3 else None, columns=COLUMNS, data=rows))


ROUTES = {"/v1/statement": statement, **{f"/v1/page/{number}": page for number in (1, 2, 3)}}
