"""Connect to a vCenter and ask for the time; pin a certificate that no authority vouches for."""

import hashlib
import ssl
import sys
from urllib.parse import urlsplit

from pyVim.connect import Connect, Disconnect, SmartConnect
from pyVmomi import vim

url = urlsplit(sys.argv[1])
pem = ssl.get_server_certificate((url.hostname, url.port))
thumbprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
where = {"host": url.hostname, "port": url.port, "user": "me"}


def trusting_none() -> ssl.SSLContext:
    """Return a context that trusts no authority."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


for connect, options in (
    (SmartConnect, {}),
    (SmartConnect, {"sslContext": ssl.create_default_context()}),
    (Connect, {"thumbprint": thumbprint, "sslContext": trusting_none()}),
):
    vcenter = connect(**where, pwd="secret", **options)
    print(vcenter.RetrieveContent().about.fullName, [str(vcenter.CurrentTime()) for _ in range(3)])
    Disconnect(vcenter)
for options in ({"pwd": "wrong", "thumbprint": thumbprint}, {"pwd": "secret", "thumbprint": "0" * 64}):
    try:
        Connect(**where, **options, sslContext=trusting_none())
    except vim.fault.InvalidLogin as fault:
        print(type(fault).__name__, fault.msg)
    except Exception as error:
        print(type(error).__name__, str(error)[:100])
