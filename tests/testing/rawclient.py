"""A plain HTTP/2 client on top of h2, to judge the server without the client that it is there for."""

import socket
from contextlib import suppress
from dataclasses import dataclass, field

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection

TIMEOUT = 5.0


@dataclass
class Reply:
    """What has come on a stream so far."""

    informational: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    trailers: dict[str, str] = field(default_factory=dict)
    ended: bool = False
    reset: int | None = None

    @property
    def status(self) -> str:
        return self.headers[":status"]


class RawClient:
    """A connection; a thread that waits for one thing also reads and answers everything else."""

    def __init__(self, server, *, secure=True, credit=True, settings=None, flush=True):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if secure:
            context = server.context()
            context.set_alpn_protocols(["h2"])
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
            assert self.socket.selected_alpn_protocol() == "h2"
        self.credit = credit
        self.replies: dict[int, Reply] = {}
        self.events: list[events.Event] = []
        self.goaway: tuple[int, int] | None = None  # the last stream and the error code
        self.partial = b""
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="latin-1"))
        self.h2.local_settings.update(settings or {})
        self.h2.local_settings.acknowledge()
        self.h2.initiate_connection()
        if flush:
            self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def request(self, path, method="GET", headers=(), body=b"", *, end=True, flush=True):
        """Send a request, or with `end=False` the beginning of one, and return its stream's number."""
        number = self.h2.get_next_available_stream_id()
        self.replies[number] = Reply()
        pseudo = [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path)]
        self.h2.send_headers(number, [*pseudo, *headers], end_stream=end and not body)
        if flush:
            self.flush()
        if body:
            self.send(number, body, end=end)
        return number

    def send(self, number, body, *, end=False):
        """Send a piece of a body, as the windows allow."""
        while body:
            window = self.h2.local_flow_control_window(number)
            if window <= 0:
                self.receive()
                continue
            size = min(window, self.h2.max_outbound_frame_size, len(body))
            self.h2.send_data(number, body[:size], end_stream=end and size == len(body))
            body = body[size:]
            self.flush()

    def end(self, number, trailers=()):
        if trailers:
            self.h2.send_headers(number, trailers, end_stream=True)
        else:
            self.h2.end_stream(number)
        self.flush()

    def reset(self, number, code=8):
        self.h2.reset_stream(number, code)
        self.flush()

    def receive(self):
        """Take what comes next. Raises EOFError at the end of the connection."""
        data = self.socket.recv(1 << 16)
        if not data:
            raise EOFError
        for event in self.h2.receive_data(self.without_goaway(data)):
            self.events.append(event)
            reply = self.replies.get(getattr(event, "stream_id", 0))
            match event:
                case events.InformationalResponseReceived():
                    headers = dict(event.headers)
                    reply.informational.append((headers.pop(":status"), headers))
                case events.ResponseReceived():
                    reply.headers = dict(event.headers)
                case events.TrailersReceived():
                    reply.trailers = dict(event.headers)
                case events.DataReceived():
                    reply.body += event.data
                    if self.credit:
                        self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                case events.StreamEnded():
                    reply.ended = True
                case events.StreamReset():
                    reply.reset = event.error_code
        self.flush()

    def without_goaway(self, data):
        """Return the whole frames; keep GOAWAYs to ourselves, because h2 would fall silent after one."""
        data = self.partial + data
        frames = []
        while len(data) >= 9 and len(data) >= (size := 9 + int.from_bytes(data[:3])):
            if data[3] == 7:
                self.goaway = int.from_bytes(data[9:13]), int.from_bytes(data[13:17])
            else:
                frames.append(data[:size])
            data = data[size:]
        self.partial = data
        return b"".join(frames)

    def until(self, condition):
        while not condition():
            self.receive()

    def reply(self, number):
        """Return the whole reply on a stream, or what has come of it before a reset."""
        reply = self.replies[number]
        self.until(lambda: reply.ended or reply.reset is not None)
        return reply

    def get(self, path, method="GET", headers=(), body=b""):
        return self.reply(self.request(path, method, headers, body))

    def saw(self, kind):
        """Return the last event of a kind; wait for it if there is none."""
        found = []

        def search():
            found[:] = [event for event in self.events if isinstance(event, kind)]
            return found

        self.until(search)
        return found[-1]

    def round_trip(self):
        """Wait until the server has seen all that was sent."""
        self.events = [event for event in self.events if not isinstance(event, events.PingAckReceived)]
        self.h2.ping(b"12345678")
        self.flush()
        self.saw(events.PingAckReceived)

    def until_closed(self):
        """Take all that comes until the server closes the connection."""
        with suppress(EOFError):
            while True:
                self.receive()
