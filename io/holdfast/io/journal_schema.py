"""The journal's tables, and how a connection to them is opened.

Facts lie in the order in which they came, with a unique index over (account, seq):
measured with 200 accounts side by side, that takes twice as many facts per second as
tables ordered by account, where every account dirties a page of its own per commit.
Commands are a column of the fact, for a second table costs half of the speed.
"""

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TypeAlias

from holdfast.io.journal_check import (
    APPLICATION_ID,
    check_identity,
    check_place,
    check_whole,
    is_empty,
)
from holdfast.io.journal_errors import unreadable
from holdfast.io.journal_log import read_log
from holdfast.io.journal_sums import sum_of
from holdfast.io.journal_upgrade import SCHEMA_VERSION, show_upgraded, upgrade

FILE_NAME = "journal.sqlite3"
KEY_BYTES = 32
PLATFORM_OF = "platform of "  # In meta, an account's name behind it.
WAL_BYTES_MAX = 64 << 20  # A larger write-ahead log is cut after its checkpoint.

Connect: TypeAlias = Callable[..., sqlite3.Connection]

_TABLES = """
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL,
    checksum INTEGER        -- of this and every table: see journal_sums.py
) WITHOUT ROWID;
CREATE TABLE account (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    checksum INTEGER
);
CREATE TABLE fact (
    account INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    event BLOB NOT NULL,
    commands BLOB,          -- NULL: not noted yet
    checksum INTEGER,
    commands_checksum INTEGER,
    UNIQUE (account, seq)
);
CREATE TABLE offered (
    account INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    checksum INTEGER,
    PRIMARY KEY (account, seq)
) WITHOUT ROWID;
CREATE TABLE vault (
    handle TEXT NOT NULL,
    account INTEGER NOT NULL,
    seq INTEGER NOT NULL,   -- the account's newest fact when it was last kept
    kind TEXT NOT NULL,
    value BLOB,             -- NULL: forgotten, for good
    checksum INTEGER,
    UNIQUE (handle, account)
);
CREATE INDEX vault_by_seq ON vault (account, seq) WHERE value IS NOT NULL;
CREATE TABLE part (
    account INTEGER NOT NULL,
    delivery INTEGER NOT NULL,  -- the seq of the fact that asked for it
    part INTEGER NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    peer_id TEXT NOT NULL,
    error TEXT NOT NULL,
    checksum INTEGER,
    PRIMARY KEY (account, delivery, part)
) WITHOUT ROWID;
CREATE TABLE snapshot (
    account INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    state BLOB NOT NULL,
    core TEXT NOT NULL,
    checksum INTEGER,
    UNIQUE (account, seq)
);
"""


def journal_path(path: str | Path) -> Path:
    """Return the journal's file for a data folder, or for the file itself."""
    path = Path(path).absolute()
    return path if path.is_file() else path / FILE_NAME


def open_to_write(path: Path, connect: Connect, *, busy_ms: int) -> sqlite3.Connection:
    """Open the file, created if it is not there, with everything set for writing.

    Raises JournalTooNewError and JournalUnreadableError; neither changes the file.
    """
    check_place(path)
    if path.exists() and path.stat().st_size:
        # By a connection that cannot write: closing this one would empty the log.
        _check_as_reader(path, busy_ms)
    with _explained(path) as undo:
        # One thread at a time uses it, but not always the one that opened it.
        connection = connect(path, isolation_level=None, check_same_thread=False)
        undo.callback(connection.close)
        connection.execute(f"PRAGMA busy_timeout = {busy_ms}")
        if is_empty(connection):
            _create(connection)
        elif check_identity(connection, path) < SCHEMA_VERSION:
            upgrade(connection)
        _settle(connection)
    return connection


def open_to_read(path: Path, *, busy_ms: int, check: bool = True) -> sqlite3.Connection:
    """Open the file read-only, whether or not somebody writes to it meanwhile.

    Without `check`, damage is not looked for: this process did so lately. Raises
    JournalTooNewError and JournalUnreadableError.
    """
    check_place(path)
    with _explained(path) as undo:
        log = read_log(path) if check else None
        address = f"{path.as_uri()}?{'immutable=1' if _is_still(path) else 'mode=ro'}"
        connection = sqlite3.connect(address, uri=True, isolation_level=None)
        undo.callback(connection.close)
        connection.execute(f"PRAGMA busy_timeout = {busy_ms}")
        if check_identity(connection, path) < SCHEMA_VERSION:
            show_upgraded(connection)
        if check:
            check_whole(connection, path, log)
    return connection


def _check_as_reader(path: Path, busy_ms: int) -> None:
    """Raise what is wrong with a file; one that a crash left empty is not wrong."""
    with _explained(path):
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        with closing(connection):
            if is_empty(connection):
                return
    open_to_read(path, busy_ms=busy_ms).close()


def note(connection: sqlite3.Connection, name: str, value: str | bytes | int) -> None:
    """Write down something about the whole file, in place of what was there."""
    query = "INSERT OR REPLACE INTO meta (name, value, checksum) VALUES (?, ?, ?)"
    connection.execute(query, (name, value, sum_of(b"", name, value)))


def read_key(connection: sqlite3.Connection) -> bytes:
    """Return the random key of this journal, for keyed digests."""
    query = "SELECT value FROM meta WHERE name = 'key'"
    key: bytes = connection.execute(query).fetchone()[0]
    return key


@contextmanager
def _explained(path: Path) -> Iterator[ExitStack]:
    """Give a stack of what to undo when opening fails, and say why it failed."""
    with ExitStack() as undo:
        try:
            yield undo
        except sqlite3.DatabaseError as error:
            raise unreadable(path, error) from error
        undo.pop_all()


def _is_still(path: Path) -> bool:
    """Say whether nobody can be writing and SQLite could not keep its index here.

    So it is with a copy on a read-only disk: without a write-ahead log beside it, the
    file is all there is.
    """
    log, folder = path.with_name(f"{path.name}-wal"), path.parent
    return not (log.exists() or os.access(folder, os.W_OK, effective_ids=True))


def _create(connection: sqlite3.Connection) -> None:
    # Before the first table, or it is too late: freed pages go back to the disk.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(
        f"BEGIN IMMEDIATE; {_TABLES}"
        f"PRAGMA application_id = {APPLICATION_ID};"
        f"PRAGMA user_version = {SCHEMA_VERSION};"
    )
    note(connection, "key", secrets.token_bytes(KEY_BYTES))
    note(connection, "schema", SCHEMA_VERSION)
    connection.execute("COMMIT")
    # From now on the file itself, and not only its log, says what it is.
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _settle(connection: sqlite3.Connection) -> None:
    for setting in (
        "journal_mode = WAL",
        "synchronous = FULL",  # A commit that returned is on the disk.
        "wal_autocheckpoint = 0",  # SQLite's own ignores a failed fsync; ours stops.
        f"journal_size_limit = {WAL_BYTES_MAX}",
        "secure_delete = ON",  # A forgotten token leaves no bytes behind.
        "temp_store = MEMORY",
    ):
        connection.execute(f"PRAGMA {setting}").fetchall()
