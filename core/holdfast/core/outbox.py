"""Outbox: what the delivery machine remembers, and how its queues are changed.

`delivery` decides; this file holds the shapes and the handful of moves on them.
"""

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from holdfast.core.commands import Command, Report
from holdfast.core.keys import Keys
from holdfast.core.names import Name
from holdfast.core.policy import DeliveryPolicy, InboxPolicy
from holdfast.core.recent import Recent
from holdfast.core.recorded import PeerId
from holdfast.core.table import compile_table

ATTEMPTS_MAX = 1_000


class Phase(Name):
    """Where one part stands; also its `state` in a report."""

    QUEUED = "queued"
    SENDING = "sending"
    WAITING = "waiting"  # Throttled or not reached: a timer brings the next try.
    PARKED = "parked"  # Budget or window spent: the peer must write first.
    UNKNOWN = "unknown"  # The request left, no answer came: sent again, same id.
    ACCEPTED = "accepted"
    UNCONFIRMED = "unconfirmed"  # Accepted without an id: perhaps never shown.
    REJECTED = "rejected"


class Trigger(Name):
    """Why a part moves."""

    SEND = "send"
    STALE = "stale"  # The context was refused: once more without it.
    RENUMBER = "renumber"  # The number under the context was used: the next one.
    DENY = "deny"  # Our standing was refused, not the part: it waits for a new one.
    ACCEPT = "accept"
    UNCONFIRM = "unconfirm"
    THROTTLE = "throttle"
    UNREACH = "unreach"  # Certainly nothing left.
    LOSE = "lose"  # Something left, and no answer came.
    PARK = "park"
    RELEASE = "release"  # The peer wrote.
    REJECT = "reject"


TABLE = compile_table(
    "delivery",
    Phase,
    [
        (Trigger.SEND, Phase.QUEUED, Phase.SENDING),
        (Trigger.SEND, Phase.WAITING, Phase.SENDING),
        (Trigger.SEND, Phase.UNKNOWN, Phase.SENDING),
        (Trigger.STALE, Phase.SENDING, Phase.SENDING),
        (Trigger.RENUMBER, Phase.SENDING, Phase.SENDING),
        (Trigger.DENY, Phase.SENDING, Phase.WAITING),
        (Trigger.ACCEPT, Phase.SENDING, Phase.ACCEPTED),
        (Trigger.UNCONFIRM, Phase.SENDING, Phase.UNCONFIRMED),
        (Trigger.THROTTLE, Phase.SENDING, Phase.WAITING),
        (Trigger.UNREACH, Phase.SENDING, Phase.WAITING),
        (Trigger.LOSE, Phase.SENDING, Phase.UNKNOWN),
        (Trigger.PARK, Phase.SENDING, Phase.PARKED),
        (Trigger.PARK, Phase.QUEUED, Phase.PARKED),
        (Trigger.PARK, Phase.WAITING, Phase.PARKED),
        (Trigger.RELEASE, Phase.PARKED, Phase.QUEUED),
        (Trigger.RELEASE, Phase.WAITING, Phase.QUEUED),
        (Trigger.REJECT, Phase.SENDING, Phase.REJECTED),
    ],
    initial=Phase.QUEUED,
    final=(Phase.ACCEPTED, Phase.UNCONFIRMED, Phase.REJECTED),
)


class Part(
    Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True
):
    """One part not yet finished; every count stops at a maximum of the policy.

    Where answers are counted, `context` and `number` are kept from the first try on.
    `doubtful`: a try may have arrived. `unsure`: nothing was known of the context, so
    that its number may be another part's.
    """

    body: str
    client_id: str
    phase: Phase = Phase.QUEUED
    due_ms: int = 0
    attempts: int = 0
    throttles: int = 0
    losses: int = 0
    misses: int = 0
    context: str = ""
    number: int = 0
    renumbered: int = 0
    denied: bool = False
    doubtful: bool = False
    unsure: bool = False


class Order(
    Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True
):
    """One delivery: its id, how many parts it had, and those not finished yet.

    `reply_to` is the context of the message that it answers, if the host named one.
    """

    id: int
    total: int
    parts: tuple[Part, ...]
    reply_to: str = ""

    @property
    def part(self) -> int:
        """The number of the first unfinished part, from 0."""
        return self.total - len(self.parts)


class Answerable(
    Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True
):
    """An earlier message that may still be answered, and how often it was.

    `event`: it was no message but an event, whose answers have no numbers.
    """

    context: str
    inbound_ms: int
    spent: int = 0
    event: bool = False


class Peer(
    Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True
):
    """What the peer granted us: its newest context, and the budget used.

    `inbound_ms` is when we last heard of it, `sent_ms` when it wrote that, by the
    platform's clock. Where answers are counted, `earlier` has the contexts before the
    newest, which may be an `event`'s; `pushes` counts what answered nothing since
    `day_ms`, last at `pushed_ms`.
    """

    context: str = ""
    inbound_ms: int = 0
    spent: int = 0
    sent_ms: int = 0
    earlier: tuple[Answerable, ...] = ()
    event: bool = False
    pushed_ms: int = 0
    day_ms: int = 0
    pushes: int = 0


class Sending(
    Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True
):
    """The one part under way, the context it carries, and the transport's epoch."""

    peer: PeerId
    delivery: int
    part: int
    context: str = ""
    epoch: int = 0


class Outcome(Struct, frozen=True, gc=False):
    """What became of one try: the verdict, the peer's id for it, or its words."""

    trigger: Trigger
    peer_id: str = ""
    error: str = ""


class Terms(Struct, frozen=True, gc=False):
    """How a platform counts what one peer may be sent; 0 is no limit.

    To one message there are `replies_max` answers within `window_ms`. What answers
    nothing is a push: `pushes_max` a day, `push_gap_ms` apart. `numbered`: the peer is
    told the numbers of answers, and drops one that it has seen.
    """

    window_ms: int
    replies_max: int
    push_gap_ms: int
    pushes_max: int
    numbered: bool = True


class Scene(Struct, frozen=True, gc=False):
    """What every move of messages needs beside outbox and inbox themselves.

    `terms` are those of a peer where answers are counted per message; None where the
    policy's budget and window hold for all, and the newest context for every send.
    """

    at_ms: int
    seed: int
    credential: str
    timeout_ms: int
    policy: DeliveryPolicy
    inbox_policy: InboxPolicy = InboxPolicy()
    terms: Callable[[str], Terms] | None = None
    epoch: int = 0


Queues = dict[PeerId, tuple[Order, ...]]


class Outbox(
    Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True
):
    """State. Queues are in the order in which peers take turns.

    `next_ms` is the earliest time of the next send, `due_ms` that of the timer set.
    """

    queues: Queues = {}
    peers: dict[PeerId, Peer] = {}
    sending: Sending | None = None
    next_ms: int = 0
    due_ms: int = 0
    parts: int = 0
    keys: Keys = Keys()
    forgotten: Recent = Recent()


def move(part: Part, trigger: Trigger) -> Phase:
    """Return the phase that a part comes to; the table must allow it."""
    phase = TABLE.next.get((part.phase, trigger))
    assert phase is not None, f"no {trigger} from {part.phase}"
    return phase


def tell(outbox: Outbox, peer: str, phase: Phase, error: str) -> list[Command]:
    """Report to every sender who waits for this peer, not only to the first."""
    return [
        Report(order.id, order.part, phase, order.parts[0].attempts, error=error)
        for order in outbox.queues[peer]
    ]


def head(outbox: Outbox, peer: str) -> tuple[Order, Part]:
    """Return the first order of a peer that has a queue, and its next part."""
    order = outbox.queues[peer][0]
    return order, order.parts[0]


def append(outbox: Outbox, peer: str, order: Order, keys: Keys) -> Outbox:
    """Put an order behind all others of this peer, and adopt the keys it is under."""
    queues = outbox.queues.copy()
    queues[peer] = (*queues.get(peer, ()), order)
    parts = outbox.parts + len(order.parts)
    return replace(outbox, queues=queues, parts=parts, keys=keys)


def put_head(outbox: Outbox, peer: str, part: Part) -> Outbox:
    """Replace the next part of this peer."""
    return replace(outbox, queues=with_head(outbox, peer, part))


def with_head(outbox: Outbox, peer: PeerId, part: Part) -> Queues:
    """Return the queues with another next part for this peer."""
    queues = outbox.queues.copy()
    queues[peer] = headed(queues[peer], part)
    return queues


def headed(orders: tuple[Order, ...], part: Part) -> tuple[Order, ...]:
    """Return a queue with another next part."""
    order = orders[0]
    parts = (part, *order.parts[1:]) if len(order.parts) > 1 else (part,)
    changed = Order(order.id, order.total, parts, order.reply_to)
    return (changed, *orders[1:]) if len(orders) > 1 else (changed,)


def without_head(queues: Queues, peer: PeerId, taken: int) -> Queues:
    """Return the queues with so many next parts off; the peer goes to the end."""
    queues = queues.copy()
    orders = queues.pop(peer)
    order = orders[0]
    if left := order.parts[taken:]:
        changed = Order(order.id, order.total, left, order.reply_to)
        queues[peer] = (changed, *orders[1:])
    elif len(orders) > 1:
        queues[peer] = orders[1:]
    return queues
