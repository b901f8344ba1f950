"""Outbox: what the delivery machine remembers, and how its queues are changed.

`delivery` decides; this file holds the shapes and the handful of moves on them.
"""

from msgspec import Struct
from msgspec.structs import replace

from holdfast.core.keys import Keys
from holdfast.core.names import Name
from holdfast.core.policy import DeliveryPolicy
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
    STALE = "stale"  # The context token was refused: once more without it.
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
    """One part not yet finished; every count stops at a maximum of the policy."""

    body: str
    client_id: str
    phase: Phase = Phase.QUEUED
    due_ms: int = 0
    attempts: int = 0
    throttles: int = 0
    losses: int = 0
    misses: int = 0


class Order(
    Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True
):
    """One delivery: its id, how many parts it had, and those not finished yet."""

    id: int
    total: int
    parts: tuple[Part, ...]

    @property
    def part(self) -> int:
        """The number of the first unfinished part, from 0."""
        return self.total - len(self.parts)


class Peer(
    Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True
):
    """What the peer granted us: its newest context token, and the budget used.

    `inbound_ms` is when we last heard of it, `sent_ms` when it wrote that, by the
    platform's clock.
    """

    context: str = ""
    inbound_ms: int = 0
    spent: int = 0
    sent_ms: int = 0


class Sending(
    Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True
):
    """The one part under way, and the context token it carries."""

    peer: PeerId
    delivery: int
    part: int
    context: str = ""


class Outcome(Struct, frozen=True, gc=False):
    """What became of one try: the verdict, the peer's id for it, or its words."""

    trigger: Trigger
    peer_id: str = ""
    error: str = ""


class Scene(Struct, frozen=True, gc=False):
    """What every move needs beside the outbox itself."""

    at_ms: int
    seed: int
    credential: str
    timeout_ms: int
    policy: DeliveryPolicy


class Outbox(
    Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True
):
    """State. Queues are in the order in which peers take turns.

    `next_ms` is the earliest time of the next send, `due_ms` that of the timer set.
    """

    queues: dict[PeerId, tuple[Order, ...]] = {}
    peers: dict[PeerId, Peer] = {}
    sending: Sending | None = None
    next_ms: int = 0
    due_ms: int = 0
    parts: int = 0
    keys: Keys = Keys()
    forgotten: Recent = Recent()


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


def with_head(
    outbox: Outbox, peer: PeerId, part: Part
) -> dict[PeerId, tuple[Order, ...]]:
    """Return the queues with another next part for this peer."""
    orders = outbox.queues[peer]
    order = orders[0]
    changed = Order(order.id, order.total, (part, *order.parts[1:]))
    queues = outbox.queues.copy()
    queues[peer] = (changed, *orders[1:])
    return queues


def without_head(
    outbox: Outbox, peer: PeerId, taken: int
) -> dict[PeerId, tuple[Order, ...]]:
    """Return the queues with so many next parts off; the peer goes to the end."""
    orders = outbox.queues[peer]
    order, rest = orders[0], orders[1:]
    left = order.parts[taken:]
    if left:
        rest = (Order(order.id, order.total, left), *rest)
    queues = outbox.queues.copy()
    del queues[peer]
    if rest:
        queues[peer] = rest
    return queues
