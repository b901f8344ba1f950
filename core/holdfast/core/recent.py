"""Recent: handles remembered for a while, in a value that is cheap to change.

`buckets` is {last two characters of a handle: {handle: at_ms}}. Handles are digests,
so they spread evenly, and adding one copies one small dictionary instead of all.
"""

from collections.abc import Sequence

from msgspec import Struct

NEVER_MS = -(1 << 62)


class Recent(
    Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True
):
    """What was remembered; `count` is the number of handles."""

    buckets: dict[str, dict[str, int]] = {}
    count: int = 0


def since_ms(recent: Recent, handle: str) -> int:
    """Return when a handle was remembered first, `NEVER_MS` when it was not."""
    bucket = recent.buckets.get(handle[-2:])
    return NEVER_MS if bucket is None else bucket.get(handle, NEVER_MS)


def remember(
    recent: Recent, handles: Sequence[str], at_ms: int, keep_ms: int, count_max: int
) -> Recent:
    """Add what is not remembered yet; forget what is older than `keep_ms`.

    Old handles go when their bucket is touched: readers compare times themselves.
    """
    horizon_ms = at_ms - keep_ms
    buckets, count = recent.buckets, recent.count
    for handle in handles:
        tail = handle[-2:]
        old = buckets.get(tail, {})
        if old.get(handle, NEVER_MS) > horizon_ms:
            continue
        kept = {key: ms for key, ms in old.items() if ms > horizon_ms}
        kept[handle] = at_ms
        buckets = {**buckets, tail: kept}
        count += len(kept) - len(old)
    if buckets is recent.buckets:
        return recent
    return Recent(buckets, count) if count <= count_max else _halve(buckets)


def _halve(buckets: dict[str, dict[str, int]]) -> Recent:
    """Keep the younger half: rare, so the limit costs nothing per message.

    The cut is a time, not a handle, so it falls the same way under other handles.
    """
    times = sorted(ms for bucket in buckets.values() for ms in bucket.values())
    cut_ms = times[len(times) // 2]
    halved = {
        tail: {key: ms for key, ms in bucket.items() if ms > cut_ms}
        for tail, bucket in buckets.items()
    }
    young = {tail: bucket for tail, bucket in halved.items() if bucket}
    return Recent(young, sum(map(len, young.values())))
