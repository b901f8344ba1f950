"""Messages: what a consumer reads, and its word that it is done with them.

A consumer has a name. What it finished is durable under that name, so a message is
offered again after a restart exactly when its consumer had not said done.
"""

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Self

import msgspec
import trio
from msgspec import Struct, field

from holdfast.core.events import MessageDone, MessageReceived
from holdfast.core.inbox import Consumer, is_done
from holdfast.io.draft import Draft
from holdfast.io.life import Life
from holdfast.io.owner import Owner
from holdfast.io.recovery import decode_event
from holdfast.io.vault import Vault

PAGE = 32
# So many messages may be finished ahead of one that is not; then it is waited for.
AHEAD_MAX = 1_000

log = logging.getLogger("holdfast")
_decode = msgspec.json.Decoder()


class Message(Struct, frozen=True, kw_only=True):
    """One inbound message. Handle it, answer it if you like, then `await done()`.

    `from_` is the target to answer to, and what `Service.send` takes; `id` is what its
    `reply_to` takes. `raw` is the platform's own object, unchanged; `text` is what a
    person would read, empty when there is nothing to read. `at_ms` is when it was
    recorded, in epoch milliseconds.
    """

    seq: int
    account: str
    id: str
    at_ms: int
    from_: str = field(name="from")
    sender: str
    kind: str
    text: str
    items: list[Any]
    quote: Any
    raw: Any
    finish: Callable[[], Awaitable[None]]

    async def done(self) -> None:
        """Say that this message is handled; returns once that is durable."""
        await self.finish()


class Reader:
    """How far one consumer has read in one account, in this process."""

    def __init__(self, owner: Owner, vault: Vault, consumer: str) -> None:
        self._owner = owner
        self._vault = vault
        self._consumer = consumer
        self._position = self._progress().through
        self._open: dict[int, None] = {}  # Offered and not done, oldest first.

    def fetch(self) -> list[Message]:
        """Return the next messages, none when all that is recorded was offered."""
        account = self._owner.seat.account
        journal = self._owner.seat.journal
        if len(self._progress().ahead) >= AHEAD_MAX:
            waiting = min(self._open, default=0)
            what = "account %s: consumer %s is offered nothing until it is done with %d"
            log.warning(what, account, self._consumer, waiting)
            return []
        messages = []
        for row in journal.messages(account, self._position, PAGE):
            self._position = row.seq
            if is_done(self._progress(), row.seq):
                continue
            event = decode_event(row.event)
            assert isinstance(event, MessageReceived)
            self._open[row.seq] = None
            messages.append(self._message(row.seq, row.at_ms, event))
        return messages

    def _progress(self) -> Consumer:
        consumers = self._owner.state.inbox.consumers
        return consumers.get(self._consumer, Consumer())

    def _message(self, seq: int, at_ms: int, event: MessageReceived) -> Message:
        raw = read_body(self._vault.bytes(event.body))
        reading = self._owner.seat.platform.read(raw)
        return Message(
            seq=seq,
            account=self._owner.seat.account,
            id=event.message_id or event.body,
            at_ms=at_ms,
            from_=event.peer,
            sender=event.sender or event.peer,
            kind=event.kind,
            text=reading.text,
            items=reading.items,
            quote=reading.quote,
            raw=raw,
            finish=lambda: self._finish(seq),
        )

    async def _finish(self, seq: int) -> None:
        """Record that `seq` is done, and how far everything before it is done."""
        self._open.pop(seq, None)
        through = min(self._open) - 1 if self._open else self._position
        event = MessageDone(self._consumer, seq, through)
        await self._owner.ask(Draft((event,)))


class Messages:
    """An endless stream of messages for one consumer, over all accounts.

    Iterate over it with `async for`; it waits when there is nothing. Accounts take
    turns, so that a busy one cannot starve the others.
    """

    def __init__(
        self,
        readers: list[Reader],
        life: Life,
        flush: Callable[[], Awaitable[None]],
        close: Callable[[], None],
    ) -> None:
        self._readers = deque(readers)
        self._life = life
        self._flush = flush
        self._close = close
        self._ready: deque[Message] = deque()

    def __aiter__(self) -> Self:
        """Return itself: one stream is read by one loop."""
        return self

    async def __anext__(self) -> Message:
        """Return the next message, as soon as there is one.

        Raises `StoppedError` once the service is closed.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        while not self._ready:
            # Taken before looking, so that what arrives meanwhile is not missed; and
            # what was offered until now is in the journal after the flush.
            news = self._life.next_news()
            await self._flush()
            self._life.check()
            if not self._fetch():
                await news.wait()
        return self._ready.popleft()

    def close(self) -> None:
        """Give the consumer's name free for another stream."""
        self._close()

    def _fetch(self) -> bool:
        for _ in range(len(self._readers)):
            self._readers.rotate(-1)
            self._ready += self._readers[-1].fetch()
            if self._ready:
                return True
        return False


def read_body(body: bytes) -> Any:
    """Return a message's own JSON; its text when it is none."""
    text = body.decode("utf-8", "replace")
    try:
        return _decode.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
