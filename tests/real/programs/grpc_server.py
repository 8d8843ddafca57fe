"""A gRPC server, made by grpcio and protobuf: test_grpc.py starts it.

    python tests/real/programs/grpc_server.py PORT_FILE [KEY_FILE CERTIFICATE_FILE]

Its messages are google.protobuf.Int64Value, which the protobuf package has ready.
"""

import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from google.protobuf.wrappers_pb2 import Int64Value

# Seconds beyond which grpcio means that there is no limit: it knows two ways of saying so.
FOREVER = 1e9

cancelled = threading.Event()


def square(request: Int64Value, context: grpc.ServicerContext) -> Int64Value:
    """Unary, with metadata before and behind."""
    seen = dict(context.invocation_metadata())
    context.send_initial_metadata([("seen", seen.get("question", "nothing"))])
    context.set_trailing_metadata([("asked", str(request.value))])
    return Int64Value(value=request.value**2)


def count_to(request: Int64Value, _: grpc.ServicerContext) -> Iterator[Int64Value]:
    """Server streaming."""
    for number in range(request.value):
        yield Int64Value(value=number + 1)


def add_up(requests: Iterable[Int64Value], _: grpc.ServicerContext) -> Int64Value:
    """Client streaming."""
    return Int64Value(value=sum(request.value for request in requests))


def add_up_as_we_go(requests: Iterable[Int64Value], _: grpc.ServicerContext) -> Iterator[Int64Value]:
    """Bidirectional: each message is answered before the next is awaited."""
    total = 0
    for request in requests:
        total += request.value
        yield Int64Value(value=total)


def root(request: Int64Value, context: grpc.ServicerContext) -> Int64Value:
    """Fail for negative numbers, and before anything was sent: the answer is trailers only."""
    if request.value < 0:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no root of a negative number: 100 %, or \u221a-1")
    return Int64Value(value=round(request.value**0.5))


def fail_after(request: Int64Value, context: grpc.ServicerContext) -> Iterator[Int64Value]:
    """Fail behind some messages."""
    yield from count_to(request, context)
    context.abort(grpc.StatusCode.DATA_LOSS, "that was all")


def wait(request: Int64Value, context: grpc.ServicerContext) -> Iterator[Int64Value]:
    """Send one message and wait until the client wants no other; `was_cancelled` then tells."""
    cancelled.clear()
    context.add_callback(cancelled.set)
    yield request
    cancelled.wait()


def was_cancelled(_: Int64Value, context: grpc.ServicerContext) -> Int64Value:
    """Wait until the client has given up `wait`."""
    return Int64Value(value=int(cancelled.wait(context.time_remaining())))


def remaining(_: Int64Value, context: grpc.ServicerContext) -> Int64Value:
    """Tell how many milliseconds the client has granted; -1 for any number."""
    left = context.time_remaining()
    unlimited = left is None or left > FOREVER
    return Int64Value(value=-1 if unlimited else round(left * 1000))


KINDS = {
    grpc.unary_unary_rpc_method_handler: {
        "Square": square,
        "Root": root,
        "Remaining": remaining,
        "WasCancelled": was_cancelled,
    },
    grpc.unary_stream_rpc_method_handler: {"CountTo": count_to, "FailAfter": fail_after, "Wait": wait},
    grpc.stream_unary_rpc_method_handler: {"AddUp": add_up},
    grpc.stream_stream_rpc_method_handler: {"AddUpAsWeGo": add_up_as_we_go},
}


def main(port_file: str, *tls_files: str) -> None:
    """Serve until the process is stopped."""
    handlers = {
        name: kind(
            function,
            request_deserializer=Int64Value.FromString,
            response_serializer=Int64Value.SerializeToString,
        )
        for kind, functions in KINDS.items()
        for name, function in functions.items()
    }
    server = grpc.server(ThreadPoolExecutor(100), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Calculator", handlers)])
    if tls_files:
        key, certificate = (Path(name).read_bytes() for name in tls_files)
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    Path(port_file + ".new").write_text(str(port))
    Path(port_file + ".new").rename(port_file)
    server.wait_for_termination()


if __name__ == "__main__":
    main(*sys.argv[1:])
