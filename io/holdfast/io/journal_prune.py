"""Retention: how far back an account's facts may go, and taking them out in chunks.

A cut is a seq; facts up to it go. It is always the seq of a snapshot, so that what
stays can be folded from its first fact on, and always below the newest fact, on whose
seq and time the next one builds.
"""

import sqlite3
from collections.abc import Collection
from itertools import pairwise
from pathlib import Path

from msgspec import Struct

from holdfast.io.journal_errors import unreadable
from holdfast.io.journal_read import BUSY_MS, SEQ_MAX
from holdfast.io.journal_schema import open_to_read

CHUNK_FACTS = 500  # Facts in one transaction: a few milliseconds.
CHUNK_PAGES = 256  # Pages given back to the disk in one transaction: 1 MiB.


class Retention(Struct, frozen=True):
    """What one account need not keep: facts before a time, and facts beyond a size.

    `bytes_max` counts events, commands and vault values, not what SQLite adds. Facts
    after `keep_after_seq` stay in any case; a handle in `live_handles` keeps its value.
    """

    account: str
    before_ms: int | None
    bytes_max: int | None
    keep_after_seq: int
    live_handles: Collection[str]


def find_cut(path: Path, retention: Retention) -> int:
    """Return the seq up to which the account's facts may go; 0: none may.

    Runs in any thread, on a connection of its own. Raises JournalUnreadableError.
    """
    connection = open_to_read(path, busy_ms=BUSY_MS, check=False)
    try:
        account = _number(connection, retention.account)
        cuts = _possible_cuts(connection, account, retention.keep_after_seq)
        return max(
            _cut_by_age(cuts, retention.before_ms),
            _cut_by_size(connection, account, cuts, retention.bytes_max),
        )
    except sqlite3.DatabaseError as error:
        raise unreadable(path, error) from error
    finally:
        connection.close()


def remove_chunk(connection: sqlite3.Connection, retention: Retention, cut: int) -> int:
    """Remove the oldest facts up to the cut, and what belongs to them.

    Returns how many facts went; call again until it is 0.
    """
    account = _number(connection, retention.account)
    query = "SELECT min(seq) FROM fact WHERE account = ?"
    (first,) = connection.execute(query, (account,)).fetchone()
    upto = min(cut, first + CHUNK_FACTS - 1)
    _remove_values(connection, account, upto, retention.live_handles)
    for deletion, last in (
        ("DELETE FROM offered WHERE account = ? AND seq <= ?", upto),
        ("DELETE FROM part WHERE account = ? AND delivery <= ?", upto),
        # The snapshot at the cut stays: the rest is folded from there.
        ("DELETE FROM snapshot WHERE account = ? AND seq <= ?", min(upto, cut - 1)),
    ):
        connection.execute(deletion, (account, last))
    deletion = "DELETE FROM fact WHERE account = ? AND seq <= ?"
    return connection.execute(deletion, (account, upto)).rowcount


def give_back(connection: sqlite3.Connection) -> int:
    """Give unused pages back to the disk; returns how many are left to give."""
    connection.execute(f"PRAGMA incremental_vacuum({CHUNK_PAGES})").fetchall()
    left: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return left


def _number(connection: sqlite3.Connection, account: str) -> int:
    query = "SELECT id FROM account WHERE name = ?"
    row = connection.execute(query, (account,)).fetchone()
    return row[0] if row else 0


def _possible_cuts(
    connection: sqlite3.Connection, account: int, keep_after_seq: int
) -> list[tuple[int, int]]:
    """Return (seq, at_ms) of the facts at which a snapshot was taken, in order."""
    query = (
        "SELECT seq, at_ms FROM snapshot JOIN fact USING (account, seq)"
        " WHERE account = ? AND seq <= ?"
        " AND seq < (SELECT max(seq) FROM fact WHERE account = ?) ORDER BY seq"
    )
    return connection.execute(query, (account, keep_after_seq, account)).fetchall()


def _cut_by_age(cuts: list[tuple[int, int]], before_ms: int | None) -> int:
    if before_ms is None:
        return 0
    return max((seq for seq, at_ms in cuts if at_ms < before_ms), default=0)


def _cut_by_size(
    connection: sqlite3.Connection,
    account: int,
    cuts: list[tuple[int, int]],
    bytes_max: int | None,
) -> int:
    """Return the earliest cut after which no more than `bytes_max` is left.

    If there is none, the latest cut, which leaves least.
    """
    if bytes_max is None or not cuts:
        return 0
    seqs = [seq for seq, _ in cuts]
    size = 0
    for low, high in reversed(list(pairwise([0, *seqs, SEQ_MAX]))):
        size += _bytes_between(connection, account, low, high)
        if size > bytes_max:
            return min(high, seqs[-1])
    return 0


def _bytes_between(
    connection: sqlite3.Connection, account: int, low: int, high: int
) -> int:
    """Return the size of the facts with low < seq <= high and of their values."""
    query = (
        "SELECT (SELECT total(length(event) + ifnull(length(commands), 0)) FROM fact"
        " WHERE account = ? AND seq > ? AND seq <= ?)"
        " + (SELECT total(length(value)) FROM vault"
        " WHERE account = ? AND seq > ? AND seq <= ? AND value IS NOT NULL)"
    )
    span = (account, low, high)
    return int(connection.execute(query, span + span).fetchone()[0])


def _remove_values(
    connection: sqlite3.Connection, account: int, upto: int, live: Collection[str]
) -> None:
    """Remove values kept last at or before a fact that goes, unless they are live.

    Tombstones stay for ever: a forgotten handle must not come back.
    """
    query = (
        "SELECT rowid, handle FROM vault"
        " WHERE account = ? AND seq <= ? AND value IS NOT NULL"
    )
    rows = connection.execute(query, (account, upto)).fetchall()
    dead = [(row,) for row, handle in rows if handle not in live]
    connection.executemany("DELETE FROM vault WHERE rowid = ?", dead)
