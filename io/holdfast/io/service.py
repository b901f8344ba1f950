"""The service: every configured account, kept alive for as long as it is open.

async with open_service("holdfast.toml") as service:
    async for message in service.messages(consumer="agent"):
        await service.send(message.account, message.from_, "…")
        await message.done()
"""

import logging
import re
from collections.abc import Callable

from holdfast.core.commands import Command, Escalate
from holdfast.core.events import Fact, RetryRequested, SendRequested
from holdfast.core.keys import claimed
from holdfast.io.deliveries import Delivery, DeliveryStatus, delivery_status
from holdfast.io.draft import Draft
from holdfast.io.health import Health, health_of
from holdfast.io.journal import Journal
from holdfast.io.journal_read import SEQ_MAX
from holdfast.io.life import Life
from holdfast.io.messages import Messages, Reader
from holdfast.io.owner import Owner
from holdfast.io.rules import State
from holdfast.io.sending import Wish, draft_text
from holdfast.io.vault import Vault

log = logging.getLogger("holdfast")
log.addHandler(logging.NullHandler())

Watcher = Callable[[str, Fact, State, State, list[Command]], None]


CONSUMER = re.compile(r"[A-Za-z0-9._-]{1,64}")


class UnknownAccountError(LookupError):
    """No account of this name is configured."""


class Service:
    """Every account of one configuration, while it is open. `open_service` makes it."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        # The loops themselves, for tools and tests; a host needs none of them.
        self.owners: dict[str, Owner] = {}
        self._vaults: dict[str, Vault] = {}
        self._watchers: list[Watcher] = []
        self._consumers: dict[str, Messages] = {}
        self._life = Life()

    @property
    def accounts(self) -> tuple[str, ...]:
        """The names of the accounts, in the order of the configuration."""
        return tuple(self.owners)

    @property
    def trouble(self) -> str | None:
        """What keeps the journal from writing, in words; None when nothing does."""
        return self.journal.trouble

    def messages(self, consumer: str = "default") -> Messages:
        """Return the stream of what this consumer has not finished, oldest first.

        One stream per consumer at a time: raises `ValueError` for a second one, and
        `StoppedError` once the service is closed.
        """
        self._life.check()
        if not CONSUMER.fullmatch(consumer):
            what = "1 to 64 letters, digits, hyphens, dots and _"
            raise ValueError(f"consumer {consumer[:70]!r}: expected {what}")
        if consumer in self._consumers:
            raise ValueError(f"consumer {consumer!r} already has a stream")
        readers = [
            Reader(owner, self._vaults[name], consumer)
            for name, owner in self.owners.items()
        ]
        stream = Messages(
            readers,
            life=self._life,
            flush=self.journal.flush,
            close=lambda: self._release(consumer),
        )
        self._consumers[consumer] = stream
        return stream

    async def send(
        self, account: str, to: str, text: str, *, key: str = "", reply_to: str = ""
    ) -> Delivery:
        """Queue a text durably and return its delivery; it goes out by itself.

        The same `key` within a day is the same delivery. `reply_to` is the `id` of the
        message answered, by default the newest one of that peer; iLink answers people,
        not messages, and needs none. Raises
        `UnknownAccountError`, `SendRefusedError` with what would be right, and
        `StoppedError` when the service closes before the text is queued.
        """
        owner = self._owner(account)
        self._life.check(" and send it then")
        policy, platform = owner.seat.policy, owner.seat.platform
        wish = Wish(to=to, text=text, key=key, reply_to=reply_to)
        draft = draft_text(self._vaults[account], policy.delivery, platform, wish)
        number = (await owner.ask(draft))[0]
        event = draft.events[0]
        if isinstance(event, SendRequested) and event.key:
            keys, now_ms = owner.state.outbox.keys, owner.now_ms
            number = claimed(keys, event.key, now_ms, policy.delivery) or number
        return Delivery(owner, number, self._life, self.journal.flush)

    def delivery(self, delivery: str) -> DeliveryStatus | None:
        """Return where a delivery stands, by its id; None when it is not known.

        Raises `StoppedError` once the service is closed.
        """
        self._life.check()
        account, _, number = delivery.rpartition(":")
        digits_max = len(str(SEQ_MAX)) - 1
        known = account in self.owners
        if not known or not number.isdecimal() or len(number) > digits_max:
            return None
        return delivery_status(self.owners[account], int(number))

    async def retry(self, account: str) -> None:
        """Probe and dial now instead of when the timers say."""
        owner = self._owner(account)
        self._life.check()
        await owner.ask(Draft((RetryRequested(),)))

    def health(self, account: str) -> Health:
        """Return how an account is, from its last proof of life.

        Raises `StoppedError` once the service is closed: it would be how it was.
        """
        owner = self._owner(account)
        self._life.check()
        return health_of(account, owner.seat.platform.name, owner.state, owner.seq)

    def watch(self, watcher: Watcher) -> None:
        """Call `watcher` with every fact and what followed; it must not block."""
        self._watchers.append(watcher)

    def stepped(
        self,
        account: str,
        fact: Fact,
        before: State,
        after: State,
        acts: list[Command],
    ) -> None:
        """Tell watchers and waiting streams of one fact (the owners call it)."""
        for command in acts:
            if isinstance(command, Escalate):
                what = f"{command.code} {command.reason}".strip()
                log.warning("account %s fact %d: %s", account, fact.seq, what)
        for watcher in self._watchers:
            watcher(account, fact, before, after, acts)
        self._life.tell()

    def take(self, owner: Owner, vault: Vault) -> None:
        """Count an account in; whoever opened the service runs its owner."""
        self.owners[owner.seat.account] = owner
        self._vaults[owner.seat.account] = vault

    def close(self) -> None:
        """Tell whoever still waits that nothing more comes (the opener calls it)."""
        self._life.close()

    def _release(self, consumer: str) -> None:
        self._consumers.pop(consumer, None)

    def _owner(self, account: str) -> Owner:
        if account not in self.owners:
            known = ", ".join(self.owners) or "none"
            raise UnknownAccountError(f"no account {account!r}; configured: {known}")
        return self.owners[account]
