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

from holdfast.core.commands import ClearTimer, Command, Forget, Report, SetTimer
from holdfast.core.events import SendRequested
from holdfast.core.grants import (
    NOBODY,
    Grant,
    forgotten,
    grant,
    renumberable,
    repeatable,
    unpushed,
)
from holdfast.core.keys import claim, claimed
from holdfast.core.outbox import (
    Order,
    Outbox,
    Outcome,
    Part,
    Phase,
    Scene,
    Sending,
    Trigger,
    append,
    head,
    move,
    put_head,
    tell,
    without_head,
)
from holdfast.core.pacing import NEXT, counted, delay_ms, gap_ms, spend
from holdfast.core.sends import (
    drop_context,
    send,
    send_again,
    send_renumbered,
)

# Looked up once: an attribute of an Enum costs more than a comparison (CPython 3.11).
PARKED, REJECTED, UNKNOWN = Phase.PARKED, Phase.REJECTED, Phase.UNKNOWN
LOSE, STALE, THROTTLE = Trigger.LOSE, Trigger.STALE, Trigger.THROTTLE
DENY, PARK, RENUMBER = Trigger.DENY, Trigger.PARK, Trigger.RENUMBER
UNREACH = Trigger.UNREACH
ENDS = (Trigger.ACCEPT, Trigger.UNCONFIRM, Trigger.REJECT)


def request(
    outbox: Outbox,
    seq: int,
    event: SendRequested,
    scene: Scene,
    *,
    at_once: bool = False,
) -> tuple[Outbox, list[Command]]:
    """Queue a delivery, whose id is `seq`; a key used within the day changes nothing.

    With `at_once`, what may go is sent; else the caller calls `pump`.
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
    order = Order(seq, len(parts), parts, event.reply_to)
    if at_once and not outbox.queues and outbox.next_ms <= at_ms and scene.credential:
        # Nothing is before it: it goes in the same change of the state, as most do.
        may = grant(outbox, event.peer, order, scene)
        if not may.why and may.ready_ms <= at_ms:
            count = outbox.parts + len(parts)
            outbox = replace(outbox, parts=count, keys=keys)
            return send(outbox, event.peer, (order,), may, scene)
    before = outbox.queues.get(event.peer)
    outbox = append(outbox, event.peer, order, keys)
    told: list[Command] = []
    if before and before[0].parts[0].phase is PARKED:
        told.append(Report(seq, 0, PARKED, error="behind a parked part"))
    if not at_once:
        return outbox, told
    outbox, sent = pump(outbox, scene)
    return outbox, told + sent


def pump(outbox: Outbox, scene: Scene) -> tuple[Outbox, list[Command]]:
    """Send the next part that may go now, or set the timer for when one may.

    Call it after every fact that may have made room; it does nothing while a part is
    under way or without any login.
    """
    if outbox.sending is not None or not outbox.queues or not scene.credential:
        return outbox, []
    commands: list[Command] = []
    if scene.terms is not None:
        outbox, commands = _abandon_lost(outbox, scene)
    due_ms, at_ms, next_ms = 0, scene.at_ms, outbox.next_ms
    for peer, orders in outbox.queues.items():
        order = orders[0]
        part = order.parts[0]
        if part.phase is PARKED:
            continue
        may = grant(outbox, peer, order, scene)
        if may.why:
            outbox, parked = _park(outbox, peer, may.why)
            commands += parked
            continue
        if next_ms <= at_ms and part.due_ms <= at_ms and may.ready_ms <= at_ms:
            outbox, sent = send(outbox, peer, orders, may, scene)
            return outbox, commands + sent
        ready_ms = max(part.due_ms, next_ms, may.ready_ms)
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
    why = outcome.trigger
    if why in ENDS or (why is LOSE and _is_last_try(outbox, sending.peer, scene)):
        return _finish(outbox, sending, outcome, scene)
    order, current = head(outbox, sending.peer)
    if why is RENUMBER and renumberable(outbox, sending.peer, current, scene):
        return send_renumbered(outbox, sending, current, scene)
    if why in (STALE, RENUMBER):
        there = scene.terms is not None and current.doubtful
        cure = _give_up if there else _go_without
        return cure(outbox, sending, outcome, scene)
    if why is DENY and current.denied:
        # Refused again with new standing: leave the peer alone for a while.
        why = THROTTLE
        outcome = replace(outcome, trigger=why)
    next_ms = scene.at_ms + gap_ms(order.total, scene.policy)
    outbox = replace(outbox, sending=None, next_ms=next_ms)
    tired = why is THROTTLE and current.throttles >= scene.policy.throttles_max
    if why is PARK or tired:
        return _park(outbox, sending.peer, outcome.error)
    return _retry_later(outbox, sending.peer, outcome, scene)


def _is_last_try(outbox: Outbox, peer: str, scene: Scene) -> bool:
    """Say whether the next part, whose answer was lost, is not sent again."""
    part = head(outbox, peer)[1]
    double = not repeatable(peer, part, scene)
    return double or part.losses + 1 >= scene.policy.unknown_tries_max


def _give_up(
    outbox: Outbox, sending: Sending, outcome: Outcome, scene: Scene
) -> tuple[Outbox, list[Command]]:
    """Forget the refused context; under another one, what may be there came twice."""
    outbox = drop_context(outbox, sending, scene)
    lost = replace(outcome, trigger=LOSE)
    outbox, told = _finish(outbox, sending, lost, scene)
    return outbox, [Forget(sending.context), *told]


def _go_without(
    outbox: Outbox, sending: Sending, outcome: Outcome, scene: Scene
) -> tuple[Outbox, list[Command]]:
    """Send without the refused context, or with a newer; else wait or park."""
    peer, forget = sending.peer, Forget(sending.context)
    outbox = drop_context(outbox, sending, scene)
    order, part = head(outbox, peer)
    if scene.terms is None:
        # Whatever the budget says, the refused try is made up for.
        may = Grant(outbox.peers.get(peer, NOBODY).context)
    else:
        may = grant(outbox, peer, order, scene)
    if not may.why and may.ready_ms <= scene.at_ms:
        outbox, sent = send_again(outbox, sending, may, scene)
        return outbox, [forget, *sent]
    next_ms = scene.at_ms + gap_ms(order.total, scene.policy)
    outbox = replace(outbox, sending=None, next_ms=next_ms)
    if may.why:
        outbox, parked = _park(outbox, peer, outcome.error)
        return outbox, [forget, *parked]
    part = replace(part, phase=move(part, THROTTLE), due_ms=may.ready_ms)
    why = Report(order.id, order.part, part.phase, part.attempts, error=outcome.error)
    return put_head(outbox, peer, part), [forget, why]


def _retry_later(
    outbox: Outbox, peer: str, outcome: Outcome, scene: Scene
) -> tuple[Outbox, list[Command]]:
    order, part = head(outbox, peer)
    why, phase = outcome.trigger, move(part, outcome.trigger)
    push = scene.terms is not None and not part.context
    if push and why in (DENY, UNREACH, THROTTLE) and peer in outbox.peers:
        outbox = replace(outbox, peers=unpushed(outbox, peer))
    if why is DENY:
        # It goes as soon as there is new standing; until then nothing is sent.
        part = replace(part, phase=phase, denied=True)
    else:
        due_ms = scene.at_ms + delay_ms(part, why, scene)
        part = replace(counted(part, why), phase=phase, due_ms=due_ms)
    report = Report(order.id, order.part, phase, part.attempts, error=outcome.error)
    return put_head(outbox, peer, part), [report]


def _finish(
    outbox: Outbox, sending: Sending, outcome: Outcome, scene: Scene
) -> tuple[Outbox, list[Command]]:
    """Take the part off; the rest of a delivery with a refused part is not sent."""
    peer, number, error = sending.peer, sending.part, outcome.error
    order = outbox.queues[peer][0]
    part = order.parts[0]
    phase = move(part, outcome.trigger)
    reports: list[Command] = [
        Report(order.id, number, phase, part.attempts, outcome.peer_id, error)
    ]
    taken, peers = 1, outbox.peers
    if phase is REJECTED:
        taken = len(order.parts)
        untried = range(number + 1, order.total)
        reports += [Report(order.id, one, phase, error=error) for one in untried]
    elif scene.terms is None:
        peers = spend(peers, peer, scene.policy)
    after = replace(
        outbox,
        sending=None,
        next_ms=scene.at_ms + gap_ms(order.total, scene.policy),
        queues=without_head(outbox.queues, peer, taken),
        parts=outbox.parts - taken,
        peers=peers,
    )
    return after, reports


def _abandon_lost(outbox: Outbox, scene: Scene) -> tuple[Outbox, list[Command]]:
    """Take off what may have arrived and can be sent under no number that was its own.

    Under another, it would be shown twice.
    """
    told: list[Command] = []
    for peer, orders in outbox.queues.items():
        order, part = orders[0], orders[0].parts[0]
        if not part.doubtful or not forgotten(outbox, part.context, scene):
            continue
        what = "what it answers can be answered no more, and it may have arrived"
        told.append(Report(order.id, order.part, UNKNOWN, part.attempts, error=what))
        queues = without_head(outbox.queues, peer, 1)
        outbox = replace(outbox, queues=queues, parts=outbox.parts - 1)
    return outbox, told


def _park(outbox: Outbox, peer: str, why: str) -> tuple[Outbox, list[Command]]:
    part = head(outbox, peer)[1]
    parked = replace(part, phase=move(part, PARK), due_ms=0)
    outbox = put_head(outbox, peer, parked)
    return outbox, tell(outbox, peer, PARKED, why)


def _set_timer(outbox: Outbox, due_ms: int) -> tuple[Outbox, list[Command]]:
    """Set, move or drop the account's one delivery timer."""
    if due_ms == outbox.due_ms:
        return outbox, []
    command = SetTimer(NEXT, due_ms) if due_ms else ClearTimer(NEXT)
    return replace(outbox, due_ms=due_ms), [command]
