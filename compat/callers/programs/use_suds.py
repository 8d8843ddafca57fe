"""Call a SOAP service: its description, calls, a fault, no password, and no service."""

import sys

import suds
import suds.client
import suds.transport
import suds.transport.https

url = sys.argv[1]


def connect(path: str, **options: str) -> suds.client.Client:
    """Read the description of the service."""
    transport = suds.transport.https.HttpAuthenticated(**options)
    return suds.client.Client(url + path, transport=transport, cache=None)


client = connect("/sums.wsdl", username="me", password="secret")
print(list(client.wsdl.services[0].ports[0].methods))
for numbers in ((1, 2), (3, 4)):
    print(client.service.Add(*numbers))
try:
    client.service.Add(0, 1)
except suds.WebFault as fault:
    print(fault, fault.fault.faultcode)
try:
    connect("/sums.wsdl").service.Add(1, 2)
except suds.transport.TransportError as error:
    print(error, error.httpcode, error.fp.read())
except Exception as error:
    print(type(error).__name__, error)
try:
    connect("/missing.wsdl")
except suds.transport.TransportError as error:
    print(error, error.httpcode)
