"""Contexts: tokens that let us answer a peer, and how they are forgotten for good."""

from msgspec.structs import replace

from holdfast.core.commands import Command, Forget
from holdfast.core.outbox import Outbox, Scene
from holdfast.core.recent import Recent, remember


def drop_contexts(outbox: Outbox, scene: Scene) -> tuple[Outbox, list[Command]]:
    """Forget every context token: they belong to a bot id that is no longer ours."""
    held = [peer.context for peer in outbox.peers.values() if peer.context]
    peers = {name: replace(peer, context="") for name, peer in outbox.peers.items()}
    outbox = replace(outbox, peers=peers, forgotten=bury(outbox, held, scene))
    return outbox, [Forget(handle) for handle in held]


def bury(outbox: Outbox, handles: list[str], scene: Scene) -> Recent:
    """Remember handles as forgotten, so that nobody can bring them back."""
    policy = scene.policy
    keep_ms, count_max = policy.forgotten_ms, policy.forgotten_max
    return remember(outbox.forgotten, handles, scene.at_ms, keep_ms, count_max)
