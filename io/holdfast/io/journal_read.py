"""Reading a journal: by the service that writes it, and by any other process.

Every call answers from what is durable at that moment, and ends its read at once, for
a read left open would keep the write-ahead log from being cut. Raises
JournalUnreadableError when the file turns out to be damaged.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from holdfast.io.journal_errors import JournalUnreadableError, damaged, unreadable
from holdfast.io.journal_rows import Fact, PartNote, Snapshot
from holdfast.io.journal_schema import (
    PLATFORM_OF,
    journal_path,
    open_to_read,
    read_key,
)
from holdfast.io.journal_sums import sum_of

BUSY_MS = 1_000  # Readers wait for a writer only while it recovers from a crash.
SEQ_MAX = (1 << 63) - 1
FACTS = "SELECT fact.seq, at_ms, event, commands, fact.checksum, commands_checksum FROM"


class JournalReads:
    """What can be asked of a journal; `limit` bounds how long a call takes."""

    def __init__(self, path: Path, *, check: bool = True) -> None:
        self.path = path
        self._reading = open_to_read(path, busy_ms=BUSY_MS, check=check)
        self._numbers: dict[str, int] = {}  # {account: its number in the file}
        self.key = read_key(self._reading)

    def accounts(self) -> list[str]:
        """Return the names of all accounts, sorted."""
        rows = self._rows("SELECT name FROM account ORDER BY name")
        return [name for (name,) in rows]

    def platform(self, account: str) -> str:
        """Return which platform an account is of; empty when that was never noted."""
        query = "SELECT value FROM meta WHERE name = ?"
        rows = self._rows(query, f"{PLATFORM_OF}{account}")
        return str(rows[0][0]) if rows else ""

    def first_seq(self, account: str) -> int | None:
        """Return the seq of the oldest fact still here, None when there is none."""
        query = "SELECT min(seq) FROM fact WHERE account = ?"
        seq: int | None = self._rows(query, self._number(account))[0][0]
        return seq

    def last(self, account: str) -> Fact | None:
        """Return the newest fact; None when nothing was recorded yet."""
        query = f"{FACTS} fact WHERE account = ? ORDER BY seq DESC LIMIT 1"
        facts = self._facts(account, query, self._number(account))
        return facts[0] if facts else None

    def facts(self, account: str, after: int = 0, limit: int = 1_000) -> list[Fact]:
        """Return up to `limit` facts with seq > after, in order; ask on after the last.

        The first may be later than after + 1: older facts go by age and size.
        """
        query = f"{FACTS} fact WHERE account = ? AND seq > ? ORDER BY seq LIMIT ?"
        facts = self._facts(account, query, self._number(account), after, limit)
        for one, next_one in pairwise(facts):
            if next_one.seq != one.seq + 1:
                what = f"fact {next_one.seq} of {account} follows fact {one.seq}"
                raise self.damage(what)
        return facts

    def messages(
        self, account: str, after_seq: int = 0, limit: int = 100
    ) -> list[Fact]:
        """Return up to `limit` facts that were offered as messages, seq > after_seq."""
        query = (
            f"{FACTS} offered JOIN fact"
            " USING (account, seq) WHERE account = ? AND seq > ? ORDER BY seq LIMIT ?"
        )
        return self._facts(account, query, self._number(account), after_seq, limit)

    def snapshot(self, account: str, at_most_seq: int | None = None) -> Snapshot | None:
        """Return the newest snapshot, or the newest with seq <= at_most_seq.

        Fold the facts after it on its state; None: fold from the first fact.
        """
        query = (
            "SELECT seq, state, core, checksum FROM snapshot"
            " WHERE account = ? AND seq <= ? ORDER BY seq DESC LIMIT 1"
        )
        seq_max = SEQ_MAX if at_most_seq is None else at_most_seq
        number = self._number(account)
        for seq, state, core, checksum in self._rows(query, number, seq_max):
            if sum_of(state, number, seq, core) != checksum:
                raise self._changed(f"the state after fact {seq} of {account}")
            return Snapshot(seq, state, core)
        return None

    def value(self, handle: str) -> bytes | None:
        """Return a vault value; None when it was forgotten, pruned or never kept."""
        query = (
            "SELECT value, account, kind, checksum FROM vault WHERE handle = ?"
            " AND value IS NOT NULL LIMIT 1"
        )
        for value, number, kind, checksum in self._rows(query, handle):
            if sum_of(value, handle, number, kind) != checksum:
                raise self._changed(f"the value of {handle}")
            kept: bytes = value
            return kept
        return None

    def parts(self, account: str, delivery: int) -> list[PartNote]:
        """Return the parts of a delivery in order; none when it is not known here."""
        query = (
            "SELECT delivery, part, state, attempts, peer_id, error, checksum"
            " FROM part WHERE account = ? AND delivery = ? ORDER BY part"
        )
        number = self._number(account)
        notes = []
        for *values, checksum in self._rows(query, number, delivery):
            if sum_of(b"", number, *values) != checksum:
                raise self._changed(f"what became of delivery {delivery} of {account}")
            notes.append(PartNote(*values))
        return notes

    def _number(self, account: str) -> int:
        """Return the account's number, 0 (which no row has) when it is not known."""
        number = self._numbers.get(account)
        if number is None:
            rows = self._rows("SELECT id FROM account WHERE name = ?", account)
            if not rows:
                return 0
            number = self._numbers[account] = rows[0][0]
        return number

    def _facts(self, account: str, query: str, number: int, *more: int) -> list[Fact]:
        """Read facts, each of them what was written."""
        facts = []
        for *fact, checksum, commands_checksum in self._rows(query, number, *more):
            seq, at_ms, event, commands = fact
            if sum_of(event, number, seq, at_ms) != checksum:
                raise self._changed(f"fact {seq} of {account}")
            fits = None if commands is None else sum_of(commands, number, seq)
            if fits != commands_checksum:
                raise self._changed(f"what fact {seq} of {account} led to")
            facts.append(Fact(seq, at_ms, event, commands))
        return facts

    def damage(self, what: str) -> JournalUnreadableError:
        """Return the error to raise for what cannot have been written so."""
        return damaged(self.path, what)

    def _changed(self, what: str) -> JournalUnreadableError:
        return self.damage(f"{what} does not fit its checksum")

    def _rows(self, query: str, *values: object) -> list[Any]:
        try:
            return self._reading.execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: sqlite3.Error) -> JournalUnreadableError:
        return unreadable(self.path, error)


class JournalReader(JournalReads):
    """A journal opened read-only, also while a service in another process writes it.

    `path` is the data folder, or the file in it. Use it in a `with` block. Raises
    JournalUnreadableError and JournalTooNewError.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(journal_path(path))

    def __enter__(self) -> Self:
        """Return the reader."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file. Calling any other method afterwards is an error."""
        self._reading.close()

    @contextmanager
    def moment(self) -> Iterator[None]:
        """Make all calls inside answer as of one moment, whatever is written or pruned.

        The write-ahead log grows meanwhile, so keep it short: an export, not a watch.
        """
        self._rows("BEGIN")
        try:
            yield
        finally:
            self._rows("COMMIT")
