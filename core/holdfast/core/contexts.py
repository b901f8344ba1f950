"""Contexts: tokens that let us answer a peer, and how they are forgotten for good."""

from collections.abc import Iterator

from msgspec.structs import replace

from holdfast.core.commands import Command, Forget
from holdfast.core.outbox import Outbox, Peer, Scene
from holdfast.core.policy import DeliveryPolicy
from holdfast.core.recent import Recent, remember
from holdfast.core.recorded import PeerId


def drop_contexts(outbox: Outbox, scene: Scene) -> tuple[Outbox, list[Command]]:
    """Forget every context token: they belong to a bot id that is no longer ours."""
    held = [peer.context for peer in outbox.peers.values() if peer.context]
    if scene.terms is not None:
        held += [handle for handle in _others(outbox) if handle not in held]
    peers = {
        name: replace(peer, context="", earlier=())
        for name, peer in outbox.peers.items()
    }
    outbox = replace(outbox, peers=peers, forgotten=bury(outbox, held, scene))
    return outbox, [Forget(handle) for handle in held]


def _others(outbox: Outbox) -> Iterator[str]:
    """Yield what messages could still be answered under, the newest apart."""
    kept = [one.context for peer in outbox.peers.values() for one in peer.earlier]
    orders = [order for queue in outbox.queues.values() for order in queue]
    kept += [order.reply_to for order in orders]
    kept += [part.context for order in orders for part in order.parts]
    yield from dict.fromkeys(filter(None, kept))


def bury(outbox: Outbox, handles: list[str], scene: Scene) -> Recent:
    """Remember handles as forgotten, so that nobody can bring them back."""
    policy = scene.policy
    keep_ms, count_max = policy.forgotten_ms, policy.forgotten_max
    return remember(outbox.forgotten, handles, scene.at_ms, keep_ms, count_max)


def trimmed(outbox: Outbox, peers_max: int) -> Outbox:
    """Forget whom nothing was heard of or said to for longest, once there are too many.

    Half of them go at once, so that this costs nothing per message; never one that is
    waited for.
    """
    if len(outbox.peers) <= peers_max:
        return outbox
    latest = {
        name: max(peer.inbound_ms, peer.pushed_ms)
        for name, peer in outbox.peers.items()
    }
    oldest = sorted(latest, key=lambda name: latest[name])[: len(latest) // 2]
    gone = dict.fromkeys(name for name in oldest if name not in outbox.queues)
    peers = {name: peer for name, peer in outbox.peers.items() if name not in gone}
    return replace(outbox, peers=peers)


def without(peers: dict[PeerId, Peer], context: str) -> dict[PeerId, Peer]:
    """Take a token away from every peer that holds it."""
    return {
        name: replace(peer, context="", event=False)
        if peer.context == context
        else peer
        for name, peer in peers.items()
    }


def within(peer: Peer, policy: DeliveryPolicy) -> Peer:
    """Cut what a peer has used to the budget, which may be smaller than it was."""
    over = policy.budget and peer.spent > policy.budget
    return replace(peer, spent=policy.budget) if over else peer
