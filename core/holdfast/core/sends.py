"""Sends: how a part goes out, for the first time, again, or under another context.

Each of these ends in one `Send`; `delivery` decides which of them is due.
"""

from msgspec.structs import replace

from holdfast.core.commands import ClearTimer, Command, Send
from holdfast.core.contexts import bury, trimmed, without
from holdfast.core.grants import NOBODY, Grant, next_number, used
from holdfast.core.outbox import (
    ATTEMPTS_MAX,
    Order,
    Outbox,
    Part,
    Scene,
    Sending,
    Trigger,
    head,
    headed,
    move,
    put_head,
    with_head,
)
from holdfast.core.pacing import NEXT

# Looked up once: an attribute of an Enum costs more than a comparison (CPython 3.11).
RENUMBER, SEND, STALE = Trigger.RENUMBER, Trigger.SEND, Trigger.STALE


def send(
    outbox: Outbox, peer: str, orders: tuple[Order, ...], may: Grant, scene: Scene
) -> tuple[Outbox, list[Command]]:
    """Send the next part of a peer, as it may; `orders` becomes the peer's queue."""
    order = orders[0]
    part = order.parts[0]
    tries = part.attempts
    attempts = tries + 1 if tries < ATTEMPTS_MAX else tries
    part = replace(part, phase=move(part, SEND), due_ms=0, attempts=attempts)
    peers = outbox.peers
    first = not may.context or part.context != may.context
    if scene.terms is not None and first:
        part = _under(part, may)
        peers = used(outbox, peer, may, scene)
    sending = Sending(peer, order.id, order.part, may.context, scene.epoch)
    queues = outbox.queues.copy()
    queues[peer] = headed(orders, part)
    after = replace(outbox, queues=queues, peers=peers, sending=sending, due_ms=0)
    if scene.terms is not None:
        # Pushes go to peers that never wrote, and those are forgotten first.
        after = trimmed(after, scene.policy.peers_max)
    command = _command(sending, part, scene)
    return after, [ClearTimer(NEXT), command] if outbox.due_ms else [command]


def send_renumbered(
    outbox: Outbox, sending: Sending, part: Part, scene: Scene
) -> tuple[Outbox, list[Command]]:
    """Send at once with the next number, for this one was used by somebody."""
    peer = sending.peer
    known = outbox.peers.get(peer, NOBODY)
    taken = Grant(sending.context, next_number(known, part))
    attempts = min(part.attempts + 1, ATTEMPTS_MAX)
    part = replace(
        part,
        phase=move(part, RENUMBER),
        attempts=attempts,
        number=taken.number,
        renumbered=part.renumbered + 1,
    )
    peers = used(outbox, peer, taken, scene)
    outbox = replace(outbox, queues=with_head(outbox, peer, part), peers=peers)
    return outbox, [_command(sending, part, scene)]


def drop_context(outbox: Outbox, sending: Sending, scene: Scene) -> Outbox:
    """Forget the refused context durably; the caller emits `Forget`."""
    peer = sending.peer
    part = replace(_under(head(outbox, peer)[1], Grant()), renumbered=0)
    return replace(
        put_head(outbox, peer, part),
        peers=without(outbox.peers, sending.context),
        forgotten=bury(outbox, [sending.context], scene),
    )


def send_again(
    outbox: Outbox, sending: Sending, may: Grant, scene: Scene
) -> tuple[Outbox, list[Command]]:
    """Send the part under way once more at once, under another context or none."""
    peer = sending.peer
    part = head(outbox, peer)[1]
    attempts = min(part.attempts + 1, ATTEMPTS_MAX)
    part = replace(part, phase=move(part, STALE), attempts=attempts)
    peers = outbox.peers
    if scene.terms is not None:
        part = _under(part, may)
        peers = used(outbox, peer, may, scene)
    again = replace(sending, context=may.context, epoch=scene.epoch)
    outbox = replace(put_head(outbox, peer, part), peers=peers, sending=again)
    return outbox, [_command(again, part, scene)]


def _under(part: Part, may: Grant) -> Part:
    """Let a part keep what it is first sent under."""
    return replace(part, context=may.context, number=may.number, unsure=may.unsure)


def _command(sending: Sending, part: Part, scene: Scene) -> Send:
    return Send(
        sending.delivery,
        sending.part,
        sending.peer,
        part.body,
        part.client_id,
        scene.credential,
        sending.context,
        scene.timeout_ms,
        part.number,
        sending.epoch,
    )
