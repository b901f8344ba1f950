"""Inbox: every inbound message once, offered until its consumer is done.

The messages themselves stay in the journal. What is remembered here is by which
handles a message would be known again (for a day), and how far each consumer is: all
messages up to `through`, and those finished early in `ahead`.
"""

from msgspec import Struct

from holdfast.core.commands import Command, Offer
from holdfast.core.names import Name
from holdfast.core.policy import InboxPolicy
from holdfast.core.recent import Recent, add, any_since, lacks, remember
from holdfast.core.table import compile_table


class Phase(Name):
    """Where one inbound message stands."""

    RECORDED = "recorded"
    REPEATED = "repeated"  # Known already: kept in the journal, offered to nobody.
    OFFERED = "offered"
    DONE = "done"


class Trigger(Name):
    """Why a message moves."""

    ACCEPT = "accept"
    REPEAT = "repeat"
    FINISH = "finish"


TABLE = compile_table(
    "inbox",
    Phase,
    [
        (Trigger.ACCEPT, Phase.RECORDED, Phase.OFFERED),
        (Trigger.REPEAT, Phase.RECORDED, Phase.REPEATED),
        (Trigger.FINISH, Phase.OFFERED, Phase.DONE),
    ],
    initial=Phase.RECORDED,
    final=(Phase.REPEATED, Phase.DONE),
)


class Consumer(
    Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True
):
    """How far one consumer is; seqs of the journal, `ahead` ascending."""

    through: int = 0
    ahead: tuple[int, ...] = ()


NOBODY = Consumer()


class Inbox(
    Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True
):
    """State: handles of the messages seen, and {consumer name: how far it is}."""

    seen: Recent = Recent()
    consumers: dict[str, Consumer] = {}


# Looked up once: an attribute of an Enum costs more than a comparison (CPython 3.11).
RECORDED, OFFERED, DONE = Phase.RECORDED, Phase.OFFERED, Phase.DONE
REPEATED = Phase.REPEATED
ACCEPT, REPEAT, FINISH = Trigger.ACCEPT, Trigger.REPEAT, Trigger.FINISH


class Traces(Struct, frozen=True, gc=False):
    """By which handles a message is remembered, and by which it would be a copy."""

    keep: tuple[str, ...]
    look: tuple[str, ...]


def receive(
    inbox: Inbox, seq: int, at_ms: int, traces: Traces, policy: InboxPolicy
) -> tuple[Inbox, Phase, list[Command]]:
    """Take a message in; offer it unless one of its traces was seen.

    Without any trace nothing can be said, and a message is never dropped on a guess:
    it is offered.
    """
    seen, keep, look = inbox.seen, traces.keep, traces.look
    seen_ms, seen_max = policy.seen_ms, policy.seen_max
    if lacks(seen, keep + look):
        seen = add(seen, keep, at_ms, seen_ms, seen_max)
        phase = TABLE.next[RECORDED, ACCEPT]
        return Inbox(seen, inbox.consumers), phase, [Offer(seq)]
    known = any_since(seen, look, at_ms - seen_ms)
    seen = remember(seen, keep, at_ms, seen_ms, seen_max)
    phase = TABLE.next[RECORDED, REPEAT if known else ACCEPT]
    return Inbox(seen, inbox.consumers), phase, [] if known else [Offer(seq)]


def finish(inbox: Inbox, consumer: str, message: int, through: int) -> Inbox:
    """Note that a consumer is done with `message` and with all up to `through`."""
    before = inbox.consumers.get(consumer, NOBODY)
    phase = DONE if is_done(before, message) else OFFERED
    further = through > before.through
    if TABLE.next.get((phase, FINISH)) is None and not further:
        return inbox
    reached = through if further else before.through
    ahead = before.ahead
    if message > reached and message not in ahead:
        ahead = (*ahead, message)
    if ahead:
        ahead = tuple(sorted(seq for seq in ahead if seq > reached))
    consumers = inbox.consumers.copy()
    consumers[consumer] = Consumer(reached, ahead)
    return Inbox(inbox.seen, consumers)


def is_done(consumer: Consumer, message: int) -> bool:
    """Say whether this consumer must never be offered the message again."""
    return message <= consumer.through or message in consumer.ahead
