"""Grants: whether a part may go to its peer, under which context, as which number.

Where the platform counts answers per message (`Scene.terms`), a part that is first sent
takes the next number under the message it answers and keeps both over every try: the
peer drops a pair that it has seen, so a repeated try cannot be shown twice. What
answers nothing is a push, which has limits of its own and no number to protect it.

Arithmetic only; `delivery` acts on it. Units: `*_ms` is milliseconds.
"""

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from holdfast.core.outbox import Answerable, Order, Outbox, Part, Peer, Scene, Terms
from holdfast.core.pacing import overdrawn
from holdfast.core.recent import since_ms

DAY_MS = 86_400_000
EARLIER_MAX = 8
RENUMBERED_MAX = 8
NOBODY = Peer()
# When a message came that is not remembered: later than any window began.
UNKNOWN_MS = 1 << 62


class Grant(Struct, frozen=True, gc=False):
    """What a part may do: go from `ready_ms` on, or wait for its peer, and `why`.

    `number` 0 is none: of a push, or of an answer to an event. `unsure` as in `Part`.
    """

    context: str = ""
    number: int = 0
    ready_ms: int = 0
    why: str = ""
    unsure: bool = False


def grant(outbox: Outbox, name: str, order: Order, scene: Scene) -> Grant:
    """Say whether the next part of this peer may go."""
    part, peer = order.parts[0], outbox.peers.get(name, NOBODY)
    if scene.terms is None:
        return Grant(peer.context, 0, 0, overdrawn(peer, part, scene))
    if part.context and not forgotten(outbox, part.context, scene):
        return Grant(part.context, part.number)
    terms = scene.terms(name)
    for known in _answerable(peer, order.reply_to):
        within = known.inbound_ms + (terms.window_ms or scene.at_ms) > scene.at_ms
        left = not terms.replies_max or known.spent < terms.replies_max
        if within and left and not forgotten(outbox, known.context, scene):
            number = 0 if known.event else known.spent + 1
            unsure = known.inbound_ms == UNKNOWN_MS
            return Grant(known.context, number, unsure=unsure)
    return _push(peer, terms, scene)


def repeatable(name: str, part: Part, scene: Scene) -> bool:
    """Say whether a try that may have arrived can be repeated without a double.

    Where answers are counted, the peer knows the number again; a push has none.
    """
    if scene.terms is None:
        return True
    return part.number > 0 and scene.terms(name).numbered


def used(outbox: Outbox, name: str, taken: Grant, scene: Scene) -> dict[str, Peer]:
    """Return the peers after a part was sent so; the caller adopts them."""
    peer, peers = outbox.peers.get(name, NOBODY), outbox.peers.copy()
    peers[name] = (
        _numbered(peer, taken, scene) if taken.context else _pushed(peer, scene)
    )
    return peers


def unpushed(outbox: Outbox, name: str) -> dict[str, Peer]:
    """Return the peers after a push that certainly did not come through (12)."""
    peers = outbox.peers.copy()
    peer = peers[name]
    peers[name] = replace(peer, pushes=max(0, peer.pushes - 1))
    return peers


def next_number(peer: Peer, part: Part) -> int:
    """Return the number after the last one used under a part's context."""
    spent = (one.spent for one in _known(peer) if one.context == part.context)
    return 1 + max((part.number, *spent))


def renumberable(outbox: Outbox, name: str, part: Part, scene: Scene) -> bool:
    """Say whether a part whose number was used by somebody may take the next."""
    assert scene.terms is not None
    most = scene.terms(name).replies_max
    number = next_number(outbox.peers.get(name, NOBODY), part)
    left = part.renumbered < RENUMBERED_MAX and (not most or number <= most)
    return part.number > 0 and left and not forgotten(outbox, part.context, scene)


def heard(before: Peer, wrote: Answerable, sent_ms: int) -> Peer:
    """Return the peer after it wrote: one more message that can be answered.

    What is known already, as an event that a resume brings again, brings no new count;
    nor does what cannot be answered prolong what can. Of too many, those are forgotten
    that were never answered: they have no count to lose.
    """
    known = [one for one in _known(before) if one.context]
    at_ms = wrote.inbound_ms
    if not wrote.context or wrote.context in [one.context for one in known]:
        inbound_ms = before.inbound_ms if before.context else at_ms
        return replace(before, inbound_ms=inbound_ms, sent_ms=sent_ms)
    earlier = sorted(known, key=lambda one: not one.spent)
    return replace(
        before,
        context=wrote.context,
        inbound_ms=at_ms,
        spent=0,
        event=wrote.event,
        sent_ms=sent_ms,
        earlier=tuple(earlier[:EARLIER_MAX]),
    )


def forgotten(outbox: Outbox, context: str, scene: Scene) -> bool:
    """Say whether a context was refused, so that it may never be used again."""
    horizon_ms = scene.at_ms - scene.policy.forgotten_ms
    return since_ms(outbox.forgotten, context) > horizon_ms


def _answerable(peer: Peer, reply_to: str) -> Iterator[Answerable]:
    """Yield what a part may answer, best first: what its host named, then the newest.

    A message unknown here is tried too: whether it can be answered, the peer says.
    """
    known = [one for one in _known(peer) if one.context]
    named = [one for one in known if one.context == reply_to]
    if reply_to:
        yield from named or [Answerable(reply_to, UNKNOWN_MS)]
    yield from (one for one in known if one.context != reply_to)


def _known(peer: Peer) -> Iterator[Answerable]:
    yield Answerable(peer.context, peer.inbound_ms, peer.spent, peer.event)
    yield from peer.earlier


def _push(peer: Peer, terms: Terms, scene: Scene) -> Grant:
    today = scene.at_ms < peer.day_ms + DAY_MS
    if terms.pushes_max and today and peer.pushes >= terms.pushes_max:
        return Grant(ready_ms=peer.day_ms + DAY_MS)
    ready_ms = peer.pushed_ms + terms.push_gap_ms if peer.pushed_ms else 0
    return Grant(ready_ms=ready_ms)


def _pushed(peer: Peer, scene: Scene) -> Peer:
    today = scene.at_ms < peer.day_ms + DAY_MS
    day_ms = peer.day_ms if today else scene.at_ms
    pushes = peer.pushes + 1 if today else 1
    return replace(peer, pushed_ms=scene.at_ms, day_ms=day_ms, pushes=pushes)


def _numbered(peer: Peer, taken: Grant, scene: Scene) -> Peer:
    """Count an answer; the answers to an event are counted without a number."""
    if peer.context == taken.context:
        spent = max(peer.spent, taken.number or peer.spent + 1)
        return replace(peer, spent=spent)
    answered = Answerable(taken.context, scene.at_ms, taken.number)
    others = [one for one in peer.earlier if one.context != taken.context]
    for one in peer.earlier:
        if one.context == taken.context:
            spent = max(one.spent, taken.number or one.spent + 1)
            answered = replace(one, spent=spent)
    return replace(peer, earlier=(answered, *others[: EARLIER_MAX - 1]))
