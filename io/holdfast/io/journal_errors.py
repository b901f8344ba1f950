"""What can go wrong with a journal, and how an SQLite error is read.

Most failures of a write pass: the disk is full until somebody makes room. Two do not.
After a failed fsync the kernel may have dropped the pages and call the next fsync a
success (LWN 752063, 2018), and a damaged file does not heal: both stop the journal.
"""

import shlex
import sqlite3
from pathlib import Path

# Primary result codes (the low byte of the extended ones) that may pass by themselves.
_PASSING = {
    sqlite3.SQLITE_BUSY: "another program holds the database locked",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk answers with errors",
    sqlite3.SQLITE_LOCKED: "the database is locked",
    sqlite3.SQLITE_NOMEM: "there is no memory left",
    sqlite3.SQLITE_PERM: "access to the file was denied",
    sqlite3.SQLITE_PROTOCOL: "another program holds the database locked",
    sqlite3.SQLITE_READONLY: "the file or its disk is read-only",
}
_FINAL = frozenset(
    {
        sqlite3.SQLITE_IOERR_CORRUPTFS,
        sqlite3.SQLITE_IOERR_DATA,
        sqlite3.SQLITE_IOERR_DIR_FSYNC,
        sqlite3.SQLITE_IOERR_FSYNC,
    }
)
# Nothing here asks for what is not in a whole journal, so an error in SQL is damage.
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_OK})
_ADVICE = {
    sqlite3.SQLITE_NOTADB: (
        "is not a journal: move it away to start an empty one, or put back a copy"
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "cannot be opened: check that it exists, that this user may read it, and that"
        " its folder can be written, where SQLite keeps an index while it is open"
    ),
    sqlite3.SQLITE_READONLY: "cannot be written: check the owner and mode of the file",
}


class JournalError(Exception):
    """Whatever the journal raises for reasons outside the program's own code."""


class DataFolderInUseError(JournalError):
    """Another process, or another part of this one, holds the data folder."""

    def __init__(self, folder: Path, holder: str) -> None:
        who = f"process {holder}" if holder else "another process"
        super().__init__(f"{folder} is in use by {who}: stop it first")
        self.folder = folder


class JournalTooNewError(JournalError):
    """The file was written by a newer release; nothing in it was touched."""

    def __init__(self, path: Path, found: int, supported: int) -> None:
        super().__init__(
            f"{path} has schema version {found}, this release reads up to"
            f" {supported}: install the release that wrote it, or a newer one"
        )
        self.path = path
        self.found = found
        self.supported = supported


class JournalUnreadableError(JournalError):
    """The file is no journal, damaged, or out of reach; `advice` says what to do."""

    def __init__(self, path: Path, advice: str) -> None:
        super().__init__(f"{path} {advice}")
        self.path = path
        self.advice = advice


class JournalBrokenError(JournalError):
    """The journal stopped for good: end the process, look at the disk, start again."""


def primary(error: sqlite3.Error) -> int:
    """Return the primary result code, SQLITE_OK when Python raised it by itself."""
    return code_of(error) & 0xFF


def code_of(error: sqlite3.Error) -> int:
    """Return the extended result code, SQLITE_OK when Python raised it by itself."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)
    return code


def passing_reason(error: sqlite3.Error) -> str | None:
    """Say what is wrong when trying again may help; None when it never will."""
    return None if code_of(error) in _FINAL else _PASSING.get(primary(error))


def unreadable(path: Path, error: sqlite3.Error) -> JournalUnreadableError:
    """Turn an error of opening or reading into one that says what to do."""
    if primary(error) in _DAMAGE:
        return damaged(path, str(error))
    advice = _ADVICE.get(primary(error)) or f"cannot be read: {error}"
    return JournalUnreadableError(path, advice)


def damaged(path: Path, what: str) -> JournalUnreadableError:
    """Return the error for a file that is not what was written, with the ways out."""
    return JournalUnreadableError(
        path,
        f"is damaged: {what}. It was left as it is. Keep a copy of {path.parent}; then"
        f" put a backup back, or save what was recorded before the damage into a new"
        f" folder: holdfast salvage {shlex.quote(str(path.parent))} -o NEW",
    )
