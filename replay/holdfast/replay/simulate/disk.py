"""The disk: SQLite on real files, whose commits fail, hang, and tear when power goes.

A crash leaves what was promised and any part of what was not. Promised is what an
`append` returned for: its commit, once anything was done after it, and all before it.
What was only noted after that may be gone, whole or in part, in any order of sectors.
"""

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from holdfast.io.journal_schema import FILE_NAME, KEY_BYTES, note, open_to_write

WAL_HEADER_BYTES, FRAME_HEADER_BYTES = 32, 24
SECTOR_BYTES = 512
# Where the index of the log says how many frames are committed, and under which salt.
FRAMES_AT, SALT_AT, INDEX_BYTES = 16, 32, 48
PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE)
WORDS = {
    sqlite3.SQLITE_BUSY: "database is locked",
    sqlite3.SQLITE_FULL: "database or disk is full",
    sqlite3.SQLITE_IOERR_WRITE: "disk I/O error",
    sqlite3.SQLITE_IOERR_FSYNC: "disk I/O error",
}


class Place(NamedTuple):
    """How far the write-ahead log goes: committed frames under a salt."""

    salt: bytes = b""
    frames: int = 0


class Disk:
    """The data folders of one simulated machine, one after another.

    `lies`: it says that commits are safe and keeps them only while power is on.
    """

    def __init__(
        self, folder: Path, seed: random.Random, *, lies: bool = False
    ) -> None:
        self._folder = folder
        self._chance = seed
        self._lies = lies
        self._crashes = 0
        self._connection: _Connection | None = None
        self.data_dir.mkdir(parents=True)
        self._set_key(self._chance.randbytes(KEY_BYTES))

    @property
    def data_dir(self) -> Path:
        """Where the data are now: elsewhere after each crash."""
        return self._folder / f"data-{self._crashes}"

    @property
    def connection(self) -> "_Connection | None":
        """What writes now; None while nothing does."""
        return self._connection

    def connect(self, path: Path, **more: Any) -> sqlite3.Connection:
        """Open the file as `sqlite3.connect` does; it fails when it is told to."""
        opened = sqlite3.connect(path, factory=_Connection, **more)
        opened.begin(path, self.crash)
        self._connection = opened
        return opened

    def fail(self, code: int, commits: int) -> None:
        """Let so many commits from now on fail with an SQLite result code."""
        if self._connection is not None:
            self._connection.failing = [code] * commits

    def break_sync(self) -> None:
        """Let the next commit fail to sync, whether or not it reached the disk."""
        if self._connection is not None:
            self._connection.breaks = self._chance.choice(("before", "after"))

    def crash(self, *, power: bool) -> None:
        """Freeze what is on disk; what goes on writing writes nowhere.

        Without `power` lost, the system still writes all that it was given.
        """
        opened = self._connection
        if opened is None or opened.is_dead:
            return
        opened.is_dead = True
        before, self._connection = self.data_dir, None
        promised, end = opened.promised, opened.place()
        self._crashes += 1
        self.data_dir.mkdir()
        shutil.copyfile(before / FILE_NAME, self.data_dir / FILE_NAME)
        log = before / f"{FILE_NAME}-wal"
        if log.exists():
            content = bytearray(log.read_bytes())
            # Nothing is lost of what was there before this process wrote anything.
            if power and promised is not None:
                self._tear(content, promised, end)
            (self.data_dir / log.name).write_bytes(content)

    def forget(self, data_dir: Path) -> None:
        """Remove a folder that a crash left behind."""
        if data_dir != self.data_dir:
            shutil.rmtree(data_dir)

    def digest(self) -> str:
        """Return a digest of all that the journal holds."""
        sha = sha256()
        connection = sqlite3.connect(self.data_dir / FILE_NAME)
        for line in connection.iterdump():
            sha.update(line.encode())
        connection.close()
        return sha.hexdigest()

    def _tear(self, log: bytearray, promised: Place, end: Place) -> None:
        """Lose what was not promised: cut off, single sectors of it, or nothing."""
        if len(log) < WAL_HEADER_BYTES:
            return
        frame = FRAME_HEADER_BYTES + int.from_bytes(log[8:12], "big")
        kept = promised.frames if promised.salt == end.salt else 0
        if self._lies:
            kept = 0
        start = WAL_HEADER_BYTES + kept * frame
        stop = WAL_HEADER_BYTES + end.frames * frame
        match self._chance.randrange(4):
            case 0:
                del log[self._chance.randint(start, max(start, stop)) :]
            case 1:
                # A transaction is written once the one before it is on the disk.
                last = WAL_HEADER_BYTES + _last_begin(log, frame, end) * frame
                torn = start if self._lies else max(start, last)
                for at in range(torn, stop, SECTOR_BYTES):
                    size = min(SECTOR_BYTES, stop - at)
                    if self._chance.random() < 0.5:  # noqa: PLR2004 - either way
                        log[at : at + size] = bytes(size)
            case 2:
                # All of it was written by itself before.
                pass
            case _:
                # A write that was under way when power went.
                del log[self._chance.randint(start, max(start, stop)) :]
                log += self._chance.randbytes(self._chance.randrange(2 * frame))

    def _set_key(self, key: bytes) -> None:
        """Make an empty journal whose key comes from the seed."""
        path = self.data_dir / FILE_NAME
        connection = open_to_write(path, sqlite3.connect, busy_ms=0)
        note(connection, "key", key)
        connection.close()


def _last_begin(log: bytearray, frame: int, end: Place) -> int:
    """Return how many frames stand before those of the last transaction."""
    places = [WAL_HEADER_BYTES + number * frame for number in range(end.frames)]
    ends = [
        number
        for number, place in enumerate(places, 1)
        if any(log[place + 4 : place + 8])
    ]
    return ends[-2] if len(ends) > 1 else 0


class _Connection(sqlite3.Connection):
    """SQLite with a disk below it that can fail."""

    def begin(self, path: Path, crash: Callable[..., None]) -> None:
        """Take the file's place; call it once, before anything is done."""
        self._index = path.with_name(f"{path.name}-shm")
        self._crash = crash
        self._holds_facts = self._is_due = False
        self._file: int | None = None
        self.promised: Place | None = None
        self.failing: list[int] = []
        self.breaks = ""
        self.is_dead = False

    def place(self) -> Place:
        """Return how far the log goes."""
        if self._file is None:
            if not self._index.exists():
                return Place()
            # Kept open: closing it would let go of SQLite's own locks.
            self._file = os.open(self._index, os.O_RDONLY)
        head = os.pread(self._file, INDEX_BYTES, 0)
        frames = int.from_bytes(head[FRAMES_AT : FRAMES_AT + 4], "little")
        return Place(head[SALT_AT : SALT_AT + 8], frames)

    def close(self) -> None:
        """Close it."""
        super().close()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """Run a statement, or fail."""
        if sql == "ROLLBACK":
            return super().execute(sql)
        if self.is_dead:
            raise _error(sqlite3.SQLITE_IOERR_FSYNC)
        if sql == "COMMIT":
            return self._commit()
        if sql.startswith("INSERT INTO fact "):
            self._holds_facts = True
        elif sql == "BEGIN IMMEDIATE":
            self._holds_facts = False
            if self._is_due or self.promised is None:
                # Whoever waited for the commit before this one went on.
                self.promised, self._is_due = self.place(), False
        result = super().execute(sql, *values)
        if sql.startswith("PRAGMA wal_checkpoint"):
            # It syncs the log before it touches the file.
            self.promised, self._is_due = self.place(), False
        return result

    def _commit(self) -> sqlite3.Cursor:
        if self.failing:
            raise _error(self.failing.pop())
        if self.breaks == "before":
            self._crash(power=True)
            raise _error(sqlite3.SQLITE_IOERR_FSYNC)
        result = super().execute("COMMIT")
        if self.breaks == "after":
            self._crash(power=True)
            raise _error(sqlite3.SQLITE_IOERR_FSYNC)
        self._is_due = self._is_due or self._holds_facts
        return result


def _error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(WORDS[code])
    error.sqlite_errorcode = code
    return error
