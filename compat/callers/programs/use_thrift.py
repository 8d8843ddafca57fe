"""Call a Thrift service over HTTP, as generated code does."""

import sys

from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.Thrift import TMessageType, TType
from thrift.transport.THttpClient import THttpClient
from thrift.transport.TTransport import TTransportException

url = sys.argv[1]


def add(transport: THttpClient, number: int, a: int, b: int) -> int:
    """Send a call and read its reply."""
    protocol = TBinaryProtocol(transport)
    protocol.writeMessageBegin("add", TMessageType.CALL, number)
    protocol.writeStructBegin("add_args")
    for field, value in ((1, a), (2, b)):
        protocol.writeFieldBegin("", TType.I32, field)
        protocol.writeI32(value)
        protocol.writeFieldEnd()
    protocol.writeFieldStop()
    protocol.writeStructEnd()
    protocol.writeMessageEnd()
    transport.flush()
    name, kind, answered = protocol.readMessageBegin()
    assert (name, kind, answered) == ("add", TMessageType.REPLY, number)
    protocol.readStructBegin()
    assert protocol.readFieldBegin()[1:] == (TType.I32, 0)
    result = protocol.readI32()
    protocol.readFieldEnd()
    assert protocol.readFieldBegin()[1] == TType.STOP
    protocol.readMessageEnd()
    return result


transport = THttpClient(f"{url}/sums?tenant=1")
transport.setCustomHeaders({"X-Mark": "mine"})
transport.setTimeout(30_000)
transport.open()
for n in range(10):
    print(add(transport, n, n, 5), transport.code, transport.message, transport.headers["Content-Type"])
print(transport.headers["X-Mark"], dict(transport.headers).get("X-Mark"), transport.isOpen())
transport.close()
print(transport.isOpen())
transport = THttpClient(f"{url}/down")
try:
    add(transport, 1, 1, 1)
except (TTransportException, EOFError) as error:
    print(type(error).__name__, error, transport.code, transport.message)
