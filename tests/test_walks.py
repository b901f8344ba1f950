"""Random walks: whatever happens, in whatever order, every promise is kept."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

import msgspec
import pytest
from faithful_shell import Shell
from hypothesis import given, settings
from hypothesis import strategies as st
from walks import DRAWS, TIGHT, TYPES, wild_walk

from holdfast.core import weixin
from holdfast.core.backoff import mix
from holdfast.core.commands import Forget, Offer, Send
from holdfast.core.events import (
    Event,
    Fact,
    MessageReceived,
    PartRequest,
    SendAnswered,
)
from holdfast.core.outbox import ATTEMPTS_MAX
from holdfast.core.policy import Policy
from holdfast.core.recent import YOUNG_MIN, Recent
from holdfast.core.weixin_account import Weixin
from holdfast.core.weixin_invariants import broken

STEPS = 200


def scattered(numbers: Iterable[int]) -> Sequence[int]:
    """Return numbers that lead everywhere: hypothesis prefers those near nothing."""
    return [mix(number, "walk", place) for place, number in enumerate(numbers)]


NUMBERS = st.lists(st.integers(0, 2**32), min_size=STEPS, max_size=STEPS).map(scattered)
POLICIES = pytest.mark.parametrize("policy", [TIGHT, weixin.POLICY], ids=["tight", ""])
FACTS = msgspec.json.Decoder(list[Fact])


def assert_bounded(state: Weixin, policy: Policy) -> None:
    """Check that every count in the state has reached no more than its limit."""
    login, link, box = state.session, state.connection, state.outbox
    assert 0 <= login.refusals <= policy.session.probes_before_login + 1
    assert 0 <= login.unanswered <= policy.session.unanswered_probes_max
    assert 0 <= link.attempt <= policy.connection.dials_before_escalation
    assert 0 <= link.strangers <= policy.connection.strangers_before_fatal
    assert 0 <= link.epoch <= policy.connection.epoch_max
    if state.hold_ms:
        assert policy.poll.hold_ms_min <= state.hold_ms <= policy.poll.hold_ms_max
    for peer in box.peers.values():
        assert 0 <= peer.spent <= policy.delivery.budget
    assert_outbox_bounded(state, policy)
    assert_remembered(box.forgotten, policy.delivery.forgotten_max)
    assert_remembered(state.inbox.seen, policy.inbox.seen_max)


def assert_outbox_bounded(state: Weixin, policy: Policy) -> None:
    box, limits = state.outbox, policy.delivery
    orders = [order for queue in box.queues.values() for order in queue]
    parts = [part for order in orders for part in order.parts]
    assert box.parts == len(parts) <= limits.outbox_parts_max
    assert all(order.parts for order in orders)
    for part in parts:
        assert part.attempts <= ATTEMPTS_MAX
        assert part.misses <= ATTEMPTS_MAX
        assert part.throttles <= limits.throttles_max
        assert part.losses < limits.unknown_tries_max


def assert_remembered(recent: Recent, count_max: int) -> None:
    """Few handles are merged rarely, so a limit may be passed by some."""
    assert len(recent.young) + len(recent.old) <= count_max + YOUNG_MIN


@POLICIES
@settings(max_examples=100)
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
@given(NUMBERS)
def test_the_same_facts_give_the_same_states_and_commands_again(
    policy: Policy, numbers: Sequence[int]
) -> None:
    walk = list(wild_walk(numbers, policy))
    facts = FACTS.decode(msgspec.json.encode([fact for _, fact, _, _ in walk]))
    state = Weixin()
    for fact, (_, told, _, commands) in zip(facts, walk, strict=True):
        assert fact == told
        state, again = weixin.step(state, fact, policy)
        assert msgspec.json.encode(again) == msgspec.json.encode(commands)
    assert msgspec.json.encode(state) == msgspec.json.encode(walk[-1][2])


@POLICIES
@settings(max_examples=30)
@given(NUMBERS, st.integers(0, STEPS - 1))
def test_a_state_that_was_written_and_read_goes_on_as_if_it_had_not(
    policy: Policy, numbers: Sequence[int], cut: int
) -> None:
    walk = list(wild_walk(numbers, policy))
    state = msgspec.json.decode(msgspec.json.encode(walk[cut][0]), type=Weixin)
    for _, fact, after, commands in walk[cut:]:
        state, again = weixin.step(state, fact, policy)
        assert (state, again) == (after, commands)
    assert msgspec.json.encode(state) == msgspec.json.encode(walk[-1][2])


@POLICIES
@settings(max_examples=80)
@given(NUMBERS)
def test_an_account_never_falls_silent_and_recovers_from_wherever_it_is(
    policy: Policy, numbers: Sequence[int]
) -> None:
    shell = Shell(policy)
    for number in numbers:
        shell.step(number)
        assert shell.alive, "nothing is under way and no timer is set"
    assert shell.heal(steps_max=400), shell.state


@settings(max_examples=80)
@given(NUMBERS)
def test_a_message_is_offered_once_and_a_refused_token_never_used_again(
    numbers: Sequence[int],
) -> None:
    """The same two promises, told from facts and commands alone."""
    offered, refused = set[int](), dict[str, int]()
    week_ms = weixin.POLICY.delivery.forgotten_ms
    for _, fact, _, commands in wild_walk(numbers, weixin.POLICY):
        for command in commands:
            match command:
                case Offer(seq):
                    assert isinstance(fact.event, MessageReceived)
                    assert seq == fact.seq
                    assert seq not in offered
                    offered.add(seq)
                case Forget(handle) if isinstance(fact.event, SendAnswered):
                    refused[handle] = fact.at_ms
                case Send(context=handle):
                    refused_ms = refused.get(handle, -week_ms)
                    assert fact.at_ms >= refused_ms + week_ms


def test_a_walk_can_meet_every_type_of_fact() -> None:
    assert set(DRAWS) == set(TYPES)
    numbers = scattered(range(3 * STEPS))
    met = {type(fact.event) for _, fact, _, _ in wild_walk(numbers, TIGHT)}
    assert met == set(TYPES)


ANY_INT = st.integers(-(2**70), 2**70)
ANY_TEXT = st.text(st.characters(categories=None), max_size=9)
# How a field of each type is filled, with the wildest there is.
ANY_VALUE: Mapping[object, st.SearchStrategy[object]] = {
    int: ANY_INT,
    int | None: ANY_INT | st.none(),
    str: ANY_TEXT,
    bool: st.booleans(),
    bool | None: st.booleans() | st.none(),
    Policy | None: st.none() | st.just(TIGHT),
    tuple: st.lists(
        st.builds(PartRequest, ANY_TEXT, ANY_INT), min_size=1, max_size=3
    ).map(tuple),
}


def any_event(kind: type[Event]) -> st.SearchStrategy[Event]:
    """Return events of a type with any values of the right types."""
    values = {
        field.name: ANY_VALUE[getattr(field.type, "__origin__", field.type)]
        for field in msgspec.structs.fields(kind)
    }
    return st.builds(kind, **values)


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
    after, commands = weixin.step(before, later, TIGHT)
    assert not broken(before, later, after, commands, TIGHT)
    assert_bounded(after, TIGHT)
