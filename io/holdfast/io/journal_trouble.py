"""What to do when a write fails: say so, then try again or stop.

Both writers, the thread and the inline one, go by this page.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from holdfast.io.journal_errors import JournalBrokenError, passing_reason
from holdfast.io.journal_rows import Entry
from holdfast.io.journal_store import Job, Store

Tell: TypeAlias = Callable[[str | None], object]


class JournalPatience(Struct, frozen=True):
    """How long the journal waits for what; all in seconds."""

    retry_s_first: float = 0.1  # Doubled at each failure …
    retry_s_max: float = 2.0  # … up to this.
    busy_s: float = 1.0  # How long one try waits for another program's lock.
    linger_s: float = 0.005  # How long notes wait for an append to share its commit.
    close_s_max: float = 10.0  # How long closing goes on trying to write the rest.

    def delays_s(self) -> Iterator[float]:
        """Yield the delays before the second try, the third, and so on for ever."""
        delay_s = self.retry_s_first
        while True:
            yield delay_s
            delay_s = min(2 * delay_s, self.retry_s_max)


class Attempts:
    """A store whose failures are told.

    `trouble` is None while all is well; `failure` is what stopped the store for good.
    """

    def __init__(self, store: Store, path: Path, tell: Tell) -> None:
        self.trouble: str | None = None
        self.failure: JournalBrokenError | None = None
        self._told = False
        self._store = store
        self._path = path
        self._tell = tell
        self._reason: str | None = None
        self._since = ""

    def commit(self, entries: Iterable[Entry], jobs: Iterable[Job]) -> bool:
        """Say whether the batch is durable now; if it is not, try again later.

        Raises JournalBrokenError when trying again is of no use, or would lie.
        """
        self.check()
        try:
            self._store.commit(entries, jobs)
        except sqlite3.Error as error:
            self._begin(error)
            return False
        except AssertionError as error:
            raise self.stop(str(error)) from error
        if self.trouble is not None:
            self._end()
        return True

    def checkpoint(self) -> None:
        """Move what was committed to its place when enough came together.

        A disk that is full leaves it for the next time. Raises JournalBrokenError.
        """
        try:
            self._store.checkpoint_if_due()
        except sqlite3.Error as error:
            if passing_reason(error) is None:
                raise self.stop(str(error)) from error

    def stop(self, why: str) -> JournalBrokenError:
        """Write nothing more from here on; return the error that says why."""
        failure = JournalBrokenError(f"{self._path} records nothing more: {why}")
        self.failure = self.failure or failure
        return self.failure

    def check(self) -> None:
        """Raise JournalBrokenError if the store stopped for good."""
        if self.failure is not None:
            self._told = True
            raise JournalBrokenError(*self.failure.args) from self.failure

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def last_check(self) -> None:
        """Raise JournalBrokenError if the store stopped and nobody was told."""
        if not self._told:
            self.check()

    def _begin(self, error: sqlite3.Error) -> None:
        reason = passing_reason(error)
        if reason is None:
            raise self.stop(str(error)) from error
        if self.trouble is None:
            self._since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if reason != self._reason:
            self._reason = reason
            self.trouble = (
                f"{self._path}: {reason} ({error}). Nothing was recorded since"
                f" {self._since}; it is tried again"
            )
            self._tell(self.trouble)

    def _end(self) -> None:
        self.trouble = self._reason = None
        self._tell(None)
