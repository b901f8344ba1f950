"""Checksums: what tells a row that changed on the disk from the one that was written.

SQLite notices a broken structure, not a changed letter. So each row has a CRC-32 of
what it holds and of where it belongs; SQL knows it as the function `sum_of`. Only what
may be missing, commands and a forgotten value, then has no checksum either.
"""

import sqlite3
from collections.abc import Mapping
from zlib import crc32

# {table: {column of a checksum: what it must be}}
SUMS: Mapping[str, Mapping[str, str]] = {
    "meta": {"checksum": "sum_of(x'', name, value)"},
    "account": {"checksum": "sum_of(x'', id, name)"},
    "fact": {
        "checksum": "sum_of(event, account, seq, at_ms)",
        "commands_checksum": (
            "iif(commands IS NULL, NULL, sum_of(commands, account, seq))"
        ),
    },
    "offered": {"checksum": "sum_of(x'', account, seq)"},
    # When it was last kept changes; an index over it tells when that was damaged.
    "vault": {
        "checksum": "iif(value IS NULL, NULL, sum_of(value, handle, account, kind))"
    },
    "part": {
        "checksum": (
            "sum_of(x'', account, delivery, part, state, attempts, peer_id, error)"
        )
    },
    "snapshot": {"checksum": "sum_of(state, account, seq, core)"},
}
NONE_FITS = -1


def sum_of(content: object, *place: object) -> int:
    """Return the checksum of a row's content and of what else stands in the row.

    What is not bytes, but was when it was written, has none that would fit.
    """
    if type(content) is not bytes:
        return NONE_FITS
    return crc32(content, crc32(ascii(place).encode()))


def teach(connection: sqlite3.Connection) -> None:
    """Let statements of a connection use `sum_of`."""
    connection.create_function("sum_of", -1, sum_of, deterministic=True)
