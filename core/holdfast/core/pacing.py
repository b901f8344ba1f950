"""Pacing: how long a part waits, and when its peer must write first.

Arithmetic only; `delivery` acts on it. Units: `*_ms` is milliseconds.
"""

from msgspec.structs import replace

from holdfast.core.backoff import added_jitter_ms, doubled_ms, full_jitter_ms
from holdfast.core.outbox import (
    ATTEMPTS_MAX,
    Part,
    Peer,
    Phase,
    Scene,
    Trigger,
)
from holdfast.core.policy import DeliveryPolicy
from holdfast.core.recorded import PeerId

NEXT = "delivery.next"
# Looked up once: an attribute of an Enum costs more than a comparison (CPython 3.11).
UNKNOWN = Phase.UNKNOWN


def gap_ms(parts: int, policy: DeliveryPolicy) -> int:
    """Return the least time between a send of so many parts and the next send."""
    over = parts > policy.outbox_parts_max
    counted_parts = policy.outbox_parts_max if over else parts
    paced_ms = policy.gap_ms_base + policy.gap_ms_per_part * counted_parts
    close = paced_ms < policy.gap_ms_min
    return policy.gap_ms_min if close else paced_ms


def longest_ms(policy: DeliveryPolicy) -> int:
    """Return the longest that anything here waits for a timer."""
    return max(
        policy.throttle_ms_max,
        policy.unknown_ms_max,
        policy.unreached_ms_max,
        gap_ms(policy.outbox_parts_max, policy),
    )


def delay_ms(part: Part, why: Trigger, scene: Scene) -> int:
    """Return how long a part waits, from how often the same happened to it before."""
    policy, seed = scene.policy, scene.seed
    match why:
        case Trigger.THROTTLE:
            first_ms, max_ms = policy.throttle_ms_first, policy.throttle_ms_max
            jitter_ms = added_jitter_ms(
                policy.throttle_jitter_ms, seed, part.client_id, part.throttles
            )
            delay_ms = doubled_ms(first_ms, max_ms, part.throttles) + jitter_ms
            return min(delay_ms, max_ms)
        case Trigger.LOSE:
            first_ms, max_ms = policy.unknown_ms_first, policy.unknown_ms_max
            count = part.losses
        case _:
            first_ms, max_ms = policy.unreached_ms_first, policy.unreached_ms_max
            count = part.misses
    ceiling_ms = doubled_ms(first_ms, max_ms, count)
    return full_jitter_ms(ceiling_ms, seed, part.client_id, count)


def counted(part: Part, why: Trigger) -> Part:
    """Count one more of what happened; the policy's limits bound the first two."""
    match why:
        case Trigger.THROTTLE:
            return replace(part, throttles=part.throttles + 1)
        case Trigger.LOSE:
            return replace(part, losses=part.losses + 1, doubtful=True)
        case _:
            return replace(part, misses=min(part.misses + 1, ATTEMPTS_MAX))


def spend(
    peers: dict[PeerId, Peer], name: str, policy: DeliveryPolicy
) -> dict[PeerId, Peer]:
    """Count a part that was, or may have been, accepted (S9)."""
    granted = peers.get(name)
    if granted is None or granted.spent >= policy.budget:
        return peers
    after = peers.copy()
    after[name] = replace(granted, spent=granted.spent + 1)
    return after


def overdrawn(granted: Peer, part: Part, scene: Scene) -> str:
    """Say why this peer must write first, or nothing.

    A try that may have arrived is repeated whatever the budget says, and a peer we
    never heard from is the platform's to judge.
    """
    if not granted.inbound_ms or part.phase is UNKNOWN:
        return ""
    policy = scene.policy
    if policy.budget and granted.spent >= policy.budget:
        return f"{granted.spent} sends since the peer last wrote, no more are allowed"
    if policy.window_ms and scene.at_ms - granted.inbound_ms > policy.window_ms:
        return "the peer has not written for too long"
    return ""
