"""What the tests of the journal share: entries, and connections that misbehave."""

import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import trio

from holdfast.io.journal_rows import Entry, Snapshot
from holdfast.io.journal_schema import Connect
from holdfast.io.journal_trouble import JournalPatience

START_MS = 1_790_000_000_000

# Retries come at once, and nobody waits for somebody else's lock.
EAGER = JournalPatience(retry_s_first=0.001, retry_s_max=0.001, busy_s=0.0)


def fact(seq: int, account: str = "alice", **more: Any) -> Entry:
    """Return an entry with one fact, one second after the fact before it."""
    event = b'{"type":"poll_answered","ret":%d}' % seq
    return Entry(account, ((seq, START_MS + 1000 * seq, event),), **more)


def facts(first: int, last: int, account: str = "alice", **more: Any) -> Entry:
    """Return one entry with the facts from `first` to `last`."""
    rows = [fact(seq).facts[0] for seq in range(first, last + 1)]
    return Entry(account, tuple(rows), **more)


def shot(seq: int) -> Snapshot:
    return Snapshot(seq, b'{"after":%d}' % seq, "digest")


def connecting(at_commit: Callable[[], None]) -> Connect:
    """Return a `connect` whose connections call `at_commit` before each COMMIT."""

    class Watched(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql == "COMMIT":
                at_commit()
            return super().execute(sql, *values)

    return partial(sqlite3.connect, factory=Watched)


class Gate:
    """Counts commits of the writer's thread, and holds them back while it is shut."""

    def __init__(self) -> None:
        self.commits = 0
        self._reached = threading.Event()
        self._open = threading.Event()
        self._open.set()

    def __call__(self) -> None:
        self.commits += 1
        self._reached.set()
        self._open.wait()

    def shut(self) -> None:
        self._open.clear()
        self._reached.clear()
        self.commits = 0

    def open(self) -> None:
        self._open.set()

    async def reached(self) -> None:
        """Wait until a commit stands before the gate."""
        await trio.to_thread.run_sync(self._reached.wait)


class Faults:
    """Raises, before each COMMIT, whatever is planned next."""

    def __init__(self) -> None:
        self.planned: list[Exception] = []

    def __call__(self) -> None:
        if self.planned:
            raise self.planned.pop(0)


def failure(code: int) -> sqlite3.OperationalError:
    """Return the error that SQLite would raise for this result code."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    return error


class Told:
    """An `on_trouble` that can be waited for."""

    def __init__(self) -> None:
        self.tell, self._heard = trio.open_memory_channel[str | None](100)

    def __call__(self, text: str | None) -> None:
        self.tell.send_nowait(text)

    async def next(self) -> str | None:
        return await self._heard.receive()
