"""The seq of a session: never beyond what is missing, until the peer says so."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.qq_seq import Resumption, note, settle

EARLY_MAX = 4
NUMBERS = st.lists(st.none() | st.integers(-3, 30) | st.integers(-(2**70), 2**70))
# Of a session that began with READY as its first dispatch.
BEGUN = Resumption("session-1", 1)


def noted(numbers: Sequence[int | None], early_max: int = EARLY_MAX) -> Resumption:
    kept = BEGUN
    for s in numbers:
        kept = note(kept, s, early_max)
    return kept


def test_dispatches_in_order_are_followed() -> None:
    assert noted([2, 3, 4]) == Resumption("session-1", 4)


def test_one_that_is_early_waits_for_what_is_missing() -> None:
    assert noted([2, 4, 5]) == Resumption("session-1", 2, (4, 5))
    assert noted([2, 5, 4, 3]) == Resumption("session-1", 5)
    assert noted([2, 7, 4, 3]) == Resumption("session-1", 4, (7,))


def test_what_is_repeated_going_back_or_no_number_says_nothing() -> None:
    kept = noted([2, 4])
    for s in (4, 2, 1, 0, -1, None):
        assert note(kept, s, EARLY_MAX) is kept


def test_of_many_that_are_early_the_first_gap_is_given_up() -> None:
    assert noted([3, 5, 7, 9]) == Resumption("session-1", 1, (3, 5, 7, 9))
    assert noted([3, 5, 7, 9, 11]) == Resumption("session-1", 3, (5, 7, 9, 11))
    assert noted([3, 4, 5, 9, 11]) == Resumption("session-1", 5, (9, 11))


def test_once_the_peer_says_that_it_was_all_nothing_is_waited_for() -> None:
    assert settle(Resumption("s", 2, (4, 9), 1)) == Resumption("s", 9, (), 1)
    assert settle(Resumption("s", 2, (), 2)) == Resumption("s", 2, (), 2)


def test_the_session_and_its_unconfirmed_resumes_are_left_alone() -> None:
    kept = note(note(Resumption("s", 1, (), 1), 2, EARLY_MAX), 4, EARLY_MAX)
    assert (kept.session, kept.unconfirmed) == ("s", 1)


@given(NUMBERS)
def test_the_seq_is_never_beyond_a_gap(numbers: Sequence[int | None]) -> None:
    """As long as so many fit, what the peer is told is recorded without a hole."""
    kept, seen = BEGUN, {1}
    for s in numbers[:EARLY_MAX]:
        kept = note(kept, s, EARLY_MAX)
        if s is not None:
            seen.add(s)
        assert {*range(1, min(kept.seq, 99) + 1)} <= seen
        assert kept.seq + 1 not in seen
        assert {*kept.early} == {one for one in seen if one > kept.seq}


@given(NUMBERS)
def test_the_seq_never_goes_back_and_what_waits_is_bounded(
    numbers: Sequence[int | None],
) -> None:
    kept = BEGUN
    for s in numbers:
        after = note(kept, s, EARLY_MAX)
        assert after.seq >= kept.seq
        assert len(after.early) <= EARLY_MAX
        assert sorted({*after.early}) == [*after.early]
        assert all(one > after.seq + 1 for one in after.early)
        kept = after
    assert settle(kept).seq >= kept.seq


@given(NUMBERS)
def test_the_seq_is_a_number_that_came_or_is_below_one(
    numbers: Sequence[int | None],
) -> None:
    """A gap that is given up ends below a dispatch that came, so none is skipped."""
    kept = noted(numbers)
    assert kept.seq in {1, *numbers}
    assert settle(kept).seq in {1, *numbers}


@given(st.permutations(range(2, 9)))
def test_the_order_in_which_all_of_them_come_does_not_matter(
    numbers: Sequence[int],
) -> None:
    assert noted(numbers, early_max=7) == Resumption("session-1", 8)
