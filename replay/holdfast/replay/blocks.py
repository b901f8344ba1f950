"""Blocks: a file, plain or gzip, as runs of whole lines in constant memory."""

import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from holdfast.replay.lines import RecordingError

# A few hundred fact lines: msgspec is fastest on runs of that size.
BLOCK_BYTES = 128 << 10
LINE_BYTES_MAX = 64 << 20
GZIP = b"\x1f\x8b"
GZIP_WINDOW_BITS = 31


def whole_lines(name: str, content: bytes | None) -> Iterator[bytes]:
    """Yield the file `name` (or `content`) in runs of whole lines.

    What follows the last line break comes last and alone. Raise `RecordingError` for a
    file that cannot be opened or unpacked, and for a line without end.
    """
    held = bytearray()
    line = 1
    for piece in _plain(name, content):
        cut = piece.rfind(b"\n") + 1
        if not cut:
            held += piece
            if len(held) > LINE_BYTES_MAX:
                raise _too_long(name, line)
            continue
        block = bytes(held) + piece[:cut]
        held = bytearray(piece[cut:])
        yield block
        line += block.count(b"\n")
    if held:
        yield bytes(held)


def _plain(name: str, content: bytes | None) -> Iterator[bytes]:
    try:
        with Path(name).open("rb") if content is None else BytesIO(content) as file:
            pieces = iter(lambda: file.read(BLOCK_BYTES), b"")
            packed = file.read(len(GZIP)) == GZIP
            file.seek(0)
            yield from _unpacked(name, pieces) if packed else pieces
    except OSError as error:
        what = f"cannot be read: {error.strerror or error}"
        raise RecordingError(name, 0, what, "give a readable file") from error


def _unpacked(name: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack at most a block at a time: a small file may hold a large one."""
    inflater = zlib.decompressobj(GZIP_WINDOW_BITS)
    try:
        for piece in pieces:
            packed = piece
            while packed:
                if inflater.eof:  # Another member follows.
                    inflater = zlib.decompressobj(GZIP_WINDOW_BITS)
                yield inflater.decompress(packed, BLOCK_BYTES)
                packed = inflater.unconsumed_tail or inflater.unused_data
        yield inflater.flush()
    except zlib.error as error:
        right = "copy the file again"
        raise RecordingError(name, 0, f"is damaged gzip: {error}", right) from error
    if not inflater.eof:
        raise RecordingError(name, 0, "is cut gzip", "copy the file again")


def _too_long(name: str, line: int) -> RecordingError:
    what = f"is longer than {LINE_BYTES_MAX >> 20} MiB"
    return RecordingError(name, line, what, "a line holds one fact or one state")
