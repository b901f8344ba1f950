"""Salvage: what a damaged journal still holds, as a new one that can be gone on with.

Facts lie in the order in which they became durable, so all up to the first that is not
what was written are one moment of the past. Beside them goes what belongs to that
moment and is whole. The damaged files are copied first and never written to.
"""

import os
import shutil
import sqlite3
import struct
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from holdfast.core.commands import Command, Offer
from holdfast.io.journal_check import check_identity, check_place
from holdfast.io.journal_errors import JournalUnreadableError
from holdfast.io.journal_folder import LOCK_NAME, hold_folder
from holdfast.io.journal_log import log_path
from holdfast.io.journal_schema import FILE_NAME, journal_path, open_to_write
from holdfast.io.journal_sums import SUMS, sum_of, teach
from holdfast.io.journal_upgrade import SCHEMA_VERSION, upgrade

# {table: its key, and the column that says to which fact a row belongs}
BESIDE = {
    "snapshot": ("rowid", "seq"),
    "part": ("account, delivery, part", "delivery"),
}
HEADER = struct.Struct(">16xH10xI")  # Bytes of a page, pages of the file.
FILLED_BYTES_MAX = 4 << 30  # More is no size of a journal.
decode_commands = msgspec.json.Decoder(list[Command]).decode


class Saved(Struct, frozen=True):
    """What was saved of one account; `last` is 0 when there is nothing to fold."""

    account: str
    first: int
    last: int


def salvage(source: Path, target: Path) -> list[Saved]:
    """Save what a data folder's journal holds into a new folder; say how much.

    Raises JournalUnreadableError when nothing can be saved, DataFolderInUseError, and
    FileExistsError when the new folder has a journal.
    """
    path = journal_path(source)
    check_place(path)
    if path.name != FILE_NAME or not (path.exists() or log_path(path).exists()):
        what = f"is no journal: name a data folder, which has a {FILE_NAME}"
        raise JournalUnreadableError(path, what)
    made = [one for one in (target, *target.parents) if not one.exists()]
    if (target / FILE_NAME).exists():
        raise FileExistsError(target / FILE_NAME)
    with (
        hold_folder(path.parent),
        tempfile.TemporaryDirectory(prefix="holdfast-") as scratch,
        hold_folder(target) as new,
    ):
        copy = Path(scratch) / FILE_NAME
        shutil.copy(path, copy)
        _fill_up(copy)
        if log_path(path).exists():
            shutil.copy(log_path(path), log_path(copy))
        with ExitStack() as undo:
            undo.callback(_leave_nothing, new, made)
            try:
                saved = _salvage(copy, new, path)
            except (sqlite3.DatabaseError, JournalUnreadableError) as error:
                raise _lost(path) from error
            undo.pop_all()
        return saved


def _leave_nothing(new: Path, made: list[Path]) -> None:
    """Remove what was begun, and the folders that were made for it, inmost first."""
    for file in new.parent.glob(f"{new.name}*"):
        file.unlink()
    if made:
        new.with_name(LOCK_NAME).unlink()
    for folder in made:
        folder.rmdir()


def _salvage(copy: Path, new: Path, path: Path) -> list[Saved]:
    with (
        closing(sqlite3.connect(copy, isolation_level=None)) as old,
        closing(open_to_write(new, sqlite3.connect, busy_ms=0)) as saved,
    ):
        return _save(old, saved, path)


def _lost(path: Path) -> JournalUnreadableError:
    return JournalUnreadableError(
        path,
        "holds nothing that can be saved: put a backup back, or move it and the files"
        " whose names begin with its name away to start anew",
    )


def _fill_up(copy: Path) -> None:
    """Give a file that was cut its size back, or SQLite would not look at the rest."""
    with copy.open("rb") as file:
        header = file.read(HEADER.size)
    if len(header) == HEADER.size:
        page_bytes, pages = HEADER.unpack(header)
        if pages * page_bytes <= FILLED_BYTES_MAX + copy.stat().st_size:
            size = max(copy.stat().st_size, pages * page_bytes)
            os.truncate(copy, size)


def _save(
    old: sqlite3.Connection, saved: sqlite3.Connection, path: Path
) -> list[Saved]:
    if check_identity(old, path) < SCHEMA_VERSION:
        upgrade(old)
    teach(old)
    saved.execute("BEGIN IMMEDIATE")
    names = {}
    for table, key in (("meta", "name"), ("account", "id")):
        for row in _whole_rows(old, table, key):
            _put(saved, table, row)
            names[row[0]] = row[1]
    if "key" not in names:
        raise sqlite3.DatabaseError("its key is lost")
    lasts = _save_facts(old, saved)
    for row in _whole_rows(old, "vault", "rowid"):
        _put(saved, "vault", row)
    for table, (key, column) in BESIDE.items():
        for row in _whole_rows(old, table, key):
            _put(saved, table, row)
        for account in names:
            query = f"DELETE FROM {table} WHERE account = ? AND {column} > ?"  # noqa: S608 - our own names
            saved.execute(query, (account, lasts.get(account, 0)))
    found = [
        _settled(saved, number, name)
        for number, name in names.items()
        if isinstance(number, int)
    ]
    saved.execute("COMMIT")
    if not any(one.last for one in found):
        raise _lost(path)
    return found


def _save_facts(old: sqlite3.Connection, saved: sqlite3.Connection) -> dict[Any, int]:
    """Save all facts up to the first that is not whole; return the newest seqs."""
    lasts: dict[Any, int] = {}
    fits = " AND ".join(f"{column} IS {it}" for column, it in SUMS["fact"].items())
    query = f"SELECT *, {fits} FROM fact NOT INDEXED ORDER BY rowid"  # noqa: S608 - our own names
    for *row, whole in _readable(old, query):
        account, seq, _, _, commands, *_ = row
        if not whole or seq != lasts.get(account, seq - 1) + 1:
            break
        _put(saved, "fact", row)
        for message in _offered(commands):
            _put(saved, "offered", [account, message, sum_of(b"", account, message)])
        lasts[account] = seq
    return lasts


def _offered(commands: bytes | None) -> Iterator[int]:
    """Yield what a fact's commands offer; recovery does what was never noted."""
    try:
        found = decode_commands(commands or b"[]")
    except msgspec.DecodeError:
        return
    yield from (it.message for it in found if isinstance(it, Offer))


def _settled(saved: sqlite3.Connection, account: int, name: str) -> Saved:
    """Say how far an account can be folded; what cannot be goes, and it begins anew."""
    query = (
        "SELECT ifnull(min(seq), 0), ifnull(max(seq), 0), (SELECT count(*) FROM"
        " snapshot WHERE account = ?1) FROM fact WHERE account = ?1"
    )
    first, last, snapshots = saved.execute(query, (account,)).fetchone()
    if last and (first == 1 or snapshots):
        return Saved(name, first, last)
    for table in ("fact", "offered", *BESIDE):
        saved.execute(f"DELETE FROM {table} WHERE account = ?", (account,))  # noqa: S608 - our own names
    return Saved(name, 0, 0)


def _whole_rows(
    connection: sqlite3.Connection, table: str, key: str
) -> Iterator[list[Any]]:
    """Yield the rows that fit their checksum, read from both ends up to any damage."""
    (fits,) = (f"{column} IS {it}" for column, it in SUMS[table].items())
    backwards = ", ".join(f"{column} DESC" for column in key.split(", "))
    seen = set()
    for order in (key, backwards):
        query = f"SELECT *, {fits} FROM {table} NOT INDEXED ORDER BY {order}"  # noqa: S608 - our own names
        for *row, whole in _readable(connection, query):
            if whole and tuple(row) not in seen:
                seen.add(tuple(row))
                yield row


def _readable(connection: sqlite3.Connection, query: str) -> Iterator[Any]:
    """Yield rows up to one that cannot be read."""
    try:
        yield from connection.execute(query)
    except sqlite3.DatabaseError:
        return


def _put(connection: sqlite3.Connection, table: str, row: list[Any]) -> None:
    places = ", ".join("?" * len(row))
    query = f"INSERT OR REPLACE INTO {table} VALUES ({places})"  # noqa: S608 - our own names
    connection.execute(query, row)
