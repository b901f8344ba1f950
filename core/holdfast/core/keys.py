"""Keys: one key of a host means one delivery, for a day."""

from msgspec import Struct

from holdfast.core.policy import DeliveryPolicy
from holdfast.core.recent import outgrown


class Keyed(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Which delivery a host's key stands for, and since when."""

    delivery: int
    at_ms: int


class Keys(
    Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True
):
    """{key: delivery} in two layers, as `Recent` does it."""

    young: dict[str, Keyed] = {}
    old: dict[str, Keyed] = {}


def claimed(keys: Keys, key: str, at_ms: int, policy: DeliveryPolicy) -> int:
    """Return the delivery that a host's key stands for, 0 when it is free."""
    keyed = keys.young.get(key) or keys.old.get(key)
    if keyed is None or keyed.at_ms <= at_ms - policy.key_ms:
        return 0
    return keyed.delivery


def claim(
    keys: Keys, key: str, delivery: int, at_ms: int, policy: DeliveryPolicy
) -> Keys:
    """Bind a key to this delivery; drop the keys whose day is over now and then."""
    young = keys.young.copy()
    young[key] = Keyed(delivery, at_ms)
    if not outgrown(young, keys.old):
        return Keys(young, keys.old)
    horizon_ms = at_ms - policy.key_ms
    merged = {**keys.old, **young}
    return Keys({}, {k: old for k, old in merged.items() if old.at_ms > horizon_ms})
