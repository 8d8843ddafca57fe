"""Bytes of a body that have come and were not read: put in at one end, taken out at the other.

On HTTP/2 each stream has such a `Buffer`. On HTTP/1.1 it holds the rest of a response that was read into
memory to make way for the next one. It has no lock: its owner guards it.
"""

from collections import deque

# Pieces smaller than this are gathered in one bytearray: an object for each would cost 40 times its bytes.
SMALL_PIECE = 1024
# Such a bytearray takes no more when it has grown to this.
FULL_PIECE = 16384


class Buffer:
    """Bytes of a body that have come and were not read.

    Attributes:
        size: how many.
    """

    __slots__ = ("_pieces", "_start", "size")

    def __init__(self) -> None:
        self._pieces: deque[bytes | bytearray] = deque()
        self._start = 0  # how much of the first piece was taken
        self.size: int = 0

    def put(self, data: bytes) -> None:
        """Add a piece at the end."""
        self.size += len(data)
        if len(data) >= SMALL_PIECE or not self._pieces:
            self._pieces.append(data)
            return
        last = self._pieces[-1]
        if isinstance(last, bytearray) and len(last) < FULL_PIECE:
            last += data
        else:
            self._pieces.append(bytearray(data))

    def take(self, limit: int) -> bytes:
        """Take up to `limit` bytes from the front; a piece that is taken alone and whole is not copied."""
        pieces = self._pieces
        if len(pieces) == 1 and limit >= self.size and not self._start:  # nearly always
            self.size = 0
            return bytes(pieces.popleft())
        room = limit - len(pieces[0]) + self._start
        if room < 0:
            start, self._start = self._start, self._start + limit
            self.size -= limit
            return bytes(pieces[0][start : self._start])
        taken = [pieces.popleft()]
        if self._start:
            taken[0] = taken[0][self._start :]
            self._start = 0
        while pieces and room >= len(pieces[0]):
            room -= len(pieces[0])
            taken.append(pieces.popleft())
        if pieces and room:
            taken.append(pieces[0][:room])
            self._start, room = room, 0
        self.size -= limit - room
        return bytes(taken[0]) if len(taken) == 1 else b"".join(taken)

    def take_into(self, view: memoryview) -> int:
        """Fill a buffer from the front; return how many bytes it got."""
        taken = 0
        while self._pieces and taken < len(view):
            piece, start = self._pieces[0], self._start
            size = min(len(piece) - start, len(view) - taken)
            whole = size == len(piece)
            view[taken : taken + size] = piece if whole else piece[start : start + size]
            taken += size
            if start + size == len(piece):
                self._pieces.popleft()
                self._start = 0
            else:
                self._start = start + size
        self.size -= taken
        return taken

    def put_back(self, data: bytes) -> None:
        """Put back at the front what was taken there."""
        if not data:
            return
        start = self._start - len(data)
        if start >= 0 and self._pieces[0][start : self._start] == data:  # it is still there
            self._start = start
        else:
            if self._start:
                self._pieces[0] = self._pieces[0][self._start :]
                self._start = 0
            self._pieces.appendleft(data)
        self.size += len(data)  # last: after an earlier interrupt the size shows that bytes are lost

    def peek(self) -> bytes:
        """Return what is left of the piece at the front, without taking it; b"" if there is none."""
        return bytes(self._pieces[0][self._start :]) if self._pieces else b""

    def clear(self) -> None:
        """Throw away what is there."""
        self._pieces.clear()
        self._start = self.size = 0
