"""Delivery: what a bot says, part by part, and what became of each part.

Parts go in order per peer and one at a time per account, with a gap between them. A
part keeps its client id over every try, because a try whose answer was lost may have
arrived. Nothing is dropped: a part that cannot go waits, is parked until the peer
writes again, or is refused with the peer's own words; each of these is reported.

What an answer means is judged per platform; this machine takes the verdict as a
trigger. It never looks at the session or the connection: sending is another
conversation with the peer.

Units: every `*_ms` is milliseconds on the journal's clock.
"""

from msgspec.structs import replace

from holdfast.core.commands import ClearTimer, Command, Forget, Report, Send, SetTimer
from holdfast.core.contexts import bury, trimmed, within, without
from holdfast.core.events import MessageReceived, SendRequested
from holdfast.core.keys import claim, claimed
from holdfast.core.outbox import (
    ATTEMPTS_MAX,
    TABLE,
    Order,
    Outbox,
    Outcome,
    Part,
    Peer,
    Phase,
    Scene,
    Sending,
    Trigger,
    append,
    head,
    put_head,
    with_head,
    without_head,
)
from holdfast.core.pacing import counted, delay_ms, gap_ms, longest_ms, overdrawn, spend
from holdfast.core.policy import DeliveryPolicy
from holdfast.core.recent import since_ms

NEXT = "delivery.next"
NOBODY = Peer()
# Looked up once: an attribute of an Enum costs more than a comparison (CPython 3.11).
PARKED, REJECTED = Phase.PARKED, Phase.REJECTED
LOSE, STALE, THROTTLE = Trigger.LOSE, Trigger.STALE, Trigger.THROTTLE
SEND = Trigger.SEND
LATER = (THROTTLE, LOSE, Trigger.UNREACH)


def request(
    outbox: Outbox, seq: int, event: SendRequested, scene: Scene
) -> tuple[Outbox, list[Command]]:
    """Queue a delivery, whose id is `seq`; a key used within the day changes nothing.

    The caller calls `pump` next.
    """
    key, at_ms = event.key, scene.at_ms
    if not event.parts or (key and claimed(outbox.keys, key, at_ms, scene.policy)):
        return outbox, []
    if outbox.parts + len(event.parts) > scene.policy.outbox_parts_max:
        full = f"the outbox holds {outbox.parts} unfinished parts, no more fit"
        numbers = range(len(event.parts))
        return outbox, [Report(seq, n, REJECTED, error=full) for n in numbers]
    keys = outbox.keys
    if key:
        keys = claim(keys, key, seq, at_ms, scene.policy)
    name = f"holdfast-{scene.seed:016x}-{seq}"
    parts = tuple(
        [Part(part.body, f"{name}-{number}") for number, part in enumerate(event.parts)]
    )
    before = outbox.queues.get(event.peer)
    outbox = append(outbox, event.peer, Order(seq, len(parts), parts), keys)
    if before and before[0].parts[0].phase is PARKED:
        return outbox, [Report(seq, 0, PARKED, error="behind a parked part")]
    return outbox, []


def pump(outbox: Outbox, scene: Scene) -> tuple[Outbox, list[Command]]:
    """Send the next part that may go now, or set the timer for when one may.

    Call it after every fact that may have made room; it does nothing while a part is
    under way or without any login.
    """
    if outbox.sending is not None or not outbox.queues or not scene.credential:
        return outbox, []
    commands: list[Command] = []
    due_ms = 0
    for peer, orders in outbox.queues.items():
        part = orders[0].parts[0]
        if part.phase is PARKED:
            continue
        if why := overdrawn(outbox, peer, part, scene):
            outbox, parked = _park(outbox, peer, why)
            commands += parked
            continue
        ready_ms = max(part.due_ms, outbox.next_ms)
        if ready_ms <= scene.at_ms:
            outbox, sent = _send(outbox, peer, scene)
            return outbox, commands + sent
        due_ms = min(due_ms or ready_ms, ready_ms)
    outbox, timer = _set_timer(outbox, due_ms)
    return outbox, commands + timer


def answer(
    outbox: Outbox, delivery: int, part: int, outcome: Outcome, scene: Scene
) -> tuple[Outbox, list[Command]]:
    """Take what became of the part under way; late answers change nothing.

    The caller calls `pump` next.
    """
    sending = outbox.sending
    if sending is None or sending.delivery != delivery or sending.part != part:
        return outbox, []
    if outcome.trigger is STALE:
        return _send_without(outbox, sending, scene)
    order, current = head(outbox, sending.peer)
    why, next_ms = outcome.trigger, scene.at_ms + gap_ms(order.total, scene.policy)
    last = why is LOSE and current.losses + 1 >= scene.policy.unknown_tries_max
    if last or why not in LATER:
        return _finish(outbox, sending.peer, outcome, next_ms, scene.policy)
    outbox = replace(outbox, sending=None, next_ms=next_ms)
    if why is THROTTLE and current.throttles >= scene.policy.throttles_max:
        return _park(outbox, sending.peer, outcome.error)
    return _retry_later(outbox, sending.peer, outcome, scene)


def hear(
    outbox: Outbox, event: MessageReceived, *, repeated: bool, scene: Scene
) -> tuple[Outbox, list[Command]]:
    """Note that a peer wrote: its token is kept, what waited for it is released.

    A repeated message brings a token too (S7), but no new budget; one that was sent
    before the newest we know brings nothing newer.
    """
    peer, context, at_ms = event.peer, event.context, scene.at_ms
    before = outbox.peers.get(peer, NOBODY)
    dead = since_ms(outbox.forgotten, context) > at_ms - scene.policy.forgotten_ms
    # A platform's clock may run ahead; its future is not newer than now.
    sent_ms = min(at_ms, event.sent_ms)
    late = 0 < sent_ms < before.sent_ms
    token = before.context if dead or late or not context else context
    sent_ms = max(sent_ms, before.sent_ms)
    if repeated:
        after = replace(before, context=token, sent_ms=sent_ms)
    else:
        after = Peer(token, at_ms, 0, sent_ms)
    if after != before:
        peers = outbox.peers.copy()
        peers[peer] = after
        outbox = replace(outbox, peers=peers)
        outbox = trimmed(outbox, scene.policy.peers_max)
    if repeated or peer not in outbox.queues:
        return outbox, []
    part = head(outbox, peer)[1]
    phase = TABLE.next.get((part.phase, Trigger.RELEASE))
    if phase is None:
        return outbox, []
    fresh = replace(part, phase=phase, due_ms=0, throttles=0, misses=0)
    outbox = put_head(outbox, peer, fresh)
    was_parked = part.phase is PARKED
    return outbox, _tell(outbox, peer, Phase.QUEUED, "") if was_parked else []


def restart(outbox: Outbox, at_ms: int, policy: DeliveryPolicy) -> Outbox:
    """Take over after a crash: what was under way may have arrived.

    Timers are gone with the process, so the caller calls `pump` next. Waits are cut to
    what this policy allows, for the last process's may have allowed more.
    """
    if outbox.sending is not None:
        part = head(outbox, outbox.sending.peer)[1]
        lost = replace(part, phase=_move(part, LOSE), due_ms=at_ms)
        outbox = put_head(outbox, outbox.sending.peer, lost)
    latest_ms = at_ms + longest_ms(policy)
    for peer in outbox.queues:
        part = head(outbox, peer)[1]
        if part.due_ms > latest_ms:
            outbox = put_head(outbox, peer, replace(part, due_ms=latest_ms))
    next_ms = min(outbox.next_ms, latest_ms)
    peers = {name: within(peer, policy) for name, peer in outbox.peers.items()}
    return replace(outbox, sending=None, due_ms=0, next_ms=next_ms, peers=peers)


def _send(outbox: Outbox, peer: str, scene: Scene) -> tuple[Outbox, list[Command]]:
    order, part = head(outbox, peer)
    attempts = min(part.attempts + 1, ATTEMPTS_MAX)
    part = replace(part, phase=_move(part, SEND), due_ms=0, attempts=attempts)
    context = outbox.peers.get(peer, NOBODY).context
    sending = Sending(peer, order.id, order.part, context)
    queues = with_head(outbox, peer, part)
    after = replace(outbox, queues=queues, sending=sending, due_ms=0)
    command = _command(sending, part, scene)
    return after, [ClearTimer(NEXT), command] if outbox.due_ms else [command]


def _send_without(
    outbox: Outbox, sending: Sending, scene: Scene
) -> tuple[Outbox, list[Command]]:
    """Forget the refused token durably and send at once without it, or with a newer."""
    peer = sending.peer
    part = head(outbox, peer)[1]
    attempts = min(part.attempts + 1, ATTEMPTS_MAX)
    part = replace(part, phase=_move(part, STALE), attempts=attempts)
    peers = without(outbox.peers, sending.context)
    known = peers.get(peer, NOBODY)
    again = replace(sending, context=known.context)
    outbox = replace(
        put_head(outbox, peer, part),
        peers=peers,
        forgotten=bury(outbox, [sending.context], scene),
        sending=again,
    )
    return outbox, [Forget(sending.context), _command(again, part, scene)]


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
    )


def _retry_later(
    outbox: Outbox, peer: str, outcome: Outcome, scene: Scene
) -> tuple[Outbox, list[Command]]:
    order, part = head(outbox, peer)
    due_ms = scene.at_ms + delay_ms(part, outcome.trigger, scene)
    phase = _move(part, outcome.trigger)
    part = replace(counted(part, outcome.trigger), phase=phase, due_ms=due_ms)
    report = Report(
        order.id, order.part, part.phase, part.attempts, error=outcome.error
    )
    return put_head(outbox, peer, part), [report]


def _finish(
    outbox: Outbox, peer: str, outcome: Outcome, next_ms: int, policy: DeliveryPolicy
) -> tuple[Outbox, list[Command]]:
    """Take the part off; the rest of a delivery with a refused part is not sent."""
    order, part = head(outbox, peer)
    phase = _move(part, outcome.trigger)
    number, error = order.part, outcome.error
    reports: list[Command] = [
        Report(order.id, number, phase, part.attempts, outcome.peer_id, error)
    ]
    taken, peers = 1, outbox.peers
    if phase is REJECTED:
        taken = len(order.parts)
        untried = range(number + 1, order.total)
        reports += [Report(order.id, one, phase, error=error) for one in untried]
    else:
        peers = spend(peers, peer, policy)
    after = replace(
        outbox,
        sending=None,
        next_ms=next_ms,
        queues=without_head(outbox, peer, taken),
        parts=outbox.parts - taken,
        peers=peers,
    )
    return after, reports


def _park(outbox: Outbox, peer: str, why: str) -> tuple[Outbox, list[Command]]:
    part = head(outbox, peer)[1]
    parked = replace(part, phase=_move(part, Trigger.PARK), due_ms=0)
    outbox = put_head(outbox, peer, parked)
    return outbox, _tell(outbox, peer, PARKED, why)


def _tell(outbox: Outbox, peer: str, phase: Phase, error: str) -> list[Command]:
    """Report to every sender who waits for this peer, not only to the first."""
    return [
        Report(order.id, order.part, phase, order.parts[0].attempts, error=error)
        for order in outbox.queues[peer]
    ]


def _set_timer(outbox: Outbox, due_ms: int) -> tuple[Outbox, list[Command]]:
    """Set, move or drop the account's one delivery timer."""
    if due_ms == outbox.due_ms:
        return outbox, []
    command = SetTimer(NEXT, due_ms) if due_ms else ClearTimer(NEXT)
    return replace(outbox, due_ms=due_ms), [command]


def _move(part: Part, trigger: Trigger) -> Phase:
    phase = TABLE.next.get((part.phase, trigger))
    assert isinstance(phase, Phase), f"no {trigger} from {part.phase}"
    return phase
