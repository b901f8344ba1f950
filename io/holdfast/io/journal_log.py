"""The write-ahead log: whether all that was durable in it is still found.

SQLite reads a log up to the first frame that does not fit its checksum and takes the
rest for what a crash left behind. Usually it is. But a transaction is written only when
the one before is on the disk: when behind such a frame lie the ends of two or more
transactions, then what was acknowledged got lost, and nobody may write over it.
Formats: https://sqlite.org/walformat.html
"""

import os
import struct
from pathlib import Path

from msgspec import Struct

HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
MAGICS = (0x377F0682, 0x377F0683)  # The last bit: checksums are big-endian.
# One of them may be what a crash cut off.
COMMITS_BEHIND_MAX = 1
# In the index beside the log: where its first header tells the last frame in use.
INDEX_HEADER = struct.Struct("=16xI12x8s")


class Log(Struct, frozen=True):
    """What stands in a log, whether it is valid or not.

    `salts` are those of its header, empty when that is damaged; `commits` the numbers
    of the frames that end a transaction under these salts.
    """

    salts: bytes
    commits: tuple[int, ...]


def log_path(path: Path) -> Path:
    """Return the log that lies beside a database."""
    return path.with_name(f"{path.name}-wal")


def read_log(path: Path) -> Log | None:
    """Read the log of a database, before SQLite does; None when it holds nothing.

    What may not be read, SQLite complains of.
    """
    try:
        with log_path(path).open("rb") as file:
            return _read(file.fileno())
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        return None


def is_cut_short(path: Path, log: Log | None) -> bool:
    """Say whether SQLite leaves out what was durable; call it while it reads the log.

    A log that was begun anew meanwhile has other salts, and nothing to compare.
    """
    if log is None:
        return False
    if not log.salts:
        return True
    try:
        raw = path.with_name(f"{path.name}-shm").read_bytes()[: INDEX_HEADER.size]
        last, salts = INDEX_HEADER.unpack(raw)
    except (FileNotFoundError, struct.error):
        return False
    behind = sum(number > last for number in log.commits)
    return bool(salts == log.salts and behind > COMMITS_BEHIND_MAX)


def _read(file: int) -> Log | None:
    size = os.fstat(file).st_size
    header = os.pread(file, HEADER_BYTES, 0)
    if size <= HEADER_BYTES + FRAME_HEADER_BYTES:
        return None
    if not _is_whole(header):
        return Log(b"", ())
    (page_bytes,) = struct.unpack_from(">I", header, 8)
    salts = header[16:24]
    commits = []
    step = FRAME_HEADER_BYTES + page_bytes
    for number, place in enumerate(range(HEADER_BYTES, size - step + 1, step), 1):
        frame = os.pread(file, 16, place)
        if frame[8:16] == salts and any(frame[4:8]):
            commits.append(number)
    return Log(salts, tuple(commits))


def _is_whole(header: bytes) -> bool:
    """Say whether a log's header fits its own checksum."""
    (magic,) = struct.unpack_from(">I", header)
    if magic not in MAGICS:
        return False
    order = ">" if magic & 1 else "<"
    words = struct.unpack_from(f"{order}6I", header)
    one = two = 0
    for even, odd in zip(words[::2], words[1::2], strict=True):
        one = (one + even + two) & 0xFFFFFFFF
        two = (two + odd + one) & 0xFFFFFFFF
    return (one, two) == struct.unpack_from(">2I", header, 24)
