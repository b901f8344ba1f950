"""Delays: within their caps, growing, and the same on every machine for ever."""

from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.backoff import added_jitter_ms, doubled_ms, full_jitter_ms, mix

MILLIS = st.integers(1, 366 * 86_400_000)
COUNTS = st.integers(0, 10**12)
SEEDS = st.integers(0, 2**64)

# Whoever changes one of these makes every recording of a delay replay differently.
GOLDEN_MIX = {
    (0, "", 0): 9_716_340_883_820_303_696,
    (7, "connection.retry", 0): 15_351_675_407_962_830_808,
    (7, "connection.retry", 1): 17_700_158_592_296_594_591,
    (2**64 - 1, "holdfast-0000000000000007-5-0", 40): 17_432_022_009_351_190_708,
    (2**70, "über 😀", 10**12): 18_405_156_865_230_371_520,
    (-1, "delivery.next", 999): 15_661_522_354_820_511_936,
}
GOLDEN_DELAYS_MS = [809, 592, 356, 3_398, 3_535, 17_501, 3_230, 19_814]


@given(MILLIS, MILLIS, COUNTS)
def test_a_doubled_delay_is_at_least_the_first_and_at_most_the_cap(
    first_ms: int, max_ms: int, attempt: int
) -> None:
    delay_ms = doubled_ms(first_ms, max_ms, attempt)
    assert min(first_ms, max_ms) <= delay_ms <= max_ms


@given(MILLIS, MILLIS, COUNTS)
def test_a_doubled_delay_never_shrinks_and_doubles_below_the_cap(
    first_ms: int, max_ms: int, attempt: int
) -> None:
    delay_ms = doubled_ms(first_ms, max_ms, attempt)
    next_ms = doubled_ms(first_ms, max_ms, attempt + 1)
    assert next_ms == min(max_ms, 2 * delay_ms)


@given(MILLIS, MILLIS)
def test_a_doubled_delay_reaches_its_cap(first_ms: int, max_ms: int) -> None:
    assert doubled_ms(first_ms, max_ms, 40) == max_ms


def test_the_documented_pauses_of_a_refused_login() -> None:
    pauses = [doubled_ms(5_000, 300_000, attempt) for attempt in range(8)]
    assert pauses == [5000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]


@given(MILLIS, SEEDS, st.text(), COUNTS)
def test_full_jitter_lies_between_one_and_its_ceiling(
    ceiling_ms: int, seed: int, purpose: str, attempt: int
) -> None:
    assert 1 <= full_jitter_ms(ceiling_ms, seed, purpose, attempt) <= ceiling_ms


@given(st.integers(0, 10**9), SEEDS, st.text(), COUNTS)
def test_added_jitter_lies_between_zero_and_its_limit(
    jitter_ms_max: int, seed: int, purpose: str, attempt: int
) -> None:
    assert 0 <= added_jitter_ms(jitter_ms_max, seed, purpose, attempt) <= jitter_ms_max


@given(SEEDS, st.text(), COUNTS)
def test_equal_arguments_give_equal_numbers(seed: int, purpose: str, n: int) -> None:
    assert mix(seed, purpose, n) == mix(seed, "".join([*purpose]), n)
    assert 0 <= mix(seed, purpose, n) < 2**64


@given(SEEDS, COUNTS)
def test_another_seed_purpose_or_count_gives_another_number(seed: int, n: int) -> None:
    numbers = [mix(seed, "a", n), mix(seed + 1, "a", n), mix(seed, "b", n)]
    assert len({*numbers, mix(seed, "a", n + 1)}) == 4


def test_seeds_spread_evenly_over_a_ceiling() -> None:
    counts = [0] * 10
    for seed in range(2_000):
        counts[full_jitter_ms(10, seed, "connection.retry", 3) - 1] += 1
    assert min(counts) > 150
    assert max(counts) < 250


def test_a_ceiling_of_nothing_still_waits_a_millisecond() -> None:
    assert full_jitter_ms(0, 7, "delivery.next", 0) == 1


def test_numbers_are_the_same_on_every_platform_and_version() -> None:
    assert {key: mix(*key) for key in GOLDEN_MIX} == GOLDEN_MIX


def test_delays_are_the_same_on_every_platform_and_version() -> None:
    ceilings = [doubled_ms(1_000, 30_000, attempt) for attempt in range(8)]
    delays = [
        full_jitter_ms(ceiling_ms, 7, "connection.retry", attempt)
        for attempt, ceiling_ms in enumerate(ceilings)
    ]
    assert delays == GOLDEN_DELAYS_MS
