"""The heads and trailers of HTTP/1.1: status lines and field lines, checked before use.

http.client is tolerant: a line without a colon ends the header block, a bare CR begins a new line, and a
connection that breaks off ends the block too.  Here such a response is malformed (RFC 9112 sections 2.2 and
5), because another reader, a proxy or a cache, might read it otherwise.

The limits are http.client's own, looked up at each use: a program that raises
`http.client._MAXHEADERS` raises it here too.
"""

import http.client as http_client
import io
import re
from collections.abc import Sequence
from typing import Any

from ..errors import ConnectionLost, ErrorCode, MalformedResponse, NotHTTP1
from .fields import Field
from .greetings import may_be_one, wanted
from .response_rules import content_length

# RFC 9112 section 4. The text behind the code is for people; http.client accepts any.
_status_line = re.compile(rb"HTTP/\d\.\d[ \t]+([1-9]\d\d)(?:[ \t][^\r\n\0]*)?\r?\n").fullmatch
# RFC 9112 section 5.1, but with all names that http.client accepts: visible characters without a colon.
_field_line = re.compile(rb"([!-9;-~]+):[ \t]*([^\r\n\0]*?)[ \t]*\r?\n").fullmatch
_folded_line = re.compile(rb"[ \t]+([^\r\n\0]*?)[ \t]*\r?\n").fullmatch
# The same for many lines at once; only the end of each value is still to be checked.
_field_lines = re.compile(rb"^([!-9;-~]+):[ \t]*([^\r\n\0]*)\r\n", re.MULTILINE).findall
# Fields that say where a response ends, and whether another may follow.
_FRAMING = frozenset(
    {b"connection", b"content-length", b"keep-alive", b"proxy-connection", b"transfer-encoding"}
)


class HeadCutOff(ConnectionLost):
    """The connection ended within a header block.

    Attributes:
        status: the response's.
        fields: those of the whole lines that had come.
    """

    status = 0
    fields: Sequence[Field] = ()


class LineReader:
    """Reads lines; if a wait ends in the middle of a line, its beginning is kept.

    Args:
        file: what to read from.
        most: fields that a block of lines may have; None: as many as http.client accepts.
    """

    def __init__(self, file: io.BufferedReader, most: int | None = None) -> None:
        self._file = file
        self._most = most
        self._begun = bytearray()

    @property
    def most(self) -> int:
        """How many fields a block may have."""
        usual: int = http_client._MAXHEADERS  # type: ignore[attr-defined]
        return usual if self._most is None else self._most

    def read(self, what: str, start: bytes = b"") -> bytes:
        """Return a line with its end, unless the end of the connection has cut it off.

        Args:
            what: the kind of line, for the error.
            start: how it must begin; of another line only as much is read as shows what it is.

        Raises:
            http.client.LineTooLong: it is longer than http.client allows.
        """
        line = self._begun
        longest: int = http_client._MAXLINE  # type: ignore[attr-defined]
        while not line.endswith(b"\n"):
            ahead = self._file.peek(1)
            if not ahead:
                break
            line += self._file.read(ahead.find(b"\n") + 1 or len(ahead))
            if not (start.startswith(line[: len(start)]) or may_be_one(line)):
                break
            if len(line) > longest:
                raise http_client.LineTooLong(what)
        self._begun = bytearray()
        return bytes(line)

    def read_plain_head(self) -> tuple[bytes, list[Field], int] | None:
        """Return a start line, the fields below it and their size, if the whole head has come and is plain.

        Otherwise return None, and take nothing.
        """
        if self._begun:
            return None
        ahead = self._file.peek(1)
        end = ahead.find(b"\r\n\r\n") + 4
        longest: int = http_client._MAXLINE  # type: ignore[attr-defined]
        if not 4 <= end <= longest:
            return None
        start = ahead.find(b"\n") + 1
        block = ahead[start : end - 2]
        fields = _field_lines(block)
        # Each match ends one line: if their numbers agree, there is nothing else.
        if (
            len(fields) != block.count(b"\n")
            or len(fields) > self.most
            or b" \r" in block
            or b"\t\r" in block
        ):
            return None
        self._file.read(end)
        return ahead[:start], fields, end


class BlockReader:
    """Reads a block of field lines to the empty line behind it.

    Args:
        lines: where they come from.
        what: the kind of lines, for errors.
        bare_lf: a line may end with LF alone (RFC 9112 section 2.2), as http.client allows. Behind chunks it
            may not: a reader that waits for a CR LF there takes the next response for a part of this one.
    """

    def __init__(self, lines: LineReader, what: str, *, bare_lf: bool) -> None:
        self._lines = lines
        self._what = what
        self._bare_lf = bare_lf
        self.fields: list[Field] = []  # that have come so far
        self.size: int = 0

    def read(self, max_size: int | None = None) -> list[Field]:
        """Return the fields, folded lines unfolded (RFC 9112 section 5.2); to be called again if paused.

        Args:
            max_size: bytes of all of them together.

        Raises:
            MalformedResponse: a line is no field, or there are too many.
            ConnectionLost: the connection ended within the block.
        """
        most = self._lines.most
        fields = self.fields
        while True:
            line = self._lines.read(f"{self._what} line")
            if line == b"\r\n" or (line == b"\n" and self._bare_lf):
                return fields
            if not line.endswith(b"\n"):
                raise ConnectionLost(f"the connection ended within the {self._what} block")
            if not (self._bare_lf or line.endswith(b"\r\n")):
                raise malformed(f"{self._what} line {line[:100]!r}")
            self.size += len(line)
            if max_size is not None and self.size > max_size:
                raise malformed(
                    f"more than {max_size} bytes of {self._what} fields", ErrorCode.ENHANCE_YOUR_CALM
                )
            if match := _field_line(line):
                if len(fields) >= most:
                    limits = "max_response_headers, http.client._MAXHEADERS"
                    raise malformed(
                        f"got more than {most} {self._what} fields ({limits})", ErrorCode.ENHANCE_YOUR_CALM
                    )
                fields.append((match[1], match[2]))
            elif fields and (match := _folded_line(line)):
                name, value = fields[-1]
                if len(value) + len(line) > http_client._MAXLINE:  # type: ignore[attr-defined]
                    raise http_client.LineTooLong(f"{self._what} line")
                fields[-1] = name, b"%b %b" % (value, match[1])
            else:
                raise malformed(f"{self._what} line {line[:100]!r}")


class HeadReader:
    """Reads a status line and the header block below it; repeatedly, if there are 1xx responses."""

    def __init__(self, lines: LineReader) -> None:
        self._lines = lines
        self._line: bytes | None = None
        self._block: BlockReader | None = None

    def read(self) -> tuple[int, bytes, list[Field]]:
        """Return a status code, its line, and the header fields; can be called again if it was paused.

        Raises:
            http.client.BadStatusLine, http.client.LineTooLong, MalformedResponse: this is no response;
                NotHTTP1 if it shows which other protocol the peer speaks.
            ConnectionLost: the connection ended before it, HeadCutOff within it.
        """
        if self._line is None:
            plain = self._lines.read_plain_head()
            if plain is not None:
                line, fields, size = plain
                self.size: int = size
                return status_code(line), line, fields
            line = self._lines.read("status line", b"HTTP/")
            if not line:
                raise ConnectionLost("the server closed the connection without a response")
            status_code(line)
            self._line = line
        self._block = self._block or BlockReader(self._lines, "header", bare_lf=True)
        try:
            fields = self._block.read()
        except ConnectionLost as error:
            cut_off = HeadCutOff(str(error))
            cut_off.status, cut_off.fields = status_code(self._line), self._block.fields
            raise cut_off from error
        self.size = self._block.size + len(self._line)
        line, self._line, self._block = self._line, None, None
        return status_code(line), line, fields


def status_code(line: bytes) -> int:
    """Return the code that a status line tells."""
    match = _status_line(line)
    if not match:
        raise no_status_line(line[:100])
    return int(match[1])


def no_status_line(line: bytes) -> http_client.BadStatusLine:
    """Return the error for an answer without a status line; it names what the peer speaks, if that shows."""
    text = line.decode("latin-1")
    want = wanted(line)
    if want is None:
        return http_client.BadStatusLine(text)
    error = NotHTTP1(f"the answer to an HTTP/1.1 request begins with {line[:9]!r}: {want}")
    error.line = text
    return error


class Framing:
    """How long a response's body is (RFC 9112 section 6.3).

    Attributes:
        length: in bytes; None if it is not known beforehand.
        chunked: it is framed in chunks.
        last: the connection is not to be used again: one side says so (RFC 9112 section 9.3), the fields
            contradict each other, or the body has no other end.

    Args:
        status: the final status code.
        version: the HTTP version, 10 or 11.
        fields: of the header block.
        method: of the request.

    Raises:
        MalformedResponse: the fields do not say how long the body is.
    """

    def __init__(self, status: int, version: int, fields: Sequence[Field], method: str | None) -> None:
        lower = [(low, value) for name, value in fields if (low := name.lower()) in _FRAMING]
        codings = [value.lower() for name, value in lower if name == b"transfer-encoding"]
        self.chunked: bool = codings == [b"chunked"]
        if codings and not self.chunked:
            raise malformed(f"transfer-encoding {b', '.join(codings)[:100]!r}, which was not asked for")
        announced = None if self.chunked else content_length(lower)
        doubtful = self.chunked and (
            version < 11 or status == 204 or any(name == b"content-length" for name, _ in lower)
        )
        self.length = announced
        if method == "HEAD" or status in (101, 204, 304):
            self.length, self.chunked = 0, False
        elif method == "CONNECT" and status < 300:
            self.length, self.chunked = None, False  # RFC 9112 section 6.3: a tunnel, whatever the fields say
        endless = self.length is None and not self.chunked
        self.last: bool = doubtful or endless or status == 101 or not _persists(version, lower)


def _persists(version: int, fields: Sequence[Field]) -> bool:
    """Tell whether a connection goes on. Before HTTP/1.1 it does if the server says so, as in http.client."""
    if version >= 11:
        return not any(name == b"connection" and b"close" in value.lower() for name, value in fields)
    return any(
        name == b"keep-alive"
        or (name in (b"connection", b"proxy-connection") and b"keep-alive" in value.lower())
        for name, value in fields
    )


def malformed(reason: str, error_code: ErrorCode | None = None) -> MalformedResponse:
    """Return the error of a response that breaks HTTP/1.1."""
    options: dict[str, Any] = {} if error_code is None else {"error_code": error_code}
    return MalformedResponse(f"malformed response: {reason}", **options)
