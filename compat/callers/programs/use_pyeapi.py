"""Ask a switch for its version and configuration, change it, and be refused."""

import sys
from urllib.parse import urlsplit

import pyeapi
from pyeapi.eapilib import CommandError
from pyeapi.eapilib import ConnectionError as RefusedError

url = urlsplit(sys.argv[1])
where = {"transport": "https", "host": url.hostname, "port": url.port, "username": "me", "timeout": 30}
node = pyeapi.connect(**where, password="secret", return_node=True)
print(node.enable(["show version", "show hostname"]))
print(node.run_commands("show version", encoding="json"), node.version)
print(len(node.running_config))
print(node.config(["vlan 10", "name blue"]))
for _ in range(10):
    node.run_commands("show hostname")
try:
    node.enable("wrong command")
except CommandError as error:
    print(type(error).__name__, error.command_code if hasattr(error, "command_code") else "", error)
try:
    pyeapi.connect(**where, password="no", return_node=True).enable("show version")
except RefusedError as error:
    print(type(error).__name__, error)
