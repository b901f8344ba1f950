"""Recording: an account's facts as a file that replays anywhere; see `lines`.

`read_recording` reads the header; `Recording.read` then hands out the facts in chunks,
in constant memory, and checks on the way that nothing is missing, doubled or changed.
Whatever is wrong with a file is a `RecordingError` that names the line.
"""

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from msgspec import DecodeError
from msgspec.json import Decoder, decode

from holdfast.replay.blocks import line_at, whole_lines
from holdfast.replay.checksum import Checksum
from holdfast.replay.lines import (
    FORMAT,
    NO_STATE,
    UNKNOWN,
    ChecksumError,
    End,
    EndLine,
    FactLine,
    Header,
    RecordingError,
    Version,
    disorder,
)
from holdfast.replay.platforms import PLATFORMS, Platform
from holdfast.replay.recorder import LineEncoder, RecordingWriter, new_header

__all__ = [
    "NO_STATE",
    "UNKNOWN",
    "ChecksumError",
    "End",
    "FactLine",
    "Header",
    "LineEncoder",
    "Reader",
    "Recording",
    "RecordingError",
    "RecordingWriter",
    "new_header",
    "read_recording",
]

# Nesting that exhausts the stack is a fault of the file like any other.
UNREADABLE = (DecodeError, UnicodeDecodeError, RecursionError)
AGAIN = "export or copy the recording again"

_facts = Decoder(FactLine)
_end = Decoder(EndLine)


class Recording(NamedTuple):
    """A recording whose header is read; `start` is the state before the first fact."""

    name: str
    content: bytes | None
    header: Header
    platform: Platform
    start: Any

    def read(self) -> "Reader":
        """Read the facts, from the first one; may be called again."""
        return Reader(self.name, self.content)


def read_recording(source: str | os.PathLike[str] | bytes) -> Recording:
    """Read the header of a file (gzip too) or of bytes; raise `RecordingError`."""
    content = source if isinstance(source, bytes) else None
    name = "<bytes>" if isinstance(source, bytes) else os.fspath(source)
    first = next(whole_lines(name, content), b"")
    if not first:
        raise RecordingError(name, 0, "is empty", "a recording begins with a header")
    try:
        header = _header(name, first.partition(b"\n")[0])
        platform = PLATFORMS.get(header.platform)
        if platform is None:
            known = ", ".join(PLATFORMS)
            what = f"platform {header.platform!r} is unknown"
            raise RecordingError(name, 1, what, f"known are: {known}")
        start = decode(header.start, type=platform.state)
    except UNREADABLE as error:
        right = _hint(error, "a recording begins with a header")
        raise RecordingError(name, 1, f"cannot be read: {error}", right) from error
    return Recording(name, content, header, platform, start)


def _header(name: str, line: bytes) -> Header:
    """Look at the version first: the other fields depend on it."""
    str(line, "utf-8")
    version = decode(line, type=Version).recording
    if version != FORMAT:
        what = f"has format {version}, this version reads {FORMAT}"
        newer = "read it with a newer holdfast" if version > FORMAT else AGAIN
        raise RecordingError(name, 1, what, newer)
    return decode(line, type=Header)


class Reader:
    """Iterate it for chunks of fact lines; afterwards `end` is what the end line says.

    Lines that were changed after recording raise `ChecksumError`, but only after the
    last chunk, so that a player can say more about them.
    """

    end: End | None = None

    def __init__(self, name: str, content: bytes | None) -> None:
        self._name = name
        self._content = content
        self._checksum = Checksum(name, content)
        self._seq = 0
        self._begin = self._next = 0  # Byte offsets of this chunk and the next.

    def __iter__(self) -> Iterator[list[FactLine]]:
        """Yield chunks; raise `RecordingError` at the first line that is wrong."""
        blocks = whole_lines(self._name, self._content)
        block = next(blocks, b"")
        cut = block.find(b"\n") + 1 or len(block)
        self._pass(block[:cut])
        block = block[cut:]
        for following in blocks:
            if facts := self._chunk(block):
                yield facts
            block = following
        # Only now is it known which line is the last one.
        cut = block.rfind(b"\n", 0, -1) + 1
        if facts := self._chunk(block[:cut]):
            yield facts
        self._begin = self._next
        self._finish(block[cut:])

    def _pass(self, block: bytes) -> None:
        self._begin = self._next
        self._next += len(block)

    def _chunk(self, block: bytes) -> list[FactLine]:
        self._pass(block)
        try:
            if not block.isascii():
                str(block, "utf-8")  # msgspec does not look inside a `Raw`.
            facts = _facts.decode_lines(block)
        except UNREADABLE as error:
            raise self._unreadable(block, error) from error
        if facts:
            if found := disorder(self._seq or facts[0].seq - 1, facts):
                index, *why = found
                raise self._wrong(index, *why)
            self._seq = facts[-1].seq
        return facts

    def _unreadable(self, block: bytes, error: Exception) -> RecordingError:
        """Find the line that is to blame."""
        for index, line in enumerate(block.split(b"\n")):
            if why := _fault(line):
                return self._wrong(index, *why)
        return self._wrong(0, f"cannot be read: {error}", AGAIN)

    def _finish(self, line: bytes) -> None:
        """Compare what the end line promises."""
        if not line.endswith(b"\n"):
            raise self._wrong(0, "is cut: the file ends inside it", AGAIN)
        try:
            end = _end.decode(line).end
        except UNREADABLE as error:
            what, right = _fault(line) or ("is the last line, but no end line", AGAIN)
            raise self._wrong(0, what, right) from error
        if end.seq != self._seq:
            what = f"ends at seq {end.seq}, but the last fact is seq {self._seq}"
            raise self._wrong(0, what, AGAIN)
        self.end = end
        found = self._checksum.hexdigest()
        if end.sha256 != found:
            what = f"the lines before have sha256 {found}"
            right = f"when recorded, it was {end.sha256}"
            raise ChecksumError(self._name, self._line(), what, right)

    def _wrong(self, index: int, what: str, right: str) -> RecordingError:
        """Name a line by its index in this chunk."""
        return RecordingError(self._name, self._line() + index, what, right)

    def _line(self) -> int:
        return line_at(self._name, self._content, self._begin)


def _fault(line: bytes) -> tuple[str, str] | None:
    """Say what is wrong with a fact line, and what would be right."""
    if not line.strip():
        return None
    try:
        str(line, "utf-8")
        _facts.decode(line)
    except UNREADABLE as error:
        if _is_end(line):
            return "an end line that is not the last line", "nothing follows the end"
        return f"cannot be read: {error}", _hint(error, AGAIN)
    return None


def _hint(error: Exception, otherwise: str) -> str:
    newer = "unknown field" in str(error) or "Invalid value" in str(error)
    return "a newer holdfast may have written it" if newer else otherwise


def _is_end(line: bytes) -> bool:
    try:
        _end.decode(line)
    except UNREADABLE:
        return False
    return True
