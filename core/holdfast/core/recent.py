"""Recent: handles remembered for a while, in a value that is cheap to change.

Two layers {handle: at_ms}: `young` holds what came since `old` was last made. Adding
copies the young layer alone; when it outgrows the square root of the old one, both are
merged. So adding costs well under a microsecond, whether ten or ten thousand handles
are remembered, and a look costs two lookups.
"""

from collections.abc import Sequence, Sized

from msgspec import Struct

NEVER_MS = -(1 << 62)
YOUNG_MIN = 128


class Recent(
    Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True
):
    """What was remembered; times ascend, from the first of `old` on."""

    young: dict[str, int] = {}
    old: dict[str, int] = {}


def since_ms(recent: Recent, handle: str) -> int:
    """Return when a handle was remembered first, `NEVER_MS` when it was not."""
    young_ms = recent.young.get(handle)
    return recent.old.get(handle, NEVER_MS) if young_ms is None else young_ms


def lacks(recent: Recent, handles: Sequence[str]) -> bool:
    """Say whether none of the handles is remembered, as hardly one ever is."""
    young, old = recent.young, recent.old
    return young.keys().isdisjoint(handles) and old.keys().isdisjoint(handles)


def any_since(recent: Recent, handles: Sequence[str], horizon_ms: int) -> bool:
    """Say whether one of the handles was remembered after a time."""
    return any(since_ms(recent, handle) > horizon_ms for handle in handles)


def outgrown(young: Sized, old: Sized) -> bool:
    """Say whether a young layer is large enough to be merged into the old one."""
    size = len(young)
    return size > YOUNG_MIN and size * size > len(old)


def remember(
    recent: Recent, handles: Sequence[str], at_ms: int, keep_ms: int, count_max: int
) -> Recent:
    """Add what is not remembered yet; forget what is much older than `keep_ms`."""
    horizon_ms = at_ms - keep_ms
    fresh = [one for one in handles if since_ms(recent, one) <= horizon_ms]
    return add(recent, fresh, at_ms, keep_ms, count_max)


def add(
    recent: Recent, fresh: Sequence[str], at_ms: int, keep_ms: int, count_max: int
) -> Recent:
    """Add handles that are known to be fresh.

    Old handles go when the layers are merged: readers compare times themselves.
    """
    if not fresh:
        return recent
    young, old = recent.young.copy(), recent.old
    for handle in fresh:
        young[handle] = at_ms
    if len(young) > YOUNG_MIN and outgrown(young, old):
        old = _merged(old, young, at_ms - keep_ms, keep_ms, count_max)
        young = {}
    return Recent(young, old)


def _merged(
    old: dict[str, int],
    young: dict[str, int],
    horizon_ms: int,
    keep_ms: int,
    count_max: int,
) -> dict[str, int]:
    """Merge, and drop what is over age once that is a good part of the whole."""
    if not old.keys().isdisjoint(young):
        # What comes again after its time moves to the end, so that times ascend.
        old = {handle: ms for handle, ms in old.items() if handle not in young}
    merged = {**old, **young}
    oldest_ms = next(iter(merged.values()))
    if len(merged) > count_max:
        times = sorted(merged.values())
        horizon_ms = max(horizon_ms, times[len(times) // 2])
    elif oldest_ms > horizon_ms - keep_ms // 4:
        return merged
    return {handle: ms for handle, ms in merged.items() if ms > horizon_ms}
