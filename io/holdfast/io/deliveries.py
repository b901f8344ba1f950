"""Deliveries: what was asked to be sent, and what became of it."""

from collections.abc import Awaitable, Callable

from msgspec import Struct
from msgspec.structs import replace

from holdfast.core.events import SendRequested
from holdfast.core.outbox import Part, Phase
from holdfast.io.life import Life
from holdfast.io.owner import Owner
from holdfast.io.recovery import decode_event

# From the least to the most advanced: a delivery stands where its last part stands.
ADVANCE = (
    Phase.QUEUED,
    Phase.WAITING,
    Phase.PARKED,
    Phase.SENDING,
    Phase.UNKNOWN,
    Phase.REJECTED,
    Phase.UNCONFIRMED,
    Phase.ACCEPTED,
)


class PartStatus(Struct, frozen=True):
    """One part: `error` is the peer's own words, None when it said nothing."""

    state: str
    attempts: int
    peer_id: str | None
    error: str | None


class DeliveryStatus(Struct, frozen=True):
    """A delivery; its state is that of its least advanced part."""

    delivery: str
    account: str
    to: str
    state: str
    parts: tuple[PartStatus, ...]


class Delivery:
    """A delivery that is durably queued. Await `settled` to learn what became of it."""

    def __init__(
        self,
        owner: Owner,
        number: int,
        life: Life,
        flush: Callable[[], Awaitable[None]],
    ) -> None:
        self._owner = owner
        self._number = number
        self._life = life
        self._flush = flush
        self._then = f" and ask for it with service.delivery({self.id!r})"

    @property
    def id(self) -> str:
        """Its name, unique over accounts."""
        return f"{self._owner.seat.account}:{self._number}"

    def status(self) -> DeliveryStatus | None:
        """Return where it stands; None when the journal no longer holds it.

        Raises `StoppedError` once the service is closed: open it again, and ask
        `Service.delivery` for its `id`.
        """
        self._life.check(self._then)
        return delivery_status(self._owner, self._number)

    async def settled(self) -> DeliveryStatus | None:
        """Wait until nothing more happens by itself, and return where it stands.

        That is when every part is accepted, unconfirmed, rejected or unknown, or is
        parked until the peer writes. Raises `StoppedError` when the service is closed
        before that, as `status` does.
        """
        while True:
            news = self._life.next_news(self._then)
            waiting = _unfinished(self._owner, self._number)
            if not waiting or waiting[0].phase is Phase.PARKED:
                # Reports are in the journal after the flush.
                await self._flush()
                return self.status()
            await news.wait()


def delivery_status(owner: Owner, number: int) -> DeliveryStatus | None:
    """Return where a delivery stands; None when the journal does not hold it."""
    account, journal = owner.seat.account, owner.seat.journal
    rows = journal.facts(account, number - 1, 1)
    event = decode_event(rows[0].event) if rows else None
    if not isinstance(event, SendRequested) or rows[0].seq != number:
        return None
    noted = {note.part: note for note in journal.parts(account, number)}
    parts = [PartStatus(Phase.QUEUED, 0, None, None) for _ in event.parts]
    for part, note in noted.items():
        parts[part] = PartStatus(
            note.state, note.attempts, note.peer_id or None, note.error or None
        )
    live = _unfinished(owner, number)
    for part, unfinished in enumerate(live, len(parts) - len(live)):
        error = parts[part].error
        parts[part] = PartStatus(unfinished.phase, unfinished.attempts, None, error)
    states = [Phase(part.state) for part in parts]
    return DeliveryStatus(
        delivery=f"{account}:{number}",
        account=account,
        to=event.peer,
        state=min(states, key=ADVANCE.index),
        parts=tuple(parts),
    )


def _unfinished(owner: Owner, number: int) -> list[Part]:
    """Return what is left of a delivery; behind a parked part all are parked."""
    for orders in owner.state.outbox.queues.values():
        parked = orders[0].parts[0].phase is Phase.PARKED
        for order in orders:
            if order.id == number:
                return [
                    replace(part, phase=Phase.PARKED) if parked else part
                    for part in order.parts
                ]
    return []
