"""Coverage: which rows of the machines' tables an exploration walked."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from holdfast.core import connection, inbox, outbox, session
from holdfast.core.table import Table

# {machine: its table}, of the machines that have one.
TABLES: Mapping[str, Table[Any, Any]] = {
    table.name: table
    for table in (session.TABLE, connection.TABLE, outbox.TABLE, inbox.TABLE)
}
Row = tuple[str, str, str]
"""A machine, a phase and a trigger."""


class _Noted(dict[Any, Any]):
    """A table's mapping that notes which rows were looked up."""

    def __init__(self, rows: Mapping[Any, Any]) -> None:
        super().__init__(rows)
        self.walked: dict[Any, None] = {}

    def get(self, key: Any, default: Any = None) -> Any:
        found = super().get(key)
        if found is None:
            return default
        self.walked[key] = None
        return found

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        self.walked[key] = None
        return found


@contextmanager
def noted_rows() -> Iterator[dict[Row, None]]:
    """Note every row that a reducer walks; the mapping is full when the block ends."""
    before: dict[str, Mapping[Any, Any]] = {
        name: table.next for name, table in TABLES.items()
    }
    noted = {name: _Noted(rows) for name, rows in before.items()}
    walked: dict[Row, None] = {}
    try:
        for name, rows in noted.items():
            TABLES[name].next = rows
        yield walked
    finally:
        for name, mapping in before.items():
            TABLES[name].next = mapping
        for name, table in noted.items():
            for phase, trigger in table.walked:
                walked[name, str(phase), str(trigger)] = None


def all_rows() -> list[Row]:
    """Return every row of every table."""
    return [
        (name, str(phase), str(trigger))
        for name, table in TABLES.items()
        for trigger, phase, _ in table.rows
    ]
