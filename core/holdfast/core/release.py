"""Release: what sets parts free that waited, or that a dead process left behind.

A peer that writes brings a context, and with it what waited for it goes out. A new
process takes over what the last one was sending, whose fate nobody knows.
"""

from msgspec.structs import replace

from holdfast.core.commands import Command, Report
from holdfast.core.contexts import trimmed, within
from holdfast.core.events import MessageReceived
from holdfast.core.grants import NOBODY, heard, repeatable
from holdfast.core.outbox import (
    TABLE,
    Answerable,
    Outbox,
    Peer,
    Phase,
    Scene,
    Trigger,
    head,
    move,
    put_head,
    tell,
    without_head,
)
from holdfast.core.pacing import longest_ms
from holdfast.core.recent import since_ms
from holdfast.core.recorded import PeerId

# Looked up once: an attribute of an Enum costs more than a comparison (CPython 3.11).
PARKED, RELEASE = Phase.PARKED, Trigger.RELEASE


def hear(
    outbox: Outbox, event: MessageReceived, scene: Scene, *, repeated: bool
) -> tuple[Outbox, list[Command]]:
    """Note that a peer wrote: its context is kept, what waited for it is released.

    A repeated message brings a token too (S7), but no new budget; one that was sent
    before the newest we know brings nothing newer. Where answers are counted, a
    repeated message brings nothing. The caller calls `delivery.pump` next.
    """
    peer, context, policy = event.peer, event.context, scene.policy
    at_ms = scene.at_ms
    before = outbox.peers.get(peer, NOBODY)
    dead = since_ms(outbox.forgotten, context) > at_ms - policy.forgotten_ms
    # A platform's clock may run ahead; its future is not newer than now.
    ahead = event.sent_ms > at_ms
    sent_ms = at_ms if ahead else event.sent_ms
    older = sent_ms < before.sent_ms
    newest_ms = before.sent_ms if older else sent_ms
    if scene.terms is not None:
        wrote = Answerable("" if dead else context, at_ms)
        after = before if repeated else heard(before, wrote, newest_ms)
    else:
        late = older and sent_ms > 0
        token = before.context if dead or late or not context else context
        if repeated:
            after = replace(before, context=token, sent_ms=newest_ms)
        else:
            after = Peer(token, at_ms, 0, newest_ms)
    if not repeated or after != before:
        peers = outbox.peers.copy()
        peers[peer] = after
        outbox = replace(outbox, peers=peers)
        if len(peers) > policy.peers_max:
            outbox = trimmed(outbox, policy.peers_max)
    if repeated or peer not in outbox.queues:
        return outbox, []
    return release(outbox, peer)


def invite(
    outbox: Outbox, peer: PeerId, context: str, scene: Scene
) -> tuple[Outbox, list[Command]]:
    """Note an event of a peer that may be answered, as if it had written."""
    before = outbox.peers.get(peer, NOBODY)
    wrote = Answerable(context, scene.at_ms, event=True)
    after = heard(before, wrote, before.sent_ms)
    peers = outbox.peers.copy()
    peers[peer] = after
    outbox = trimmed(replace(outbox, peers=peers), scene.policy.peers_max)
    return release(outbox, peer) if peer in outbox.queues else (outbox, [])


def release(outbox: Outbox, peer: str) -> tuple[Outbox, list[Command]]:
    """Let the next part of a peer go, if it waits for the peer or for a timer.

    One that was parked because what it answers can be answered no more, and nothing
    else may go, answers from now on what its peer writes.
    """
    order, part = head(outbox, peer)
    phase = TABLE.next.get((part.phase, RELEASE))
    if phase is None:
        return outbox, []
    fresh = replace(part, phase=phase, due_ms=0, throttles=0, misses=0)
    was_parked = part.phase is PARKED
    outbox = put_head(outbox, peer, fresh)
    if not was_parked:
        return outbox, []
    if order.reply_to and not part.context:
        first, *others = outbox.queues[peer]
        queues = outbox.queues.copy()
        queues[peer] = (replace(first, reply_to=""), *others)
        outbox = replace(outbox, queues=queues)
    return outbox, tell(outbox, peer, Phase.QUEUED, "")


def release_all(outbox: Outbox) -> tuple[Outbox, list[Command]]:
    """Let every parked part be tried: the host asks, or a new process may do better."""
    commands: list[Command] = []
    for peer in outbox.queues:
        if head(outbox, peer)[1].phase is PARKED:
            outbox, told = release(outbox, peer)
            commands += told
    return outbox, commands


def restart(outbox: Outbox, scene: Scene) -> tuple[Outbox, list[Command]]:
    """Take over after a crash: what was under way may have arrived.

    Timers are gone with the process, so the caller calls `delivery.pump` next. Waits
    are cut to what this policy allows, for the last process's may have allowed more.
    """
    commands: list[Command] = []
    if outbox.sending is not None:
        outbox, commands = _lose(outbox, outbox.sending.peer, scene)
    policy = scene.policy
    latest_ms = scene.at_ms + longest_ms(policy)
    for peer in outbox.queues:
        part = head(outbox, peer)[1]
        if part.due_ms > latest_ms:
            outbox = put_head(outbox, peer, replace(part, due_ms=latest_ms))
    next_ms = min(outbox.next_ms, latest_ms)
    peers = outbox.peers
    if scene.terms is None:
        peers = {name: within(peer, policy) for name, peer in peers.items()}
    after = replace(outbox, sending=None, due_ms=0, next_ms=next_ms, peers=peers)
    return after, commands


def _lose(outbox: Outbox, peer: str, scene: Scene) -> tuple[Outbox, list[Command]]:
    """Send the part again, unless the peer could not tell that it has seen it."""
    order, part = head(outbox, peer)
    phase = move(part, Trigger.LOSE)
    if repeatable(peer, part, scene):
        lost = replace(part, phase=phase, due_ms=scene.at_ms, doubtful=True)
        return put_head(outbox, peer, lost), []
    what = "the process ended while this was sent"
    report = Report(order.id, order.part, phase, part.attempts, error=what)
    queues = without_head(outbox.queues, peer, 1)
    return replace(outbox, queues=queues, parts=outbox.parts - 1), [report]
