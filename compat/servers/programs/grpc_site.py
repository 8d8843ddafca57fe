"""grpcio: grpc_site.py PORT_FILE CLEAR_PORT_FILE KEY CERTIFICATE; its messages are bytes."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from content import FILES

_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def _get(request: bytes, context: Any) -> bytes:
    context.set_trailing_metadata([("checksum", "abc")])
    return FILES.get(request.decode()[1:], FILES["small"])


def _echo(request: bytes, context: Any) -> bytes:
    return request


def main(port_file: str, clear_file: str, key: str, certificate: str) -> None:
    """Listen on two ports, and serve."""
    server = grpc.server(ThreadPoolExecutor(8), options=_UNLIMITED)
    methods = {
        name: grpc.unary_unary_rpc_method_handler(call) for name, call in (("Get", _get), ("Echo", _echo))
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("site", methods)])
    pair = [(Path(key).read_bytes(), Path(certificate).read_bytes())]
    secure = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(pair))
    clear = server.add_insecure_port("127.0.0.1:0")
    server.start()
    for port, file in ((secure, port_file), (clear, clear_file)):
        Path(file + ".new").write_text(str(port))
        os.replace(file + ".new", file)
    server.wait_for_termination()


if __name__ == "__main__":
    main(*sys.argv[1:])
