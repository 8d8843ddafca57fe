"""couchdb: databases, documents, attachments, and a feed of changes, which it reads chunk by chunk."""

import io
import os
from typing import Any

import couchdb


def _changes(database: Any) -> list[str] | str:
    """Read a continuous feed: couchdb asserts that it is in chunks, which it reads from the file."""
    try:
        return [change["id"] for change in database.changes(feed="continuous", timeout=100)]
    except AssertionError:
        return "AssertionError"


def call(options: dict[str, Any]) -> dict[str, Any]:
    """Make a database, use it, and remove it.

    With a `feed` among the options, read its changes too; `protocols` is what HYPERLITE_PROTOCOLS is to say.
    """
    os.environ["HYPERLITE_PROTOCOLS"] = options.get("protocols", "")
    os.environ["SSL_CERT_FILE"] = options["ca_file"]
    server = couchdb.Server(options["url"])
    result: dict[str, Any] = {"version": server.version()}
    database = server.create("books")
    identity, _ = database.save({"title": "one"})
    document = database[identity]
    document["title"] = "two"
    database.save(document)
    database.put_attachment(document, b"text", "small", "text/plain")
    database.put_attachment(document, io.BytesIO(b"f" * 100_000), "large", "text/plain")
    large = database.get_attachment(document, "large")
    result |= {
        "title": database[identity]["title"],
        "small": database.get_attachment(document, "small").read().decode(),
        "large": len(large.read()),
        "there": [identity in database, "other" in database, database.get("other")],
        "updated": [row[1] for row in database.update([{"title": "three"}, {"title": "four"}])],
        "names": list(server),
        "rows": [row.id == identity for row in database.view("_all_docs")][:1],
    }
    if options.get("feed"):
        result["changes"] = _changes(database)
    try:
        database.save({"_id": identity, "title": "late"})
    except couchdb.ResourceConflict as error:
        result["conflict"] = list(error.args[0])
    del server["books"]
    result["gone"] = "books" in server
    return result
