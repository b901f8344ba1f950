"""The inbox: each message offered once, and each consumer's place in it."""

from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.commands import Offer
from holdfast.core.inbox import (
    Consumer,
    Inbox,
    Phase,
    Traces,
    finish,
    is_done,
    receive,
)
from holdfast.core.policy import InboxPolicy

POLICY = InboxPolicy(seen_ms=1_000, seen_max=100)
SEQS = st.integers(1, 20)
HANDLES = st.lists(st.sampled_from("abcd"), max_size=2).map(tuple)


def trace(*handles: str) -> Traces:
    return Traces(handles, handles)


def test_a_new_message_is_offered_and_its_copy_is_not() -> None:
    box, phase, offered = receive(Inbox(), 5, 1_000, trace("x"), POLICY)
    assert (phase, offered) == (Phase.OFFERED, [Offer(5)])
    box, phase, offered = receive(box, 6, 1_999, trace("x"), POLICY)
    assert (phase, offered) == (Phase.REPEATED, [])


def test_a_copy_is_forgotten_to_the_millisecond_when_its_time_is_over() -> None:
    box, *_ = receive(Inbox(), 5, 1_000, trace("x"), POLICY)
    assert receive(box, 6, 1_999, trace("x"), POLICY)[1] is Phase.REPEATED
    assert receive(box, 6, 2_000, trace("x"), POLICY)[1] is Phase.OFFERED


def test_copies_do_not_prolong_the_time() -> None:
    box, *_ = receive(Inbox(), 5, 1_000, trace("x"), POLICY)
    box, *_ = receive(box, 6, 1_900, trace("x"), POLICY)
    assert receive(box, 7, 2_000, trace("x"), POLICY)[1] is Phase.OFFERED


def test_what_is_looked_for_and_what_is_kept_may_differ() -> None:
    box, *_ = receive(Inbox(), 5, 1_000, Traces(("id-1", "plain"), ()), POLICY)
    assert receive(box, 6, 1_001, Traces((), ("plain",)), POLICY)[1] is Phase.REPEATED
    assert receive(box, 6, 1_001, Traces((), ("quoting",)), POLICY)[1] is Phase.OFFERED


def test_a_message_without_a_trace_is_always_offered() -> None:
    box, _, offered = receive(Inbox(), 5, 1_000, trace(), POLICY)
    assert offered == [Offer(5)]
    assert receive(box, 6, 1_000, trace(), POLICY)[2] == [Offer(6)]


@given(st.lists(st.tuples(st.integers(0, 900), HANDLES)))
def test_a_message_is_offered_unless_a_handle_of_it_was_kept_in_time(
    story: list[tuple[int, tuple[str, ...]]],
) -> None:
    box, at_ms, kept = Inbox(), 1, dict[str, int]()
    for seq, (later_ms, handles) in enumerate(story, 1):
        at_ms += later_ms
        kept = {key: ms for key, ms in kept.items() if ms > at_ms - POLICY.seen_ms}
        copy = any(handle in kept for handle in handles)
        box, _, offered = receive(box, seq, at_ms, trace(*handles), POLICY)
        assert offered == ([] if copy else [Offer(seq)])
        kept = {**dict.fromkeys(handles, at_ms), **kept}


@given(st.lists(st.tuples(SEQS, st.integers(-1, 20))))
def test_a_consumer_is_done_with_exactly_what_it_said(
    story: list[tuple[int, int]],
) -> None:
    box, finished, reached = Inbox(), set[int](), 0
    for message, through in story:
        box = finish(box, "agent", message, through)
        finished.add(message)
        reached = max(reached, through)
        agent = box.consumers["agent"]
        assert agent.through == reached
        assert all(seq > reached for seq in agent.ahead)
        assert list(agent.ahead) == sorted(set(agent.ahead))
        for seq in range(22):
            assert is_done(agent, seq) == (seq <= reached or seq in finished)


def test_consumers_do_not_move_each_other() -> None:
    box = finish(Inbox(), "agent", 5, 5)
    assert finish(box, "archive", 7, 0).consumers == {
        "agent": Consumer(through=5),
        "archive": Consumer(through=0, ahead=(7,)),
    }


def test_saying_a_thing_twice_changes_nothing() -> None:
    box = finish(finish(Inbox(), "agent", 7, 0), "agent", 5, 5)
    assert finish(box, "agent", 7, 0) is box
    assert finish(box, "agent", 5, 5) is box
    assert finish(box, "agent", 3, 2) is box


def test_the_mark_swallows_what_was_finished_before_it() -> None:
    box = finish(finish(Inbox(), "agent", 6, 0), "agent", 8, 0)
    assert finish(box, "agent", 7, 7).consumers["agent"] == Consumer(7, (8,))
