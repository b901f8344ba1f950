"""The connection's arithmetic: epochs, pauses, and when it counts as stable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from holdfast.core.commands import ClearTimer, Command, Escalate, SetTimer
from holdfast.core.connection import (
    RETRY,
    TABLE,
    UNREACHABLE,
    Cause,
    Connection,
    Phase,
    Trigger,
    current,
    dial,
    step,
    wait,
)
from holdfast.core.policy import ConnectionPolicy

POLICY = ConnectionPolicy(backoff_ms_max=30_000)
UP = Connection(Phase.HEARTBEATING, since_ms=500, epoch=4, dialed_ms=900)
LOST = Cause(1_000, "reset", "by peer")
COUNTS = st.integers(0, 5)


def moved(
    link: Connection, trigger: Trigger, cause: Cause = LOST, seed: int = 7
) -> tuple[Connection, list[Command]]:
    return step(link, trigger, cause, seed, POLICY)


def test_a_dial_begins_the_next_epoch_and_drops_the_timer() -> None:
    link, commands = dial(replace(UP, due_ms=1_500), 2_000, POLICY)
    assert (link.epoch, link.dialed_ms, link.due_ms) == (5, 2_000, 0)
    assert commands == [ClearTimer(RETRY)]
    assert dial(UP, 2_000, POLICY)[1] == []


@given(st.integers(2, 1_000_000_000), st.integers(0, 1_000_000_000))
def test_epochs_wrap_and_are_never_zero_or_the_last_one_again(
    epoch_max: int, epoch: int
) -> None:
    policy = ConnectionPolicy(epoch_max=epoch_max)
    link, _ = dial(Connection(epoch=min(epoch, epoch_max)), 1, policy)
    assert 1 <= link.epoch <= epoch_max
    assert link.epoch != min(epoch, epoch_max)


def test_only_a_fact_of_the_dial_under_way_is_current() -> None:
    assert current(UP, 4)
    assert not current(UP, 3)
    assert not current(UP, 5)
    assert not current(replace(UP, dialed_ms=0), 4)


def test_waiting_is_no_loss() -> None:
    link, commands = wait(UP, 1_700)
    assert link == replace(UP, dialed_ms=0, due_ms=1_700)
    assert commands == [SetTimer(RETRY, 1_700)]


@given(COUNTS, st.integers(0, 2**64))
def test_a_pause_lies_between_the_cooldown_and_the_cap(attempt: int, seed: int) -> None:
    link, commands = moved(replace(UP, attempt=attempt), Trigger.LOSE, LOST, seed)
    pause_ms = link.due_ms - LOST.at_ms
    assert commands[0] == SetTimer(RETRY, link.due_ms)
    if attempt == 0:
        assert 1 <= pause_ms <= POLICY.backoff_ms_first
    else:
        assert POLICY.cooldown_ms <= pause_ms <= POLICY.backoff_ms_max


@given(st.integers(1, 100_000), st.integers(0, 100_000), COUNTS)
def test_a_cooldown_over_the_cap_does_not_lift_the_cap(
    max_ms: int, cooldown_ms: int, attempt: int
) -> None:
    policy = ConnectionPolicy(backoff_ms_max=max_ms, cooldown_ms=cooldown_ms)
    link, _ = step(replace(UP, attempt=attempt), Trigger.LOSE, LOST, 7, policy)
    assert 1 <= link.due_ms - LOST.at_ms <= max_ms


@pytest.mark.parametrize(("up_ms", "attempt"), [(59_999, 4), (60_000, 1)])
def test_only_a_connection_that_stayed_up_a_minute_starts_the_count_anew(
    up_ms: int, attempt: int
) -> None:
    link = replace(UP, attempt=3, confirmed_ms=LOST.at_ms)
    later = Cause(LOST.at_ms + up_ms, "reset")
    assert moved(link, Trigger.LOSE, later)[0].attempt == attempt


def test_a_dial_that_was_never_confirmed_is_never_stable() -> None:
    link = replace(UP, attempt=3, confirmed_ms=0)
    assert moved(link, Trigger.LOSE, Cause(10**12, "reset"))[0].attempt == 4


def test_the_host_is_told_once_that_the_peer_cannot_be_reached() -> None:
    link, told = UP, []
    for _ in range(20):
        link, commands = moved(link, Trigger.LOSE)
        told += [command for command in commands if isinstance(command, Escalate)]
        assert link.attempt <= POLICY.dials_before_escalation
    (escalation,) = told
    assert escalation.code == UNREACHABLE
    assert "by peer" in escalation.reason
    assert escalation.retryable


def test_a_failure_is_told_at_once_and_has_a_slow_way_out() -> None:
    link, commands = moved(UP, Trigger.FAIL, Cause(1_000, "http_404", "HTTP 404"))
    due_ms = 1_000 + POLICY.fatal_retry_ms
    assert commands == [Escalate("http_404", "HTTP 404"), SetTimer(RETRY, due_ms)]
    assert (link.fatal_code, link.fatal_reason) == ("http_404", "HTTP 404")
    assert link.dialed_ms == 0


@pytest.mark.parametrize("trigger", [Trigger.START, Trigger.RETRY])
def test_a_new_beginning_keeps_only_the_epoch_and_the_last_sign_of_life(
    trigger: Trigger,
) -> None:
    fatal = Connection(
        Phase.FATAL, 500, 4, 0, 700, 0, 600, 5, 5, "http_404", "HTTP 404"
    )
    link, commands = moved(fatal, trigger)
    assert link == Connection(since_ms=1_000, epoch=4, alive_ms=600)
    assert commands == []


def test_confirming_again_moves_only_the_sign_of_life() -> None:
    link, _ = moved(UP, Trigger.CONFIRM)
    assert link == replace(UP, alive_ms=1_000)


def test_a_peer_that_speaks_is_no_stranger() -> None:
    known = replace(UP, phase=Phase.RECONNECTING, strangers=3)
    for trigger in (Trigger.OPEN, Trigger.CONFIRM):
        assert moved(known, trigger)[0].strangers == 0
    assert moved(known, Trigger.LOSE)[0].strangers == 3


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("trigger", Trigger)
def test_a_move_goes_where_the_table_says_and_off_it_nothing_changes(
    phase: Phase, trigger: Trigger
) -> None:
    link = replace(UP, phase=phase)
    after, commands = moved(link, trigger)
    dest = TABLE.next.get((phase, trigger))
    if dest is None:
        assert after is link
        assert not commands
    else:
        assert after.phase is dest
        assert after.since_ms == (500 if dest is phase else 1_000)
