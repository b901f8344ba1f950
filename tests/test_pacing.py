"""Pacing: gaps, pauses, budgets and windows, as arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from holdfast.core.outbox import (
    ATTEMPTS_MAX,
    Part,
    Peer,
    Phase,
    Scene,
    Trigger,
)
from holdfast.core.pacing import counted, delay_ms, gap_ms, overdrawn, spend
from holdfast.core.policy import DeliveryPolicy

POLICY = DeliveryPolicy()
PART = Part("body-1", "holdfast-0000000000000007-5-0")
SCENE = Scene(1_000, 7, "login-1", 15_000, POLICY)
# Whoever changes one of these makes every recording of a retry replay differently.
GOLDEN_MS = {
    Trigger.THROTTLE: [3_394, 7_659, 12_848, 24_450, 49_815],
    Trigger.LOSE: [1_892, 3_253, 5_672, 5_600, 25_636],
    Trigger.UNREACH: [892, 1_253, 1_672, 5_600, 9_636],
}
RETRIES = st.sampled_from([Trigger.THROTTLE, Trigger.LOSE, Trigger.UNREACH])


def granted(inbound_ms: int = 500, spent: int = 0) -> Peer:
    return Peer("token-1", inbound_ms, spent)


@pytest.mark.parametrize(
    ("parts", "expected_ms"), [(1, 2_300), (8, 4_400), (100, 32_000)]
)
def test_the_gap_grows_by_300_ms_a_part(parts: int, expected_ms: int) -> None:
    assert gap_ms(parts, POLICY) == expected_ms


def test_the_gap_is_never_under_its_least() -> None:
    hasty = DeliveryPolicy(gap_ms_base=0, gap_ms_per_part=100)
    assert [gap_ms(parts, hasty) for parts in (1, 15, 16)] == [1_500, 1_500, 1_600]


def test_a_throttled_part_waits_3_s_doubled_with_up_to_2_s_more_60_s_at_most() -> None:
    for count in range(20):
        floor_ms = min(3_000 << count, 60_000)
        pause_ms = delay_ms(replace(PART, throttles=count), Trigger.THROTTLE, SCENE)
        assert floor_ms <= pause_ms <= min(floor_ms + 2_000, 60_000)


@pytest.mark.parametrize(
    ("why", "field", "first_ms"),
    [(Trigger.LOSE, "losses", 2_000), (Trigger.UNREACH, "misses", 1_000)],
)
def test_other_retries_wait_a_fair_draw_below_a_ceiling_of_30_s(
    why: Trigger, field: str, first_ms: int
) -> None:
    for count in range(20):
        part = replace(PART, **{field: count})
        ceiling_ms = min(first_ms << count, 30_000)
        assert 1 <= delay_ms(part, why, SCENE) <= ceiling_ms


@given(RETRIES, st.integers(0, 10**6), st.integers(0, 2**64), st.text())
def test_no_pause_is_over_its_cap(
    why: Trigger, count: int, seed: int, client_id: str
) -> None:
    part = replace(PART, throttles=count, losses=count, misses=count)
    pause_ms = delay_ms(
        replace(part, client_id=client_id), why, replace(SCENE, seed=seed)
    )
    assert 1 <= pause_ms <= (60_000 if why is Trigger.THROTTLE else 30_000)


def test_pauses_are_the_same_on_every_platform_and_version() -> None:
    parts = [
        replace(PART, throttles=count, losses=count, misses=count) for count in range(5)
    ]
    told = {why: [delay_ms(part, why, SCENE) for part in parts] for why in GOLDEN_MS}
    assert told == GOLDEN_MS


def test_each_retry_counts_what_happened_and_nothing_else() -> None:
    assert counted(PART, Trigger.THROTTLE) == replace(PART, throttles=1)
    doubtful = replace(PART, losses=1, doubtful=True)
    assert counted(PART, Trigger.LOSE) == doubtful
    assert counted(PART, Trigger.UNREACH) == replace(PART, misses=1)
    worn = replace(PART, misses=ATTEMPTS_MAX)
    assert counted(worn, Trigger.UNREACH) == worn


def test_a_send_is_spent_up_to_the_budget_and_only_where_the_peer_wrote() -> None:
    peers = {"alice": granted()}
    for _ in range(12):
        peers = spend(peers, "alice", POLICY)
    assert peers["alice"] == Peer("token-1", 500, POLICY.budget)
    assert spend(peers, "bob", POLICY) is peers


def test_the_last_of_the_budget_goes_and_the_next_does_not() -> None:
    assert overdrawn(granted(spent=9), PART, SCENE) == ""
    why = overdrawn(granted(spent=10), PART, SCENE)
    assert why == "10 sends since the peer last wrote, no more are allowed"


def test_the_window_closes_a_millisecond_after_24_hours() -> None:
    day = replace(SCENE, at_ms=500 + 86_400_000)
    assert overdrawn(granted(), PART, day) == ""
    late = replace(SCENE, at_ms=501 + 86_400_000)
    assert "has not written" in overdrawn(granted(), PART, late)


@given(st.integers(0, 10), st.integers(0, 10**12))
def test_without_limits_nothing_is_overdrawn(spent: int, at_ms: int) -> None:
    free = DeliveryPolicy(budget=0, window_ms=0)
    scene = replace(SCENE, at_ms=at_ms, policy=free)
    assert overdrawn(granted(spent=spent), PART, scene) == ""
    peers = {"alice": granted()}
    assert spend(peers, "alice", free) is peers


def test_who_never_wrote_is_the_platforms_to_judge() -> None:
    assert overdrawn(Peer(), PART, SCENE) == ""
    unheard = granted(inbound_ms=0, spent=10)
    assert overdrawn(unheard, PART, SCENE) == ""


def test_what_may_have_arrived_is_repeated_whatever_the_books_say() -> None:
    unknown = replace(PART, phase=Phase.UNKNOWN)
    assert overdrawn(granted(spent=10), unknown, SCENE) == ""
