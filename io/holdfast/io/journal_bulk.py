"""The statements that write, each for many rows at once.

Python gives up its global lock at every SQL statement and then waits for it behind a
busy event loop, so a batch takes as few statements as it can, whatever accounts its
rows are of.
"""

import sqlite3
from typing import Any

ROWS_MAX = 256  # Rows in one statement: a power of two.


class Bulk:
    """One statement, prepared for `ROWS_MAX`, …, 4, 2 and 1 rows."""

    def __init__(self, head: str, row: str, tail: str = "") -> None:
        self._width = row.count("?")
        self._texts: list[tuple[int, str]] = []
        count = ROWS_MAX
        while count:
            self._texts.append((count, " ".join((head, ",".join([row] * count), tail))))
            count //= 2

    def run(self, connection: sqlite3.Connection, values: list[Any]) -> None:
        """Run it for all rows, whose columns stand one after another in `values`."""
        start = 0
        for count, text in self._texts:
            size = count * self._width
            while len(values) - start >= size:
                connection.execute(text, values[start : start + size])
                start += size


FACTS = Bulk(
    "INSERT INTO fact (account, seq, at_ms, event, checksum) VALUES", "(?,?,?,?,?)"
)
COMMANDS = Bulk(
    "WITH noted (account, seq, commands, checksum) AS (VALUES",
    "(?,?,?,?)",
    ") UPDATE fact SET commands = noted.commands, commands_checksum = noted.checksum"
    " FROM noted"
    " WHERE fact.account = noted.account AND fact.seq = noted.seq",
)
OFFERED = Bulk(
    "INSERT OR IGNORE INTO offered (account, seq, checksum) VALUES", "(?,?,?)"
)

# A handle is forgotten for everybody, also for an account that keeps it only later.
KEPT = Bulk(
    "WITH kept (account, seq, handle, kind, value, checksum) AS (VALUES",
    "(?,?,?,?,?,?)",
    "), judged AS (SELECT *, EXISTS (SELECT 1 FROM vault"
    " WHERE vault.handle = kept.handle AND vault.value IS NULL) AS dead FROM kept)"
    " INSERT INTO vault (account, seq, handle, kind, value, checksum)"
    " SELECT account, seq, handle, kind, iif(dead, NULL, value),"
    " iif(dead, NULL, checksum) FROM judged WHERE true"
    " ON CONFLICT (handle, account) DO UPDATE SET seq = excluded.seq",
)
TOMBSTONES = Bulk(
    "INSERT OR IGNORE INTO vault (account, seq, handle, kind) VALUES", "(?,?,?,'')"
)
FORGOTTEN = Bulk(
    "UPDATE vault SET value = NULL, checksum = NULL WHERE handle IN (VALUES", "(?)", ")"
)

PARTS = Bulk(
    "INSERT OR REPLACE INTO part (account, delivery, part, state, attempts, peer_id,"
    " error, checksum) VALUES",
    "(?,?,?,?,?,?,?,?)",
)
SNAPSHOTS = Bulk(
    "INSERT OR REPLACE INTO snapshot (account, seq, state, core, checksum) VALUES",
    "(?,?,?,?,?)",
)
