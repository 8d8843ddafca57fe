"""Query and update a SPARQL endpoint, in several formats and both methods, and read a document."""

import sys

import rdflib
from SPARQLWrapper import BASIC, CSV, JSON, POST, POSTDIRECTLY, XML, SPARQLWrapper
from SPARQLWrapper.SPARQLExceptions import SPARQLWrapperException

url = sys.argv[1]
SELECT = "SELECT ?s WHERE { ?s ?p 'Å' }"
for kind in (JSON, XML, CSV):
    for method in ("GET", POST):
        store = SPARQLWrapper(f"{url}/sparql", agent="tester")
        store.setQuery(SELECT)
        store.setReturnFormat(kind)
        store.setMethod(method)
        answer = store.query()
        got = answer.convert()
        print(kind, method, got if kind != XML else got.toxml(), answer.info()["content-type"])
        print(answer.geturl() == f"{url}/sparql", sorted({*answer.info()} - {"connection"}))
store.setQuery("CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }")
store.setReturnFormat("rdf+xml")
print(sorted(store.queryAndConvert()))
store.setQuery("SELECT WRONG WHERE { ?s ?p ?o }")
try:
    store.query()
except SPARQLWrapperException as error:
    print(type(error).__name__, str(error)[:200])
store = SPARQLWrapper(f"{url}/update")
store.setHTTPAuth(BASIC)
store.setCredentials("me", "secret")
store.setMethod(POST)
store.setRequestMethod(POSTDIRECTLY)
store.setQuery("INSERT DATA { <urn:a> <urn:b> 'Å' }")
print(store.query().response.read())
store.setCredentials("me", "wrong")
try:
    store.query()
except SPARQLWrapperException as error:
    print(type(error).__name__, error)
print(sorted(rdflib.Graph().parse(f"{url}/a")))
