"""What the native engine knows of a stream while it is open."""

from ...messages.response_rules import Message
from .windows import InboundWindow


class OpenStream(InboundWindow):
    """What the engine knows of a stream while it is open: one object with its window, as there are many."""

    __slots__ = ("ended", "message", "outbound")

    def __init__(self, message: Message, window: int, outbound: int, ended: bool) -> None:
        InboundWindow.__init__(self, window)  # super() would take as long as all that follows
        self.message: Message = message
        self.outbound: int = outbound  # how much of the body the peer takes; below 0 after SETTINGS shrank it
        self.ended: bool = ended  # by us: the request is complete

    @property
    def room(self) -> int:
        """How many bytes of the body may come now: by the window, and by the length that was announced."""
        room = self.message.room
        return self.left if room is None else min(self.left, room)
