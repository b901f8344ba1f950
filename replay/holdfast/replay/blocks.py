"""Blocks: a file, plain or gzip, as runs of whole lines in constant memory."""

import zlib
from collections.abc import Iterator
from gzip import GzipFile
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from holdfast.replay.lines import RecordingError

# Some hundred fact lines: msgspec is fastest on runs of that size.
BLOCK_BYTES = 64 << 10
LINE_BYTES_MAX = 64 << 20
GZIP = b"\x1f\x8b"


def whole_lines(name: str, content: bytes | None) -> Iterator[bytes]:
    """Yield the file `name` (or `content`) in runs of whole lines.

    Only the last run may lack its line break. Raise `RecordingError` for a file that
    cannot be opened, read or unpacked, and for a line that is too long.
    """
    try:
        with Path(name).open("rb") if content is None else BytesIO(content) as file:
            plain = unpacked(file)
            while block := plain.read(BLOCK_BYTES) + plain.readline(LINE_BYTES_MAX):
                if len(block) > LINE_BYTES_MAX and not block.endswith(b"\n"):
                    what = f"a line is longer than {LINE_BYTES_MAX >> 20} MiB"
                    raise RecordingError(name, 0, what, "a line holds one fact")
                yield block
    except (OSError, EOFError, zlib.error) as error:
        what = f"cannot be read: {error}"
        raise RecordingError(name, 0, what, "give a whole, readable file") from error


def line_at(name: str, content: bytes | None, offset: int) -> int:
    """Return the number of the line that begins at a byte, from 1.

    Counting while reading would cost a tenth of a replay, so it is done for errors.
    """
    line = 1
    for block in whole_lines(name, content):
        line += block.count(b"\n", 0, offset)
        offset -= len(block)
        if offset <= 0:
            break
    return line


def unpacked(file: BinaryIO) -> BinaryIO | GzipFile:
    """Return a file to read the plain bytes from."""
    packed = is_packed(file.read(len(GZIP)))
    file.seek(0)
    return GzipFile(fileobj=file) if packed else file


def is_packed(content: bytes) -> bool:
    """Say whether the bytes are packed with gzip, by their beginning."""
    return content.startswith(GZIP)
