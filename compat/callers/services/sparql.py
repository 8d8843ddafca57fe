"""A SPARQL endpoint, of queries and updates, and a document in Turtle."""

from hyperlite.testing.server import Request, Response

from .answers import as_json, as_text, as_xml, form

TURTLE = '@prefix ex: <urn:ex:> . ex:a ex:name "Å" ; ex:knows ex:b .'
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:ex="urn:ex:">
<rdf:Description rdf:about="urn:ex:a">
<ex:name>A</ex:name></rdf:Description></rdf:RDF>"""
RESULT = """<sparql xmlns="http://www.w3.org/2005/sparql-results#"><head><variable name="s"/></head>
<results><result>
<binding name="s"><uri>urn:ex:a</uri></binding></result></results></sparql>"""
ROWS = {"head": {"vars": ["s"]}, "results": {"bindings": [{"s": {"type": "uri", "value": "urn:ex:a"}}]}}


def query(request: Request) -> Response:
    fields = {name: values[0] for name, values in request.query.items()}
    if request.header("content-type", "").startswith("application/x-www"):  # type: ignore[union-attr]
        fields |= form(request)
    text = fields.get("query") or request.body.decode()
    if "CONSTRUCT" in text:
        return as_xml(RDF, kind="application/rdf+xml")
    if "WRONG" in text:
        return as_text(f"cannot parse {text}", 400)
    accept = request.header("accept") or ""
    if "json" in accept and "xml" not in accept:
        return as_json(ROWS, headers=[("content-type", "application/sparql-results+json")][1:])
    if "csv" in accept and "xml" not in accept:
        return as_text("s\r\nurn:ex:a\r\n", kind="text/csv")
    return as_xml(RESULT, kind="application/sparql-results+xml")


def update(request: Request) -> Response:
    if request.header("authorization") != "Basic bWU6c2VjcmV0":
        return as_text("no", 401, [("www-authenticate", 'Basic realm="store"')])
    return as_text(f"updated: {request.header('content-type')} {request.body.decode()}")


ROUTES = {
    "/sparql": query,
    "/update": update,
    "/a.ttl": lambda _: as_text(TURTLE, kind="text/turtle"),
    "/a": lambda _: Response(303, [("location", "/a.ttl")]),
}
