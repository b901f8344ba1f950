"""Upgrade: what older releases wrote, in today's form.

Version 2 gave every row a checksum. A service adds them when it opens the file; a
reader, which may not write, has them computed as it reads.
"""

import sqlite3

from holdfast.io.journal_sums import SUMS, teach

SCHEMA_VERSION = 2


def upgrade(connection: sqlite3.Connection) -> None:
    """Bring the file to today's version in one transaction; raises sqlite3.Error."""
    teach(connection)
    connection.execute("BEGIN IMMEDIATE")
    for table, sums in SUMS.items():
        for column in sums:
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} INTEGER")
    version = (SCHEMA_VERSION,)
    connection.execute("UPDATE meta SET value = ? WHERE name = 'schema'", version)
    for table, sums in SUMS.items():
        changes = ", ".join(f"{column} = {it}" for column, it in sums.items())
        connection.execute(f"UPDATE {table} SET {changes}")  # noqa: S608 - our own names
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def show_upgraded(connection: sqlite3.Connection) -> None:
    """Let a connection that only reads see an older file in today's form."""
    teach(connection)
    for table, sums in SUMS.items():
        columns = ", ".join(f"{it} AS {column}" for column, it in sums.items())
        view = f"CREATE TEMP VIEW {table} AS SELECT *, {columns} FROM main.{table}"  # noqa: S608 - our own names
        connection.execute(view)
