"""Random walks of a QQ account: whatever happens, in any order, all is kept."""

from collections.abc import Sequence
from itertools import islice

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qq_faithful import Shell
from qq_walks import DRAWS, TIGHT, TYPES, wild_walk
from test_walks import FACTS, NUMBERS, STEPS, any_event, assert_remembered, scattered

from holdfast.core import qq
from holdfast.core.commands import Forget, Identify, Offer, Send
from holdfast.core.events import Event, Fact, MessageReceived
from holdfast.core.grants import EARLIER_MAX, RENUMBERED_MAX
from holdfast.core.outbox import ATTEMPTS_MAX
from holdfast.core.policy import Policy
from holdfast.core.qq_account import Qq
from holdfast.core.qq_dial import DENIALS_BEFORE_FATAL
from holdfast.core.qq_invariants import broken
from holdfast.core.qq_send_rules import terms_of
from holdfast.core.qq_token import TRIES_MAX

POLICIES = pytest.mark.parametrize("policy", [TIGHT, qq.POLICY], ids=["tight", ""])
# The longest that a healed account may take: a slow timer, and then the quota.
WELL_AGAIN_MS = 20 * 60_000


def assert_bounded(state: Qq, policy: Policy) -> None:
    """Check that every count in the state has reached no more than its limit."""
    login, link, kept = state.session, state.connection, state.resumption
    assert 0 <= login.refusals <= policy.session.probes_before_login + 1
    assert 0 <= link.epoch <= policy.connection.epoch_max
    doublings = policy.connection.backoff_ms_max // policy.connection.backoff_ms_first
    most = max(policy.connection.dials_before_escalation, doublings.bit_length())
    assert 0 <= link.attempt <= most
    assert 0 <= state.denials <= DENIALS_BEFORE_FATAL
    assert 0 <= state.token.tries <= TRIES_MAX
    assert 0 <= state.gateway.failed < policy.gateway.dials_before_address
    assert 0 <= kept.unconfirmed <= policy.gateway.resumes_max
    assert len(kept.early) <= policy.gateway.early_dispatches_max
    assert_remembered(state.outbox.forgotten, policy.delivery.forgotten_max)
    assert_remembered(state.inbox.seen, policy.inbox.seen_max)
    assert_outbox_bounded(state, policy)


def assert_outbox_bounded(state: Qq, policy: Policy) -> None:
    box, limits = state.outbox, policy.delivery
    orders = [order for queue in box.queues.values() for order in queue]
    parts = [part for order in orders for part in order.parts]
    assert box.parts == len(parts) <= limits.outbox_parts_max
    for part in parts:
        assert part.attempts <= ATTEMPTS_MAX
        assert part.throttles <= limits.throttles_max
        assert part.losses < limits.unknown_tries_max
        assert part.renumbered <= RENUMBERED_MAX
    for name, peer in box.peers.items():
        terms = terms_of(name, policy)
        assert len(peer.earlier) <= EARLIER_MAX
        assert 0 <= peer.pushes <= terms.pushes_max
        if terms.replies_max:
            spent = [peer.spent, *(one.spent for one in peer.earlier)]
            assert 0 <= max(spent) <= terms.replies_max


@POLICIES
@settings(max_examples=150)
@given(NUMBERS)
def test_no_facts_in_any_order_break_a_promise_or_a_limit(
    policy: Policy, numbers: Sequence[int]
) -> None:
    for before, fact, after, commands in wild_walk(numbers, policy):
        found = broken(before, fact, after, commands, policy)
        assert not found, (fact, found)
        assert_bounded(after, policy)


@POLICIES
@settings(max_examples=30)
@given(NUMBERS, st.integers(0, STEPS - 1))
def test_a_state_that_was_written_and_read_goes_on_as_if_it_had_not(
    policy: Policy, numbers: Sequence[int], cut: int
) -> None:
    walk = list(wild_walk(numbers, policy))
    facts = FACTS.decode(msgspec.json.encode([fact for _, fact, _, _ in walk]))
    state = msgspec.json.decode(msgspec.json.encode(walk[cut][0]), type=Qq)
    for fact, (_, told, after, commands) in zip(facts[cut:], walk[cut:], strict=True):
        assert fact == told
        state, again = qq.step(state, fact, policy)
        assert (state, again) == (after, commands)
    assert msgspec.json.encode(state) == msgspec.json.encode(walk[-1][2])


@POLICIES
@settings(max_examples=150)
@given(NUMBERS)
def test_an_account_never_falls_silent_and_recovers_from_wherever_it_is(
    policy: Policy, numbers: Sequence[int]
) -> None:
    shell = Shell(policy)
    for number in numbers:
        shell.step(number)
        assert shell.alive, "nothing is under way and no timer is set"
    healed_ms = shell.at_ms
    assert shell.heal(steps_max=600), shell.state
    assert shell.at_ms - healed_ms <= WELL_AGAIN_MS


@settings(max_examples=80)
@given(NUMBERS)
def test_a_message_is_offered_once_and_a_dead_reference_never_used_again(
    numbers: Sequence[int],
) -> None:
    """Told from facts and commands alone."""
    offered, refused = set[int](), dict[str, int]()
    week_ms = qq.POLICY.delivery.forgotten_ms
    for _, fact, _, commands in wild_walk(numbers, qq.POLICY):
        for command in commands:
            match command:
                case Offer(seq):
                    assert isinstance(fact.event, MessageReceived)
                    assert seq == fact.seq
                    assert seq not in offered
                    offered.add(seq)
                case Forget(handle):
                    refused[handle] = fact.at_ms
                case Send(context=handle):
                    refused_ms = refused.get(handle, -week_ms)
                    assert fact.at_ms >= refused_ms + week_ms


@settings(max_examples=40)
@given(NUMBERS)
def test_no_more_sessions_are_begun_than_a_day_allows(numbers: Sequence[int]) -> None:
    limits = qq.POLICY.gateway
    begun = [
        fact.at_ms
        for _, fact, _, commands in wild_walk(numbers, qq.POLICY)
        for command in commands
        if isinstance(command, Identify)
    ]
    for first, then in zip(begun, begun[limits.identify_burst :], strict=False):
        assert then - first >= limits.identify_gap_ms


def test_a_walk_can_meet_every_type_of_fact() -> None:
    assert set(DRAWS) == set(TYPES)
    numbers = scattered(range(6 * STEPS))
    met = {type(fact.event) for _, fact, _, _ in wild_walk(numbers, TIGHT)}
    assert met == set(TYPES)


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
@settings(max_examples=20)
@given(numbers=NUMBERS, at=st.integers(0, STEPS - 1), data=st.data())
def test_any_fact_whatever_it_holds_is_taken_in_any_state(
    kind: type[Event], numbers: Sequence[int], at: int, data: st.DataObject
) -> None:
    *_, last = islice(wild_walk(numbers, TIGHT), at + 1)
    _, fact, before, _ = last
    event = data.draw(any_event(kind))
    later = Fact(fact.seq + 1, fact.at_ms + data.draw(st.integers(0, 2**40)), event)
    after, commands = qq.step(before, later, TIGHT)
    assert not broken(before, later, after, commands, TIGHT)
    assert_bounded(after, TIGHT)
