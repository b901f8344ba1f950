"""The journal: what one process may forget, the next one finds here.

Every account hands over entries; an entry is durable as a whole or not at all, and
before anything later of the same account. The service appends a fact and waits, then
steps, then acts: so a crash can lose an act, never its reason.

The journal is one SQLite file in the data folder, `journal.sqlite3`, with a
write-ahead log beside it. While the service runs, other processes may read it through
`JournalReader` of `journal_read`; only one may write.
"""

import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import trio

from holdfast.io.journal_errors import JournalUnreadableError
from holdfast.io.journal_folder import hold_folder
from holdfast.io.journal_inline import InlineWriter
from holdfast.io.journal_prune import Retention, find_cut, give_back, remove_chunk
from holdfast.io.journal_read import SEQ_MAX, JournalReads
from holdfast.io.journal_rows import Entry
from holdfast.io.journal_schema import PLATFORM_OF, Connect, note, open_to_write
from holdfast.io.journal_store import Store
from holdfast.io.journal_thread import ThreadWriter
from holdfast.io.journal_trouble import Attempts, JournalPatience, Tell

LOG_PAGES_MAX = 4_000  # A write-ahead log of about 16 MiB is emptied.
T = TypeVar("T")
PATIENCE = JournalPatience()


Writer: TypeAlias = Callable[[Attempts], ThreadWriter | InlineWriter]


class Journal(JournalReads):
    """An open journal: `open_journal` makes it. Reads see what is durable."""

    def __init__(self, path: Path, attempts: Attempts, writer: Writer) -> None:
        super().__init__(path, check=False)  # The writer was opened just now.
        self._attempts = attempts
        self._writer = writer(attempts)
        self._damaged = False

    @property
    def trouble(self) -> str | None:
        """What keeps the journal from writing, in words, and since when; None: nothing.

        Whoever waits in `append` goes on waiting, and is woken when there is room.
        """
        return self._attempts.trouble

    def append(self, entry: Entry) -> Coroutine[Any, Any, None]:
        """Return once the entry is durable; only then act on it.

        A caller that is cancelled stops waiting; the entry is written all the same.
        Raises JournalBrokenError when the journal stopped for good: end the process.
        """
        return self._writer.append(entry)  # One coroutine less on the hot path.

    def note(self, entry: Entry) -> None:
        """Hand over what need not be durable yet: it is soon, and in its turn.

        Raises JournalBrokenError when the journal stopped for good.
        """
        self._writer.note(entry)

    async def flush(self) -> None:
        """Return once everything handed over so far is durable; raises like append."""
        await self._writer.flush()

    async def assign(self, account: str, platform: str) -> None:
        """Note of which platform an account is, so that others can fold its facts."""
        if self.platform(account) == platform:
            return
        await self._do(lambda file: note(file, f"{PLATFORM_OF}{account}", platform))

    async def prune(
        self,
        account: str,
        *,
        before_ms: int | None = None,
        bytes_max: int | None = None,
        keep_after_seq: int = SEQ_MAX,
        live_handles: Collection[str] = (),
    ) -> int:
        """Remove an account's oldest facts with all that belongs to them.

        Those go that are older than `before_ms`, and those beyond the newest
        `bytes_max` bytes; never facts after `keep_after_seq`, never the newest one,
        and only up to a snapshot, so that the rest can be folded. Values last kept
        with a fact that goes go too, unless `live_handles` names them; forgotten
        handles stay forgotten. Returns how many facts went. It proceeds in small
        transactions between other writes; raises like append.
        """
        retention = Retention(
            account, before_ms, bytes_max, keep_after_seq, frozenset(live_handles)
        )
        cut = await self._aside(partial(find_cut, self.path, retention))
        removed = 0
        while cut:
            chunk = await self._do(lambda file: remove_chunk(file, retention, cut))
            if not chunk:
                break
            removed += chunk
        while removed and await self._do(give_back):
            pass
        return removed

    async def _aside(self, call: Callable[[], T]) -> T:
        """Run what only reads where it does not hold up the loop."""
        if isinstance(self._writer, InlineWriter):
            return call()
        return await trio.to_thread.run_sync(call)

    async def _do(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run a job in a transaction of the writer and return what it returns."""
        results: list[T] = []
        await self._writer.do(lambda file: results.append(job(file)))
        return results[-1]

    async def aclose(self) -> None:
        """Write what was handed over, for at most `close_s_max`, and close the file.

        Cancellation does not cut it short. Raises JournalBrokenError when something
        that was handed over could not be written.
        """
        try:
            await self._writer.aclose()
        finally:
            # The last to close the file empties its log, which readers cannot: what
            # is damaged stays as it is.
            if self._damaged:
                self._writer.close_file()
            self._reading.close()
            self._writer.close_file()

    def damage(self, what: str) -> JournalUnreadableError:
        """Return the error to raise; from here on the file stays as it is."""
        self._damaged = True
        return super().damage(what)

    def _unreadable(self, error: sqlite3.Error) -> JournalUnreadableError:
        self._damaged = True
        return super()._unreadable(error)


@asynccontextmanager
async def open_journal(
    data_dir: str | Path,
    *,
    threaded: bool = True,
    patience: JournalPatience = PATIENCE,
    on_trouble: Tell | None = None,
    connect: Connect = sqlite3.connect,
) -> AsyncIterator[Journal]:
    """Hold the data folder and open its journal, both made if they are not there.

    `threaded=False` commits in the calling task, for virtual time. `on_trouble` is
    called in the trio thread with what keeps the journal from writing, with None when
    that is over; it must not raise. `connect` is for tests and simulations, which make
    a disk fail.

    Raises DataFolderInUseError, JournalTooNewError, JournalUnreadableError, and
    OSError when the folder cannot be made. On leaving, see `Journal.aclose`.
    """
    with hold_folder(data_dir) as path:
        busy_ms = round(1_000 * patience.busy_s) if threaded else 0
        connection = open_to_write(path, connect, busy_ms=busy_ms)
        store = Store(connection, LOG_PAGES_MAX)
        tell = on_trouble or _nobody
        attempts = Attempts(store, path, _from_thread(tell) if threaded else tell)
        kind = ThreadWriter if threaded else InlineWriter
        journal = Journal(path, attempts, partial(kind, patience))
        try:
            yield journal
        finally:
            await journal.aclose()


def _nobody(_: str | None) -> None:
    """Tell nobody; `Journal.trouble` says it too."""


def _from_thread(tell: Tell) -> Tell:
    token = trio.lowlevel.current_trio_token()

    def post(text: str | None) -> None:
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(tell, text)

    return post
