"""Resumption: which session can go on, and after which dispatch.

The `seq` that the peer is told, in a resume as in a heartbeat, is the last one up to
which every dispatch is durably recorded. One that came early waits in `early` until
what is missing before it has come, or will not come any more: until then a resume asks
for both again, and the inbox drops what it knows.
"""

from msgspec import Struct
from msgspec.structs import replace

from holdfast.core.policy import GatewayPolicy


class Resumption(
    Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True
):
    """The session's handle, the seq reached, and the resumes nobody confirmed.

    `asked` is what the session was begun for: intents, shard, shards.
    """

    session: str = ""
    seq: int = 0
    early: tuple[int, ...] = ()
    unconfirmed: int = 0
    asked: tuple[int, int, int] = (0, 0, 1)


def asked_for(policy: GatewayPolicy) -> tuple[int, int, int]:
    """Return what a session is begun for; one begun for something else is no use."""
    return policy.intents, policy.shard, policy.shards


def note(kept: Resumption, s: int | None, early_max: int) -> Resumption:
    """Note that the dispatch `s` is recorded; what is no number says nothing."""
    if s is None or s <= kept.seq or s in kept.early:
        return kept
    if s == kept.seq + 1 and not kept.early:
        return replace(kept, seq=s)
    early = tuple(sorted((*kept.early, s)))
    seq = kept.seq if len(early) <= early_max else early[0] - 1
    while early and early[0] == seq + 1:
        seq, early = early[0], early[1:]
    return replace(kept, seq=seq, early=early)


def settle(kept: Resumption) -> Resumption:
    """Pass over what is missing: it does not come any more."""
    if not kept.early:
        return kept
    return replace(kept, seq=kept.early[-1], early=())
