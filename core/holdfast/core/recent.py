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
    new = [h for h in handles if since_ms(recent, h) <= horizon_ms]
    if not new:
        return recent
    buckets, count = dict(recent.buckets), recent.count
    for handle in new:
        tail = handle[-2:]
        old = kept = buckets.get(tail, {})
        # The oldest comes first, so a look at it tells whether anything is due to go.
        if old and next(iter(old.values())) <= horizon_ms:
            kept = {key: ms for key, ms in old.items() if ms > horizon_ms}
        buckets[tail] = {**kept, handle: at_ms}
        count += len(buckets[tail]) - len(old)
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
