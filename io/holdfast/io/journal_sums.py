"""Checksums: what tells a row that changed on the disk from the one that was written.

SQLite notices a broken structure, not a changed letter. So each row has a CRC-32 of
what it holds and of where it belongs; SQL knows it as the function `sum_of`.
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
        "commands_checksum": "sum_of(commands, account, seq)",
    },
    "offered": {"checksum": "sum_of(x'', account, seq)"},
    # When it was last kept changes; an index over it tells when that was damaged.
    "vault": {"checksum": "sum_of(value, handle, account, kind)"},
    "part": {
        "checksum": (
            "sum_of(x'', account, delivery, part, state, attempts, peer_id, error)"
        )
    },
    "snapshot": {"checksum": "sum_of(state, account, seq, core)"},
}
# What no checksum is: of a value that is not bytes any more.
NONE_FITS = -1


def sum_of(content: bytes | None, *place: object) -> int | None:
    """Return the checksum of a row's content and of what else stands in the row.

    None for a content that is not there, which needs none.
    """
    if type(content) is not bytes:
        return None if content is None else NONE_FITS
    return crc32(content, crc32(ascii(place).encode()))


def teach(connection: sqlite3.Connection) -> None:
    """Let statements of a connection use `sum_of`."""
    connection.create_function("sum_of", -1, sum_of, deterministic=True)
