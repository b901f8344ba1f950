"""The writer without a thread: every append commits in the task that calls it.

For tests and simulations in virtual time, where a clock that jumps while a thread
works would let deadlines strike that are not due. It blocks the loop at each fsync.
"""

import trio

from holdfast.io.journal_rows import Entry
from holdfast.io.journal_store import Job
from holdfast.io.journal_trouble import Attempts, JournalPatience


class InlineWriter:
    """Commits at once; in trouble, each waiting task tries again for all of them."""

    def __init__(self, patience: JournalPatience, attempts: Attempts) -> None:
        self._attempts = attempts
        self._patience = patience
        self._entries: list[Entry] = []
        self._jobs: list[Job] = []
        self._closed = False

    async def append(self, entry: Entry) -> None:
        """Return once the entry is durable."""
        self._check()
        self._entries.append(entry)
        await self.flush()

    def note(self, entry: Entry) -> None:
        """Hand the entry over and go on; in trouble the next call tries it again."""
        self._check()
        self._entries.append(entry)
        self._try()

    async def do(self, job: Job) -> None:
        """Return once the job was done in a transaction, after all handed over so far.

        It runs in the calling task.
        """
        self._check()
        self._jobs.append(job)
        await self.flush()

    async def flush(self) -> None:
        """Return once all handed over so far is durable."""
        for delay_s in self._patience.delays_s():
            if self._try():
                break
            await trio.sleep(delay_s)
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Write what is left; `close_file` comes next."""
        if self._closed or self._attempts.failure is not None:
            return
        with trio.move_on_after(self._patience.close_s_max, shield=True) as scope:
            await self.flush()
        self._closed = True
        if scope.cancelled_caught:
            raise self._attempts.stop(f"closed, but {self._attempts.trouble}")

    def close_file(self) -> None:
        """Close the file."""
        self._closed = True
        self._attempts.close()

    def _check(self) -> None:
        self._attempts.check()
        if self._closed:
            raise trio.ClosedResourceError

    def _try(self) -> bool:
        """Say whether everything handed over is durable now."""
        if self._entries or self._jobs:
            if not self._attempts.commit(self._entries, self._jobs):
                return False
            self._entries.clear()
            self._jobs.clear()
            self._attempts.checkpoint()
        return True
