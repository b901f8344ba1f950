"""The writer in a thread of its own, with one commit for all who wait.

While a commit runs, entries gather in the next batch. Whoever hands one over waits for
the event of its batch, so that waking two hundred tasks takes one call into trio.
"""

import threading
from collections.abc import Callable
from contextlib import suppress

import trio

from holdfast.io.journal_errors import JournalBrokenError
from holdfast.io.journal_rest import Rest
from holdfast.io.journal_rows import Entry
from holdfast.io.journal_store import Job
from holdfast.io.journal_trouble import Attempts, JournalPatience

DYING_S_MAX = 1.0


class _Batch:
    """What is committed together, and who waits for it."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.jobs: list[Job] = []
        self.awaited = False
        self.done = trio.Event()
        self.lost = False


class ThreadWriter:
    """Commits batches in one thread; public methods are for the trio thread alone."""

    def __init__(self, patience: JournalPatience, attempts: Attempts) -> None:
        self._attempts = attempts
        self._patience = patience
        self._trio = trio.lowlevel.current_trio_token()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        # What is shared with the thread, under the lock.
        self._batch = _Batch()
        self._taken: _Batch | None = None
        self._closing = False
        self._gave_up = threading.Event()
        self._ended = trio.Event()
        self._rest = Rest()
        self._rest.begin()
        # A daemon: a disk that never answers must not keep the process from ending.
        self._thread = threading.Thread(
            target=self._run, name="holdfast-journal", daemon=True
        )
        self._thread.start()

    async def append(self, entry: Entry) -> None:
        """Return once the entry is durable."""
        with self._lock:
            batch = self._gathering()
            batch.entries.append(entry)
            if not batch.awaited:
                self._await(batch)
        await batch.done.wait()
        if batch.lost:
            self._attempts.check()

    def note(self, entry: Entry) -> None:
        """Hand the entry over and go on."""
        with self._lock:
            batch = self._gathering()
            batch.entries.append(entry)
            if len(batch.entries) == 1:
                self._changed.notify()

    async def do(self, job: Job) -> None:
        """Return once the job was done in a transaction, after all handed over so far.

        It runs in the writer's thread.
        """
        with self._lock:
            batch = self._gathering()
            batch.jobs.append(job)
            self._await(batch)
        await batch.done.wait()
        if batch.lost:
            self._attempts.check()

    async def flush(self) -> None:
        """Return once all handed over so far is durable."""
        await self.do(lambda _: None)

    async def aclose(self) -> None:
        """Write what is left, then end the thread; `close_file` comes next."""
        with self._lock:
            self._closing = True
            self._changed.notify()
            self._rest.busy()
        with trio.move_on_after(self._patience.close_s_max, shield=True):
            await self._ended.wait()
        self._gave_up.set()
        # One try may still wait for a lock; whatever takes longer is a dead disk.
        with trio.move_on_after(self._patience.busy_s + DYING_S_MAX, shield=True):
            await self._ended.wait()
        self._rest.end()
        if self._ended.is_set():
            self._thread.join()  # It has nothing left to do but to end.
        else:
            self._attempts.stop("closed, but the disk did not answer")
        self._attempts.last_check()

    def close_file(self) -> None:
        """Close the file, unless the thread is still at it."""
        if self._ended.is_set():
            self._attempts.close()

    def _gathering(self) -> _Batch:
        """Return the batch that takes entries, under the lock."""
        if self._closing:
            self._attempts.check()
            raise trio.ClosedResourceError
        return self._batch

    def _await(self, batch: _Batch) -> None:
        batch.awaited = True
        self._changed.notify()
        self._rest.busy()

    # From here on: the writer's thread.

    def _run(self) -> None:
        try:
            with suppress(JournalBrokenError):  # Told to whoever waits, or comes.
                while (batch := self._take()) is not None:
                    self._commit(batch)
                    self._post(batch.done.set)
                    self._taken = None
                    self._attempts.checkpoint()
        finally:
            self._end()

    def _take(self) -> _Batch | None:
        """Wait for something to commit; None: closing, and nothing is left."""
        with self._changed:
            if not self._urgent():
                self._rest.idle()
            self._changed.wait_for(self._something)
            # Notes alone are in no hurry: an append may soon share their commit.
            self._changed.wait_for(self._urgent, self._patience.linger_s)
            if not (self._batch.entries or self._batch.awaited):
                return None
            self._taken, self._batch = self._batch, _Batch()
            return self._taken

    def _something(self) -> bool:
        return bool(self._batch.entries) or self._urgent()

    def _urgent(self) -> bool:
        return self._batch.awaited or self._closing

    def _commit(self, batch: _Batch) -> None:
        delays_s = self._patience.delays_s()
        while not self._attempts.commit(batch.entries, batch.jobs):
            if self._gave_up.wait(next(delays_s)):
                raise self._attempts.stop(f"closed, but {self._attempts.trouble}")

    def _end(self) -> None:
        """Leave nobody waiting, whatever ended the thread."""
        with self._lock:
            if self._taken or not self._closing:
                self._attempts.stop("its writer failed")  # Unless it knows better.
            self._closing = True
        for batch in (self._taken, self._batch):
            if batch is not None:
                batch.lost = True
                self._post(batch.done.set)
        self._rest.idle()
        self._post(self._ended.set)

    def _post(self, call: Callable[[], object]) -> None:
        with suppress(trio.RunFinishedError):  # Then nobody waits any more.
            self._trio.run_sync_soon(call)
