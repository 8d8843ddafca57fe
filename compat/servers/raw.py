"""HTTP/2 by hand, without hyperlite: a few frames to a server, and what comes back, a line for each.

    python -m compat.servers.raw PORT PATH... [--ca FILE] [--post SIZE] [--late] [--trailer] [--times N]
                                              [--reload COMMAND]

Without --ca there is no TLS.  The requests are sent at once; each DATA frame is answered by WINDOW_UPDATE.
"""

import argparse
import shlex
import socket
import ssl
import subprocess
import time
from collections import Counter
from collections.abc import Iterator

from hpack import Decoder, Encoder
from hyperframe.frame import DataFrame, Frame, HeadersFrame, PingFrame, SettingsFrame, WindowUpdateFrame

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# Names of RFC 9113 section 6.5.2, RFC 8441, RFC 9218.
NAMES = {
    1: "HEADER_TABLE_SIZE",
    2: "ENABLE_PUSH",
    3: "MAX_CONCURRENT_STREAMS",
    4: "INITIAL_WINDOW_SIZE",
    5: "MAX_FRAME_SIZE",
    6: "MAX_HEADER_LIST_SIZE",
    8: "ENABLE_CONNECT_PROTOCOL",
    9: "NO_RFC7540_PRIORITIES",
}


def dial(port: int, ca_file: str = "") -> socket.socket:
    """Return a connection on which the preface is sent; with TLS if an authority is named."""
    sock = socket.create_connection(("127.0.0.1", port), 20)
    if ca_file:
        context = ssl.create_default_context(cafile=ca_file)
        context.set_alpn_protocols(["h2"])
        sock = context.wrap_socket(sock, server_hostname="localhost")
        assert sock.selected_alpn_protocol() == "h2", "the server does not choose h2"
    sock.sendall(PREFACE + SettingsFrame(0).serialize())
    return sock


def frames(sock: socket.socket) -> Iterator[Frame]:
    """Yield what comes, until the connection ends; SETTINGS and PING are acknowledged."""
    with sock.makefile("rb") as file:
        while len(head := file.read(9)) == 9:
            frame, length = Frame.parse_frame_header(memoryview(head))
            frame.parse_body(memoryview(file.read(length)))
            if isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
                sock.sendall(SettingsFrame(0, flags=["ACK"]).serialize())
            if isinstance(frame, PingFrame) and "ACK" not in frame.flags:
                sock.sendall(PingFrame(0, frame.opaque_data, flags=["ACK"]).serialize())
            yield frame


def settings(port: int, ca_file: str = "") -> dict[str, int]:
    """Return the SETTINGS of a server, by their names."""
    with dial(port, ca_file) as sock:
        first = next(frames(sock))
        assert isinstance(first, SettingsFrame), f"the first frame is {first!r}"
        return {NAMES.get(number, hex(number)): value for number, value in first.settings.items()}


def main() -> None:
    """Send the requests and show what comes."""
    parser = argparse.ArgumentParser(prog="python -m compat.servers.raw")
    parser.add_argument("port", type=int)
    parser.add_argument("--ca", default="", help="the authority's file: with TLS")
    parser.add_argument("--post", type=int, help="POST, with so many bytes")
    parser.add_argument("--late", action="store_true", help="what is posted follows the response's header")
    parser.add_argument("--trailer", action="store_true", help="the request ends with a trailer")
    parser.add_argument("--times", type=int, default=1, help="so many requests at once")
    parser.add_argument(
        "--reload", default="", help="a command to run when the first byte of a body has come"
    )
    parser.add_argument("path", nargs="+", help="each in turn")
    options = parser.parse_args()
    with dial(options.port, options.ca) as sock:
        encoder = Encoder()
        for number in range(options.times):
            path = options.path[number % len(options.path)]
            sock.sendall(_request(encoder, 2 * number + 1, path, options))
        _show(sock, options)


def _request(encoder: Encoder, stream_id: int, path: str, options: argparse.Namespace) -> bytes:
    """Return the frames of a request."""
    posts = options.post is not None
    fields = {
        ":method": "POST" if posts else "GET",
        ":scheme": "https" if options.ca else "http",
        ":authority": f"localhost:{options.port}",
        ":path": path,
    }
    made: list[Frame] = [HeadersFrame(stream_id, encoder.encode(fields), flags=["END_HEADERS"])]
    if posts:
        made.append(DataFrame(stream_id, bytes(0 if options.late else options.post)))
    if options.trailer:
        made.append(HeadersFrame(stream_id, encoder.encode({"checksum": "abc"}), flags=["END_HEADERS"]))
    if not options.late:
        made[-1].flags.add("END_STREAM")
    return b"".join(frame.serialize() for frame in made)


def _show(sock: socket.socket, options: argparse.Namespace) -> None:
    """Print what comes until all is answered, or the connection ends."""
    decoder, bodies, ended, reloaded = Decoder(), Counter[int](), 0, not options.reload
    try:
        for frame in frames(sock):
            if isinstance(frame, DataFrame):
                bodies[frame.stream_id] += len(frame.data)
                for number in (0, frame.stream_id) if frame.flow_controlled_length else ():
                    update = WindowUpdateFrame(number, window_increment=frame.flow_controlled_length)
                    sock.sendall(update.serialize())
                if not reloaded:
                    reloaded = True
                    subprocess.run(shlex.split(options.reload), check=True)
                    time.sleep(3)
            elif isinstance(frame, HeadersFrame):
                print("HEADERS", frame.stream_id, decoder.decode(frame.data))
                if options.late:
                    sock.sendall(DataFrame(frame.stream_id, bytes(options.post)).serialize())
            else:
                print(frame)
            ended += "END_STREAM" in frame.flags
            if ended == options.times and not options.late:
                break
        else:
            print("the connection ends")
    except OSError as error:
        print(f"the connection ends: {error}")
    print(f"{ended} of {options.times} responses are complete; bytes of each: {dict(bodies)}")


if __name__ == "__main__":
    main()
