"""Server-sent events: an event stream, interpreted as the HTML standard says (WHATWG, section 9.2.6).

Reconnecting, and with it `Last-Event-ID` and the wait that `retry` asks for, is the program's.
"""

from dataclasses import dataclass

from .lines import Lines, Parser

# Characters that an event may have: all its data, and the line under way. Events that carry an image or a
# page have some hundred thousand. A browser has no limit, and the peer decides.
MAX_EVENT = 1 << 20
# Digits of a `retry` that is heeded: milliseconds for 30,000 years.
MAX_RETRY_DIGITS = 15


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """An event of an event stream.

    Attributes:
        event: its type; "message" if the stream names none.
        data: the values of its `data` fields, with a newline between them.
        id: the last event ID when it was dispatched, from this event or one before; "" if there is none. A
            program that reconnects sends it as `Last-Event-ID`, unless it is empty.
        retry: the milliseconds to wait before reconnecting, which the stream has set by then; None: it has
            set none.
    """

    event: str = "message"
    data: str = ""
    id: str = ""
    retry: int | None = None


class Events(Parser[ServerSentEvent]):
    """Events. One that its stream leaves incomplete is dropped, as the standard says.

    Args:
        limit: characters that an event may have; see `MAX_EVENT`.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit
        self._lines = Lines("utf_8", limit, "max_event")  # whatever charset the Content-Type has
        self._data: list[str] = []
        self._size = 0
        self._type = ""
        self._id = ""
        self._retry: int | None = None

    def feed(self, data: bytes) -> None:
        """Take the next piece of the stream."""
        self._lines.feed(data)
        lines = self._lines.ready
        while lines and self.error is None:
            self._interpret(lines.popleft())
        if self.error is None and self._lines.error is not None:
            self.refuse(str(self._lines.error))

    def _interpret(self, line: str) -> None:
        if not line:
            self._dispatch()
            return
        name, _, value = line.partition(":")  # of a comment the name is empty
        value = value.removeprefix(" ")
        if name == "data":
            self._size += len(value) + bool(self._data)
            self._data.append(value)
            if self._size > self._limit:
                self._data.clear()
                self.refuse(f"an event is longer than {self._limit} characters (max_event=)")
        elif name == "event":
            self._type = value
        elif name == "id":
            if "\0" not in value:
                self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            digits = value.lstrip("0") or "0"
            if len(digits) <= MAX_RETRY_DIGITS:
                self._retry = int(digits)

    def _dispatch(self) -> None:
        kind, data = self._type or "message", self._data
        if data:  # a field `data` that is empty counts too
            self.ready.append(ServerSentEvent(kind, "\n".join(data), self._id, self._retry))
        self._type, self._data, self._size = "", [], 0
