"""Delays and other numbers that look random but replay exactly.

Everything is a function of a seed, a purpose and a count. The seed enters once, in
`Started`; nothing here keeps state, so the same facts give the same delays in any
process and on any Python.
"""

from hashlib import blake2b


def mix(seed: int, purpose: str, count: int) -> int:
    """Return 64 bits that depend on all three and on nothing else."""
    text = f"{seed}:{purpose}:{count}".encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest())


def doubled_ms(first_ms: int, max_ms: int, attempt: int) -> int:
    """Return `first_ms` doubled `attempt` times, at most `max_ms`."""
    # The shift is bounded before it is made: attempt may come from a policy file.
    return min(max_ms, first_ms << min(attempt, 40))


def full_jitter_ms(ceiling_ms: int, seed: int, purpose: str, attempt: int) -> int:
    """Return a delay of 1 to `ceiling_ms`, spread evenly over seeds."""
    return 1 + mix(seed, purpose, attempt) % max(1, ceiling_ms)


def added_jitter_ms(jitter_ms_max: int, seed: int, purpose: str, attempt: int) -> int:
    """Return 0 to `jitter_ms_max`, to be added to a delay that must not shrink."""
    return mix(seed, purpose, attempt) % (jitter_ms_max + 1)
