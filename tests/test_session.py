"""The session's arithmetic: which refusal counts for what, and how long is waited."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from holdfast.core.commands import (
    ClearTimer,
    Command,
    Escalate,
    ReloadCredentials,
    SetTimer,
)
from holdfast.core.policy import SessionPolicy
from holdfast.core.session import (
    NEEDS_LOGIN,
    RETRY,
    TABLE,
    Phase,
    Session,
    Trigger,
    doubted,
    refusal,
    silence,
    step,
)

POLICY = SessionPolicy()
PATIENT = SessionPolicy(probes_before_login=100, unanswered_probes_max=100)
FOUND_ACTIVE = Session(Phase.ACTIVE, since_ms=500, credential="login-1")


def moved(
    session: Session, trigger: Trigger, at_ms: int = 1_000
) -> tuple[Session, list[Command]]:
    return step(session, trigger, at_ms, "why", POLICY)


def pauses_ms(trigger: Trigger, policy: SessionPolicy, rounds: int) -> list[int]:
    """Return how long is waited after each of so many failed probes in a row."""
    session, _ = step(FOUND_ACTIVE, Trigger.EXPIRE, 0, "", policy)
    found = []
    for _ in range(rounds):
        session, _ = step(session, Trigger.DUE, 0, "", policy)
        session, _ = step(session, trigger, 0, "", policy)
        found.append(session.due_ms)
    return found


def test_refused_probes_wait_5_s_doubled_up_to_5_minutes() -> None:
    assert pauses_ms(Trigger.REFUSE, PATIENT, 8) == [
        *(5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000)
    ]


def test_unanswered_probes_wait_as_long_as_refused_ones() -> None:
    assert pauses_ms(Trigger.UNANSWERED, PATIENT, 4) == [5_000, 10_000, 20_000, 40_000]


@given(st.integers(1, 100), st.integers(0, 200))
def test_the_refusal_after_the_allowed_probes_asks_for_a_login(
    probes: int, refusals: int
) -> None:
    policy = SessionPolicy(probes_before_login=probes)
    session = Session(Phase.RECOVERING, refusals=refusals)
    tired = refusal(session, policy) is Trigger.EXHAUST
    assert tired == (refusals >= probes)


def test_a_first_refusal_while_active_is_an_expiry_and_a_second_one_counts() -> None:
    assert refusal(FOUND_ACTIVE, POLICY) is Trigger.EXPIRE
    assert refusal(Session(Phase.ACTIVE, refusals=1), POLICY) is Trigger.REFUSE
    assert refusal(Session(Phase.ACTIVE, refusals=3), POLICY) is Trigger.EXHAUST
    assert refusal(Session(Phase.RECOVERING), POLICY) is Trigger.REFUSE


@given(st.integers(1, 100), st.integers(0, 99))
def test_the_last_silence_asks_the_poll(silences_max: int, unanswered: int) -> None:
    policy = SessionPolicy(unanswered_probes_max=silences_max)
    session = Session(Phase.RECOVERING, unanswered=unanswered)
    asks = silence(session, policy) is Trigger.ACCEPT
    assert asks == (unanswered + 1 >= silences_max)


def test_only_a_success_clears_what_was_counted() -> None:
    doubted = Session(Phase.RECOVERING, refusals=2, unanswered=1, needs_login=True)
    accepted, _ = moved(doubted, Trigger.ACCEPT)
    assert (accepted.refusals, accepted.unanswered) == (2, 1)
    assert accepted.needs_login
    succeeded, _ = moved(accepted, Trigger.SUCCEED)
    assert (succeeded.refusals, succeeded.unanswered) == (0, 0)
    assert not succeeded.needs_login


@pytest.mark.parametrize(
    "doubt",
    [
        replace(FOUND_ACTIVE, phase=Phase.BACKOFF),
        replace(FOUND_ACTIVE, refusals=1),
        replace(FOUND_ACTIVE, unanswered=1),
        replace(FOUND_ACTIVE, needs_login=True),
    ],
)
def test_each_doubt_alone_is_one_and_a_success_ends_it(doubt: Session) -> None:
    assert doubted(doubt)
    after, _ = moved(doubt, Trigger.SUCCEED)
    assert not doubted(after)
    assert not doubted(FOUND_ACTIVE)


def test_another_login_starts_with_a_clean_count() -> None:
    doubted = Session(Phase.BACKOFF, refusals=3, unanswered=2, due_ms=9, credential="x")
    after, commands = moved(doubted, Trigger.LOGIN)
    assert after == Session(Phase.RECOVERING, since_ms=1_000, credential="x")
    assert commands == [ClearTimer(RETRY)]


def test_a_new_process_trusts_no_login_it_did_not_read() -> None:
    for phase in Phase:
        doubted = Session(phase, refusals=3, due_ms=9, credential="x", needs_login=True)
        after, commands = moved(doubted, Trigger.START)
        assert after.credential == ""
        assert (after.phase, after.refusals, after.due_ms) == (Phase.EXPIRED, 0, 0)
        assert not after.needs_login
        assert commands == [ReloadCredentials()]


@pytest.mark.parametrize("trigger", [Trigger.EXHAUST, Trigger.MISS])
def test_a_human_is_asked_once_with_the_peers_words(trigger: Trigger) -> None:
    phase = Phase.RECOVERING if trigger is Trigger.EXHAUST else Phase.EXPIRED
    asked, commands = moved(Session(phase), trigger)
    timer = SetTimer(RETRY, 1_000 + POLICY.slow_probe_ms)
    assert commands == [Escalate(NEEDS_LOGIN, "why"), timer]
    again = Session(phase, needs_login=asked.needs_login)
    assert moved(again, trigger)[1] == [timer]


def test_a_phase_knows_since_when_it_lasts() -> None:
    expired, _ = moved(FOUND_ACTIVE, Trigger.EXPIRE, 2_000)
    assert expired.since_ms == 2_000
    missed, _ = moved(expired, Trigger.MISS, 3_000)
    assert missed.since_ms == 2_000


def test_a_success_without_any_doubt_gives_the_same_value_back() -> None:
    assert moved(FOUND_ACTIVE, Trigger.SUCCEED) == (FOUND_ACTIVE, [])
    assert moved(FOUND_ACTIVE, Trigger.SUCCEED)[0] is FOUND_ACTIVE


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("trigger", Trigger)
def test_a_move_goes_where_the_table_says_and_off_it_nothing_changes(
    phase: Phase, trigger: Trigger
) -> None:
    session = Session(phase, since_ms=1, refusals=1, credential="login-1")
    after, commands = moved(session, trigger)
    dest = TABLE.next.get((phase, trigger))
    if dest is None:
        assert after is session
        assert not commands
    else:
        assert after.phase is dest


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("trigger", Trigger)
def test_a_timer_is_set_dropped_or_none_but_never_left_behind(
    phase: Phase, trigger: Trigger
) -> None:
    """A timer that fired, or died with its process, needs no dropping."""
    session = Session(phase, due_ms=700, refusals=1)
    after, commands = moved(session, trigger)
    gone = trigger in (Trigger.DUE, Trigger.RELOAD, Trigger.START)
    if after is not session and after.due_ms == 0 and not gone:
        assert ClearTimer(RETRY) in commands
    timers = [c.due_ms for c in commands if isinstance(c, SetTimer)]
    if after.due_ms not in (0, 700):
        assert timers == [after.due_ms]
