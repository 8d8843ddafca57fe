"""Call a SOAP service by zeep: its description with an include, calls, a fault, no password."""

import sys

import requests
import zeep
from mounted import adapter
from zeep.cache import InMemoryCache
from zeep.transports import Transport

url = sys.argv[1]
session = requests.Session()
session.mount("https://", adapter())
session.auth = ("me", "secret")
transport = Transport(session=session, cache=InMemoryCache(), operation_timeout=20)
client = zeep.Client(f"{url}/sums.wsdl", transport=transport)
print(sorted(client.wsdl.services["Sums"].ports["Port"].binding._operations))
print(client.service.Add(a=1, b=2), client.service.Add(3, 4), sorted(session.cookies.items()))
print(zeep.Client(f"{url}/sums.wsdl", transport=transport).service.Add(5, 6))
try:
    client.service.Add(0, 1)
except zeep.exceptions.Fault as fault:
    print(fault.code, fault.message)
with client.settings(raw_response=True):
    response = client.service.Add(1, 2)
    print(response.status_code, response.headers["Content-Type"], len(response.content))
session.auth = None
try:
    client.service.Add(1, 2)
except zeep.exceptions.TransportError as error:
    print(error.status_code, error.content)
try:
    zeep.Client(f"{url}/missing.wsdl", transport=transport)
except requests.HTTPError as error:
    print(error.response.status_code, error.response.reason)
session.close()
