"""Letters: how facts reach an owner in one order, and what their senders learn."""

import trio

from holdfast.io.draft import Draft

WAITING_MAX = 256
TAKEN_MAX = 64


class Letter:
    """A draft on its way; `seqs` and `read` are set by the owner that takes it."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.seqs = range(0)
        self.read = False
        self.waiting = trio.CancelScope()


class Letterbox:
    """One account's ordered inbox, bounded: who posts too much waits."""

    def __init__(self) -> None:
        self._in, self._out = trio.open_memory_channel[Letter](WAITING_MAX)
        self._open: dict[Letter, None] = {}
        self._closed = False

    def post_first(self, draft: Draft) -> None:
        """Put the very first draft in, before anybody else can."""
        self._in.send_nowait(Letter(draft))

    async def post(self, draft: Draft) -> None:
        """Put a draft in; wait only while the box is full and somebody reads it."""
        await self._put(Letter(draft))

    async def deliver(self, draft: Draft) -> Letter:
        """Put a draft in and wait until it was acted upon, or never will be.

        The letter's `read` says which.
        """
        letter = Letter(draft)
        await self._put(letter, wait=True)
        return letter

    async def _put(self, letter: Letter, *, wait: bool = False) -> None:
        if self._closed:
            return
        self._open[letter] = None
        try:
            with letter.waiting:
                await self._in.send(letter)
                if wait:
                    await trio.sleep_forever()
        finally:
            del self._open[letter]

    async def take(self) -> list[Letter]:
        """Return all that is in the box, to be recorded in one commit; wait for one."""
        letters = [await self._out.receive()]
        while len(letters) < TAKEN_MAX:
            try:
                letters.append(self._out.receive_nowait())
            except trio.WouldBlock:
                break
        return letters

    def answer(self, letters: list[Letter]) -> None:
        """Tell the senders that their facts are durable and were acted upon."""
        for letter in letters:
            letter.read = True
            letter.waiting.cancel()

    def close(self) -> None:
        """Take nothing more: nobody may go on waiting for a letter not read."""
        self._closed = True
        for letter in self._open:
            letter.waiting.cancel()
