"""couchdb, against the little of CouchDB that it needs."""

import base64
import json
from typing import Any

import pytest

from hyperlite.testing.server import Request, Response, Server

from .conftest import Run, Serve, need


def _json(value: Any, status: int = 200, **headers: str) -> Response:
    fields = [
        ("content-type", "application/json"),
        *[(name.replace("_", "-"), text) for name, text in headers.items()],
    ]
    return Response(status, headers=fields, body=json.dumps(value).encode())


def _missing() -> Response:
    return _json({"error": "not_found", "reason": "missing"}, 404)


class Couch:
    """Databases in memory: documents with revisions, attachments, a view of all, a feed of changes."""

    def __init__(self) -> None:
        self._databases: dict[str, dict[str, dict[str, Any]]] = {}
        self._attachments: dict[str, bytes] = {}

    def __call__(self, request: Request) -> Response:
        database, _, rest = request.path.strip("/").partition("/")
        if not database:
            return _json({"couchdb": "Welcome", "version": "3.3.0"})
        if database == "_all_dbs":
            return _json(sorted(self._databases))
        if not rest:
            return self._database(request, database)
        documents = self._databases[database]
        if rest == "_all_docs":
            rows = [{"id": name, "key": name, "value": {}} for name in documents]
            return _json({"total_rows": len(rows), "offset": 0, "rows": rows})
        if rest == "_bulk_docs":
            given = json.loads(request.body)["docs"]
            return _json([{"ok": True, "id": f"new-{n}", "rev": "1-0"} for n, _ in enumerate(given)], 201)
        if rest == "_changes":
            lines = [json.dumps({"id": name, "seq": 1}).encode() + b"\n" for name in documents]
            return Response(headers=[("content-type", "application/json")], body=iter([*lines, b"\n"]))
        name, _, attachment = rest.partition("/")
        return (
            self._attachment(request, documents, rest)
            if attachment
            else self._document(request, documents, name)
        )

    def _database(self, request: Request, name: str) -> Response:
        if request.method == "PUT":
            self._databases[name] = {}
            return _json({"ok": True}, 201)
        if name not in self._databases:
            return _missing()
        if request.method == "DELETE":
            del self._databases[name]
        elif request.method == "POST":
            identity = base64.urlsafe_b64encode(request.body).decode()[:20]
            return self._keep(self._databases[name], identity, json.loads(request.body))
        return _json({"ok": True})

    def _document(self, request: Request, documents: dict[str, Any], name: str) -> Response:
        if request.method == "PUT":
            given = json.loads(request.body)
            if name in documents and given.get("_rev") != documents[name]["_rev"]:
                return _json({"error": "conflict", "reason": "Document update conflict."}, 409)
            return self._keep(documents, name, given)
        return (
            _json(documents[name], etag=f'"{documents[name]["_rev"]}"') if name in documents else _missing()
        )

    def _keep(self, documents: dict[str, Any], name: str, document: dict[str, Any]) -> Response:
        number = int(documents.get(name, {}).get("_rev", "0-0").partition("-")[0]) + 1
        documents[name] = {**document, "_id": name, "_rev": f"{number}-0"}
        return _json({"ok": True, "id": name, "rev": f"{number}-0"}, 201)

    def _attachment(self, request: Request, documents: dict[str, Any], path: str) -> Response:
        if request.method == "PUT":
            self._attachments[path] = request.body
            name = path.partition("/")[0]
            return self._keep(documents, name, documents[name])
        return Response(headers=[("content-type", "text/plain")], body=self._attachments[path])


@pytest.fixture
def server(serve: Serve) -> Server:
    return serve(Couch())


def test_documents(compare: Run, server: Server) -> None:
    need("couchdb")
    outcome = compare("call_couchdb", server)
    assert outcome.protocols == {"h2"}
    assert outcome.result["large"] == 100_000
    assert outcome.result["conflict"] == ["conflict", "Document update conflict."]


def test_a_continuous_feed(compare: Run, run: Run, server: Server) -> None:
    """HTTP/2 has no chunks to read; a program that cannot do without them is run over HTTP/1.1."""
    need("couchdb")
    outcome = run("call_couchdb", server, feed=True)
    assert outcome.protocols == {"h2"}
    assert outcome.result["changes"] == "AssertionError"
    outcome = compare("call_couchdb", server, feed=True, protocols="http/1.1")
    assert outcome.protocols == {"http/1.1"}
    assert len(outcome.result["changes"]) == 1
