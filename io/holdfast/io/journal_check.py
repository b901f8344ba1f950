"""Checks at opening: a journal is a whole one of ours, or it is refused as it is.

What SQLite can tell of a file's structure, and the checksums of the small tables in
which a lost row would not be missed, are looked at here; facts, values and snapshots
have theirs compared whenever they are read.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from holdfast.io.journal_errors import (
    JournalTooNewError,
    JournalUnreadableError,
    damaged,
)
from holdfast.io.journal_log import Log, is_cut_short, log_path
from holdfast.io.journal_sums import SUMS, teach
from holdfast.io.journal_upgrade import SCHEMA_VERSION

APPLICATION_ID = int.from_bytes(b"Hfst", "big")
# Above that size a look at the whole structure would take seconds at each start.
WHOLE_BYTES_MAX = 256 << 20
SMALL = ("meta", "account", "offered", "part")


def check_place(path: Path) -> None:
    """Refuse what SQLite would take for a new file, losing what is beside it."""
    if path.exists() and not path.is_file():
        advice = "is no regular file: move it away, or name another data folder"
        raise JournalUnreadableError(path, advice)
    size = path.stat().st_size if path.exists() else 0
    log = log_path(path)
    if not size and log.exists() and log.stat().st_size:
        raise JournalUnreadableError(
            path,
            f"is {'empty' if path.exists() else 'missing'}, but {log.name} beside it"
            f" is not: put the file back, or move {log.name} away to start anew",
        )


def check_identity(connection: sqlite3.Connection, path: Path) -> int:
    """Refuse what is no journal of this release or an older one; return the version."""
    if is_empty(connection):
        raise JournalUnreadableError(path, "is empty: nothing was ever recorded in it")
    if pragma(connection, "application_id") != APPLICATION_ID:
        raise JournalUnreadableError(
            path, "is a database of another program: name another data folder"
        )
    version = pragma(connection, "user_version")
    if version > SCHEMA_VERSION:
        raise JournalTooNewError(path, version, SCHEMA_VERSION)
    query = "SELECT value FROM meta WHERE name = 'schema'"
    noted = connection.execute(query).fetchone()
    if noted != (version,):
        what = f"its header has version {version}, its table {noted and noted[0]}"
        raise damaged(path, what)
    return version


def check_whole(connection: sqlite3.Connection, path: Path, log: Log | None) -> None:
    """Refuse a journal that is not what was written; `log` was read before it."""
    if is_cut_short(path, log):
        raise damaged(path, f"a part of {log_path(path).name} cannot be read")
    small = path.stat().st_size <= WHOLE_BYTES_MAX
    for what_of in ("1",) if small else SMALL:  # At most one complaint, or a table.
        check = f"PRAGMA integrity_check({what_of})"
        with closing(connection.execute(check)) as found:
            (what,) = found.fetchone()
        if what != "ok":
            raise damaged(path, str(what).replace("\n", "; "))
    teach(connection)
    for table in SMALL:
        fits = SUMS[table]["checksum"]
        query = f"SELECT count(*) FROM {table} WHERE checksum IS NOT {fits}"  # noqa: S608 - our own names
        (count,) = connection.execute(query).fetchone()
        if count:
            raise damaged(path, f"{count} rows of {table} do not fit their checksum")


def is_empty(connection: sqlite3.Connection) -> bool:
    """Say whether nobody put anything into the file yet; a crash may leave it so."""
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    return not (tables or pragma(connection, "application_id"))


def pragma(connection: sqlite3.Connection, name: str) -> int:
    """Return what SQLite says of the file under a name."""
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
