"""Resumption: which session can go on, and after which dispatch.

The `seq` that the peer is told, in a resume as in a heartbeat, is the last one up to
which every dispatch is durably recorded. One that came early waits in `early` until
what is missing before it has come, or will not come any more: until then a resume asks
for both again, and the inbox drops what it knows.
"""

from msgspec import Struct


class Resumption(
    Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True
):
    """The session's handle, the seq reached, and the resumes nobody confirmed."""

    session: str = ""
    seq: int = 0
    early: tuple[int, ...] = ()
    unconfirmed: int = 0


def note(kept: Resumption, s: int | None, early_max: int) -> Resumption:
    """Note that the dispatch `s` is recorded; what is no number says nothing."""
    if s is None or s <= kept.seq or s in kept.early:
        return kept
    if s == kept.seq + 1 and not kept.early:
        return Resumption(kept.session, s, (), kept.unconfirmed)
    early = tuple(sorted((*kept.early, s)))
    seq = kept.seq if len(early) <= early_max else early[0] - 1
    while early and early[0] == seq + 1:
        seq, early = early[0], early[1:]
    return Resumption(kept.session, seq, early, kept.unconfirmed)


def settle(kept: Resumption) -> Resumption:
    """Pass over what is missing: the peer says that it has sent all there is."""
    seq = kept.early[-1] if kept.early else kept.seq
    return Resumption(kept.session, seq)
