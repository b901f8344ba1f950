"""What is remembered for a while: found as long as it is young, and never too much."""

from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.recent import NEVER_MS, Recent, remember, since_ms

KEEP_MS = 1_000
HANDLES = st.text("ab", min_size=1, max_size=4)
# What is told one after the other: how much later, and which handles.
STORY = st.lists(st.tuples(st.integers(0, 700), st.lists(HANDLES, max_size=3)))


def handles_in(recent: Recent) -> dict[str, int]:
    return {key: ms for old in recent.buckets.values() for key, ms in old.items()}


@given(STORY)
def test_it_knows_what_a_plain_dictionary_would_know(
    story: list[tuple[int, list[str]]],
) -> None:
    recent, model, at_ms = Recent(), dict[str, int](), 0
    for later_ms, handles in story:
        at_ms += later_ms
        recent = remember(recent, handles, at_ms, KEEP_MS, 1_000_000)
        model = {key: ms for key, ms in model.items() if ms > at_ms - KEEP_MS}
        model = {**dict.fromkeys(handles, at_ms), **model}
        for handle in {*model, *handles, "never"}:
            known_ms = since_ms(recent, handle)
            young_ms = known_ms if known_ms > at_ms - KEEP_MS else NEVER_MS
            assert young_ms == model.get(handle, NEVER_MS)


@given(STORY, st.integers(3, 9))
def test_it_counts_right_and_never_holds_more_than_its_limit(
    story: list[tuple[int, list[str]]], count_max: int
) -> None:
    recent, at_ms = Recent(), 0
    for later_ms, handles in story:
        at_ms += later_ms
        before, held = recent, handles_in(recent)
        recent = remember(recent, handles, at_ms, KEEP_MS, count_max)
        assert recent.count == len(handles_in(recent)) <= count_max
        assert handles_in(before) == held, "a state that was handed out has changed"


def test_a_handle_keeps_its_first_time_until_it_is_too_old() -> None:
    recent = remember(Recent(), ["x"], 1_000, KEEP_MS, 9)
    assert since_ms(remember(recent, ["x"], 1_999, KEEP_MS, 9), "x") == 1_000
    assert since_ms(remember(recent, ["x"], 2_000, KEEP_MS, 9), "x") == 2_000


def test_nothing_new_gives_the_same_value_back() -> None:
    recent = remember(Recent(), ["x", "y"], 1_000, KEEP_MS, 9)
    assert remember(recent, ["y", "x"], 1_500, KEEP_MS, 9) is recent
    assert remember(recent, [], 9_000, KEEP_MS, 9) is recent


def test_over_the_limit_the_younger_half_stays() -> None:
    recent = Recent()
    for number in range(11):
        recent = remember(recent, [f"handle-{number}"], 100 + number, KEEP_MS, 10)
    assert sorted(handles_in(recent).values()) == [106, 107, 108, 109, 110]


def test_what_is_too_old_goes_when_its_bucket_is_touched() -> None:
    recent = remember(Recent(), ["a-77", "b-88"], 1_000, KEEP_MS, 9)
    recent = remember(recent, ["c-77"], 2_000, KEEP_MS, 9)
    assert handles_in(recent) == {"c-77": 2_000, "b-88": 1_000}
    assert recent.count == 2


def test_a_short_handle_and_an_empty_one_are_handles() -> None:
    recent = remember(Recent(), ["", "7"], 1_000, KEEP_MS, 9)
    assert since_ms(recent, "") == since_ms(recent, "7") == 1_000
    assert since_ms(recent, "77") == NEVER_MS
