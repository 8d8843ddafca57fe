"""Call a JSON-RPC service: calls, notifications, batches, fields of ours, and what fails."""

import sys

import jsonrpclib

url = sys.argv[1]
server = jsonrpclib.ServerProxy(f"{url}/rpc")
print(server.add(1, 2), server.echo("Å", [1, None]), server.echo(key="value"))
print(server._notify.add(1, 2))
batch = jsonrpclib.MultiCall(server)
batch.add(1, 2)
batch.echo("x" * 100_000)
batch._notify.add(0)
print([len(str(result)) for result in batch()])
print(sum(server.add(n, n) for n in range(20)))
with server._additional_headers({"X-Mark": "mine"}) as marked:
    print(marked.mark(), server.mark())
try:
    server.nothing()
except jsonrpclib.ProtocolError as error:
    print(type(error).__name__, error)
try:
    jsonrpclib.ServerProxy(f"{url}/broken").add(1)
except jsonrpclib.ProtocolError as error:
    print(type(error).__name__, error.args[0].partition("/")[2], *error.args[1:3])
server("close")()
