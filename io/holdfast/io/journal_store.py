"""The one connection that writes: a batch of entries becomes one transaction, or none.

A batch is written table by table, not entry by entry. The outcome is the same: of two
notes about one thing the later stays, and a forgotten handle stays forgotten whether
it was kept before or after.
"""

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any, TypeAlias

from msgspec import Struct

from holdfast.io import journal_bulk as bulk
from holdfast.io.journal_rows import Entry
from holdfast.io.journal_sums import sum_of

Job: TypeAlias = Callable[[sqlite3.Connection], object]
"""Work inside the transaction of a batch; it may run again after a rollback."""

PAGE_BYTES = 4096
PAGES_PER_COMMIT = 3  # Beside one for each row: a guess is good enough.


class _Account(Struct):
    """An account's number in the file, and the seq of its newest fact."""

    number: int
    seq: int


class Store:
    """Writes batches; used by one thread at a time."""

    def __init__(self, connection: sqlite3.Connection, log_pages_max: int) -> None:
        self._connection = connection
        self._log_pages_max = log_pages_max
        self._log_pages = 0  # About how many wait in the write-ahead log.
        self._rows = connection.total_changes
        self._accounts: dict[str, _Account] = {}

    def commit(self, entries: Iterable[Entry], jobs: Iterable[Job] = ()) -> None:
        """Make everything durable in one transaction.

        Raises sqlite3.Error, and AssertionError for a fact out of sequence; then
        nothing of it is in the file, and the same batch may be given again.
        """
        with ExitStack() as undo:
            undo.callback(self._undo)
            self._connection.execute("BEGIN IMMEDIATE")
            self._write(entries)
            for job in jobs:
                job(self._connection)
            self._connection.execute("COMMIT")
            undo.pop_all()

    def checkpoint_if_due(self) -> None:
        """Move what was written from the write-ahead log to its place in the file.

        Call it after each commit; mostly it does nothing.

        Raises sqlite3.Error; what was committed is durable all the same.
        """
        rows = self._connection.total_changes
        self._log_pages += rows - self._rows + PAGES_PER_COMMIT
        self._rows = rows
        if self._log_pages >= self._log_pages_max:
            self._log_pages = 0
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _undo(self) -> None:
        self._accounts.clear()  # What the file says is read again.
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _write(self, entries: Iterable[Entry]) -> None:
        facts: list[Any] = []
        commands: list[Any] = []
        others: list[tuple[int, int, Entry]] = []
        for entry in entries:
            account = self._accounts.get(entry.account) or self._account(entry.account)
            number = account.number
            for seq, at_ms, event in entry.facts:
                assert seq == account.seq + 1, _misfit(entry.account, account.seq, seq)
                account.seq = seq
                sum_ = sum_of(event, number, seq, at_ms)
                facts += (number, seq, at_ms, event, sum_)
            for seq, noted in entry.commands:
                commands += (number, seq, noted, sum_of(noted, number, seq))
            if _has_more(entry):
                others.append((number, account.seq, entry))
        bulk.FACTS.run(self._connection, facts)
        bulk.COMMANDS.run(self._connection, commands)
        if others:
            self._write_others(others)

    def _write_others(self, others: list[tuple[int, int, Entry]]) -> None:
        offered: list[Any] = []
        kept: list[Any] = []
        forgotten: list[str] = []
        tombstones: list[Any] = []
        parts: list[Any] = []
        snapshots: list[Any] = []
        for number, newest, entry in others:
            for seq in entry.offered:
                offered += (number, seq, sum_of(b"", number, seq))
            for it in entry.kept:
                kept += (number, newest, it.handle, it.kind, it.value)
                kept.append(sum_of(it.value, it.handle, number, it.kind))
                self._log_pages += len(it.value) // PAGE_BYTES
            for handle in entry.forgotten:
                forgotten.append(handle)
                tombstones += (number, newest, handle)
            for note in entry.parts:
                # Not the enum that it may be: its checksum would be another one.
                place = (number, note.delivery, note.part, str(note.state))
                said = (note.attempts, note.peer_id, note.error)
                parts += (*place, *said, sum_of(b"", *place, *said))
            if (shot := entry.snapshot) is not None:
                snapshots += (number, shot.seq, shot.state, shot.core)
                snapshots.append(sum_of(shot.state, number, shot.seq, shot.core))
        connection = self._connection
        bulk.OFFERED.run(connection, offered)
        bulk.KEPT.run(connection, kept)
        bulk.TOMBSTONES.run(connection, tombstones)
        bulk.FORGOTTEN.run(connection, forgotten)
        bulk.PARTS.run(connection, parts)
        bulk.SNAPSHOTS.run(connection, snapshots)

    def _account(self, name: str) -> _Account:
        """Look up an account that this store has not met, or make it."""
        find = (
            "SELECT id, (SELECT max(seq) FROM fact WHERE fact.account = id)"
            " FROM account WHERE name = ?"
        )
        row = self._connection.execute(find, (name,)).fetchone()
        if row is None:
            last = self._connection.execute("SELECT max(id) FROM account").fetchone()
            row = ((last[0] or 0) + 1, 0)
            add = "INSERT INTO account (id, name, checksum) VALUES (?, ?, ?)"
            checksum = sum_of(b"", row[0], name)
            self._connection.execute(add, (row[0], name, checksum))
        account = self._accounts[name] = _Account(row[0], row[1] or 0)
        return account


def _has_more(entry: Entry) -> bool:
    """Say whether there is anything beside facts and commands, which most lack."""
    return bool(
        entry.offered or entry.kept or entry.forgotten or entry.parts or entry.snapshot
    )


def _misfit(account: str, newest: int, seq: int) -> str:
    return f"{account}: fact {seq} does not follow fact {newest}"
