"""Objects go to and come from code that has the standard library's own names."""

import http.client as standard
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection


def theirs(conn: standard.HTTPConnection) -> standard.HTTPResponse:
    conn.request("GET", "/")
    return conn.getresponse()


def ours(response: HTTPResponse) -> HTTPConnection:
    return HTTPConnection("host") if response.will_close else HTTPSConnection("host")


def both(made: dict[str, list[standard.HTTPSConnection]]) -> list[HTTPSConnection]:
    return made["a"]


print(theirs(ours(theirs(HTTPSConnection("host")))))
print(both({"a": [HTTPSConnection("host")]}))
kinds: list[type[standard.HTTPConnection]] = [HTTPConnection, HTTPSConnection]
more: dict[bool, type[HTTPConnection]] = {False: standard.HTTPConnection, True: HTTPSConnection}
