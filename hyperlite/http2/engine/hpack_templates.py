"""What the header blocks of one connection have in common: fields that stay, and fields whose value changes.

A server composes its blocks in a few ways, and writes most fields in the same bytes each time.  A *run* is a
sequence of fields that came in the same bytes.  A *hole* is a field whose value changes, between two runs.
A decoder compares a run with the block at once, and decodes the holes alone.

::

    run: 88 76.. 61.. 5f..   ──>  hole: 5c (content-length)  ──>  run: 6c..  ──>  hole: 62 (etag)  ──>  run
                             └─>  hole: 6e (location)        ──>  run

Rules: a template refers to no dynamic table, so that it holds whatever the table has.  It holds no secrets,
of whose fields only the names are a part of it.  What one block costs does not depend on the blocks
before it: no byte is compared with more than one run, and a block is learnt from only now and then.
"""

from collections.abc import Sequence

from ...messages.fields import Field
from .hpack_entry import FIRST_DYNAMIC, SECRET_MARK, Entry, integer, make_entry, mark_of

# Holes on one connection. A server has a dozen for each kind of response.
MAX_HOLES = 256
# Bytes of the runs, as they stand in blocks.
MAX_BYTES = 32 << 10
# Bytes of a value that a hole remembers.
MAX_VALUE = 256
# Values that a hole remembers one after the other; then one of so many: to remember a value that never comes
# again costs more than to decode a date a few times each second.
PATIENCE = 8
# Bytes of a value that stays; longer ones are seldom sent, and cost little for each byte.
MAX_CODE = 4096
# Fields that are learnt from one block. To split runs takes the square of it.
MAX_PIECES = 128
# Blocks that may be learnt from in a row; then one of so many, and one more for each that follows a template.
LESSONS = 64

# By its first byte, how the head of a field ends: with that byte, with the next, or with a name.
_BYTE, _TWO_BYTES, _NAME, _NO_HEAD = range(4)


def _kind_of_head(first: int) -> int:
    if first >= 0x80:
        return _BYTE if 0x80 < first < 0x80 | FIRST_DYNAMIC else _NO_HEAD
    if 0x20 <= first < 0x40 or first & 0x3F >= FIRST_DYNAMIC:
        return _NO_HEAD
    if first in (0x00, 0x10, 0x40):
        return _NAME
    return _TWO_BYTES if first in (0x0F, 0x1F) else _BYTE


_KINDS = bytes(_kind_of_head(first) for first in range(256))
# The greatest second byte of a head of two: with more, the name is in the dynamic table.
_LAST_SECOND = FIRST_DYNAMIC - 1 - 0x0F


def head_of(block: bytes, at: int) -> bytes:
    """Return what a field begins with, up to its value.

    Of a field that no template can have this is b"", or something that no template has.
    """
    kind = _KINDS[block[at]]
    if kind == _BYTE:
        return block[at : at + 1]
    if kind == _NAME:
        return block[at : at + 2 + (block[at + 1] & 0x7F)]
    return block[at : at + 2] if kind == _TWO_BYTES else b""


class Piece:
    """One field of a run, as it stands in a block.

    Attributes:
        head: up to the value; the whole field if it is one of the static table.
        code: the value, with its length.
        entry: what it says.
        fixed: it may be a part of a run.
    """

    __slots__ = ("code", "entry", "fixed", "head")

    def __init__(self, head: bytes, code: bytes, entry: Entry, fixed: bool) -> None:
        self.head: bytes = head
        self.code: bytes = code
        self.entry: Entry = entry
        self.fixed: bool = fixed

    @property
    def indexed(self) -> bool:
        """Whether it enters the dynamic table (RFC 7541 section 6.2.1)."""
        return 0x40 <= self.head[0] < 0x80


class Run:
    """Fields that came in the same bytes each time, and what may follow them.

    Attributes:
        code: the bytes.
        length: how many.
        fields: what they say.
        entries: those of them that enter the dynamic table.
        size: of the fields, in a header list.
        holes: what follows, by its head.
        usual: the one that followed last.
    """

    __slots__ = ("code", "entries", "fields", "holes", "length", "pieces", "size", "usual")

    def __init__(self, pieces: "list[Piece]", holes: "dict[bytes, Hole]", usual: "Hole | None") -> None:
        self.holes: dict[bytes, Hole] = holes
        self.usual = usual
        self.set_pieces(pieces)

    def set_pieces(self, pieces: "list[Piece]") -> None:
        """Have the run consist of these."""
        self.pieces: list[Piece] = pieces
        self.code: bytes = b"".join([piece.head + piece.code for piece in pieces])
        self.length: int = len(self.code)
        self.fields: list[Field] = [piece.entry[0] for piece in pieces]
        self.entries: list[Entry] = [piece.entry for piece in pieces if piece.indexed]
        self.size: int = sum(piece.entry[1] for piece in pieces)

    def follow(self, block: bytes, at: int) -> "Hole | None":
        """Return the hole that stands here in a block; None if no template knows it."""
        hole = self.holes.get(head_of(block, at))
        if hole is not None:
            self.usual = hole
        return hole


class Hole:
    """A field whose value changes.

    Attributes:
        head: what it begins with.
        length: how many bytes that is.
        name: of the field.
        size: of the field in a header list, without the value.
        mark: what is to be said of each such field.
        indexed: it enters the dynamic table.
        code, entry: the last value, and the field that it makes; None: it is not remembered, for it is a
            secret or long. A field of the static table has nothing behind its head.
        misses: how many values came that were not the last one.
        run: what follows.
    """

    __slots__ = ("code", "entry", "head", "indexed", "length", "mark", "misses", "name", "run", "size")

    def __init__(self, piece: Piece, run: Run) -> None:
        (name, value), size, _ = piece.entry
        self.name: bytes = name
        self.head: bytes = piece.head
        self.length: int = len(piece.head)
        self.size: int = size - len(value)
        self.mark: int = mark_of(self.name) | (SECRET_MARK if 0x10 <= self.head[0] < 0x20 else 0)
        self.indexed: bool = piece.indexed
        self.run: Run = run
        self.misses: int = 0
        self.code: bytes = b""
        self.entry: Entry | None = None
        if len(piece.code) <= MAX_VALUE and not self.mark & SECRET_MARK:
            self.code, self.entry = piece.code, piece.entry


class Templates:
    """The templates of one connection: a tree.

    Attributes:
        root: where all of them begin.
        lessons: how many blocks may be learnt from, one after the other. Each block that follows a template
            to its end makes up for one.
    """

    def __init__(self) -> None:
        self.lessons: int = LESSONS
        self._missed = 0
        self.root: Run = Run([], {}, None)
        self._holes = self._bytes = 0

    def learn(self, run: Run, block: bytes, at: int, fields: Sequence[Field]) -> None:
        """Learn from a block that no template describes, if it is not too soon.

        Args:
            run: where the templates end, which were followed.
            block: the block.
            at: where in it that run would be, or what follows it.
            fields: what the block says from there on.
        """
        if not self.lessons:
            self._missed += 1
            if self._missed < LESSONS:
                return
            self._missed = 0
        else:
            self.lessons -= 1
        if self._holes > MAX_HOLES or self._bytes > MAX_BYTES:
            self.root = Run([], {}, None)
            self._holes = self._bytes = 0
            return
        pieces = _pieces(block, at, fields)
        while pieces:
            if not (run.pieces or run.holes):
                self._grow(run, pieces)
                return
            same = 0
            for mine, its in zip(run.pieces, pieces, strict=False):
                if mine.head != its.head or mine.code != its.code:
                    break
                same += 1
            if same < len(run.pieces):
                self._split(run, same)
            del pieces[:same]
            if pieces:
                run = self._dig(run, pieces.pop(0))

    def _dig(self, run: Run, piece: Piece) -> Run:
        """Return what follows a hole behind a run; the hole is made if it is not there."""
        hole = run.holes.get(piece.head)
        if hole is None:
            self._holes += 1
            self._bytes += len(piece.head)
            hole = run.holes[piece.head] = run.usual = Hole(piece, Run([], {}, None))
        return hole.run

    def _split(self, run: Run, place: int) -> None:
        """End a run before one of its pieces, which becomes a hole."""
        piece = run.pieces[place]
        hole = Hole(piece, Run(run.pieces[place + 1 :], run.holes, run.usual))
        run.holes, run.usual = {piece.head: hole}, hole
        run.set_pieces(run.pieces[:place])
        self._holes += 1

    def _grow(self, run: Run, pieces: "list[Piece]") -> None:
        """Have a run that is empty consist of these pieces, but for those that can only be holes."""
        while pieces:
            fixed = next((place for place, piece in enumerate(pieces) if not piece.fixed), len(pieces))
            run.set_pieces(pieces[:fixed])
            self._bytes += run.length
            if fixed == len(pieces):
                return
            run = self._dig(run, pieces[fixed])
            pieces = pieces[fixed + 1 :]


def _pieces(block: bytes, at: int, fields: Sequence[Field]) -> "list[Piece]":
    """Take a block apart from a place on, up to the first field that no template can have."""
    pieces: list[Piece] = []
    for name, value in fields[:MAX_PIECES]:
        first = block[at]
        kind = _KINDS[first]
        head = head_of(block, at)
        if kind == _NO_HEAD or (kind == _TWO_BYTES and head[1] > _LAST_SECOND):
            break
        if kind == _NAME and head[1] & 0x7F == 0x7F:
            break
        start = at = at + len(head)
        if first < 0x80:
            length, at = integer(block, at, 7)
            at += length
        entry = make_entry(name, value)
        secret = entry[2] & SECRET_MARK or 0x10 <= first < 0x20
        if at - start > MAX_CODE or (secret and first >= 0x80):
            break
        is_first = not pieces and start == len(head)  # :status, which is no regular field
        pieces.append(Piece(head, block[start:at], entry, fixed=not secret and (is_first or not entry[2])))
    return pieces
