"""What is remembered for a while: found as long as it is young, and never too much."""

from collections.abc import Iterator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.recent import NEVER_MS, YOUNG_MIN, Recent, remember, since_ms

KEEP_MS = 1_000
PLENTY = 1_000_000
# What is told one after the other: how much later, and which of many handles.
TOLD = st.tuples(st.integers(0, 300), st.integers(0, 400), st.integers(0, 60))
STORY = st.lists(TOLD, max_size=30)
Told = tuple[int, int, int]


def steps(story: Sequence[Told]) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield (at_ms, handles), beginning with enough of them to fill a layer."""
    yield 1, [f"handle-{number}" for number in range(100, 180)]
    at_ms = 1
    for later_ms, first, count in story:
        at_ms += later_ms
        yield at_ms, [f"handle-{number}" for number in range(first, first + count)]


def held(recent: Recent) -> int:
    return len(recent.young) + len(recent.old)


@given(STORY)
def test_it_knows_what_a_plain_dictionary_would_know(story: Sequence[Told]) -> None:
    recent, model = Recent(), dict[str, int]()
    for at_ms, handles in steps(story):
        horizon_ms = at_ms - KEEP_MS
        recent = remember(recent, handles, at_ms, KEEP_MS, PLENTY)
        model = {key: ms for key, ms in model.items() if ms > horizon_ms}
        model = {**dict.fromkeys(handles, at_ms), **model}
        for handle in (f"handle-{number}" for number in range(461)):
            known_ms = since_ms(recent, handle)
            young_ms = known_ms if known_ms > horizon_ms else NEVER_MS
            assert young_ms == model.get(handle, NEVER_MS)


@given(STORY, st.integers(200, 500))
def test_it_stays_near_its_limit_and_changes_no_state_it_handed_out(
    story: Sequence[Told], count_max: int
) -> None:
    recent = Recent()
    for at_ms, handles in steps(story):
        before, told = recent, repr(recent)
        recent = remember(recent, handles, at_ms, KEEP_MS, count_max)
        assert held(recent) <= count_max + YOUNG_MIN
        assert repr(before) == told


def test_a_handle_keeps_its_first_time_until_it_is_too_old() -> None:
    recent = remember(Recent(), ["x"], 1_000, KEEP_MS, 9)
    assert since_ms(remember(recent, ["x"], 1_999, KEEP_MS, 9), "x") == 1_000
    assert since_ms(remember(recent, ["x"], 2_000, KEEP_MS, 9), "x") == 2_000


def test_it_does_so_as_well_when_it_was_laid_down_among_many() -> None:
    recent = remember(Recent(), ["x"], 1_000, KEEP_MS, PLENTY)
    many = [f"handle-{number}" for number in range(200)]
    recent = remember(recent, many, 1_500, KEEP_MS, PLENTY)
    assert "x" in recent.old
    assert since_ms(remember(recent, ["x"], 1_999, KEEP_MS, PLENTY), "x") == 1_000
    assert since_ms(remember(recent, ["x"], 2_000, KEEP_MS, PLENTY), "x") == 2_000


def test_nothing_new_gives_the_same_value_back() -> None:
    recent = remember(Recent(), ["x", "y"], 1_000, KEEP_MS, 9)
    assert remember(recent, ["y", "x"], 1_500, KEEP_MS, 9) is recent
    assert remember(recent, [], 9_000, KEEP_MS, 9) is recent


def test_over_the_limit_the_youngest_stay() -> None:
    recent = Recent()
    for number in range(5_000):
        recent = remember(recent, [f"handle-{number}"], 1 + number, PLENTY, 200)
        for young in range(max(0, number - 99), number + 1):
            assert since_ms(recent, f"handle-{young}") == 1 + young
        assert held(recent) <= 200 + YOUNG_MIN


def test_what_is_too_old_goes_in_time() -> None:
    recent = Recent()
    for number in range(20_000):
        recent = remember(recent, [f"handle-{number}"], number, KEEP_MS, PLENTY)
        assert held(recent) <= 2 * KEEP_MS


def test_an_empty_handle_is_a_handle() -> None:
    recent = remember(Recent(), [""], 1_000, KEEP_MS, 9)
    assert since_ms(recent, "") == 1_000
    assert since_ms(recent, "x") == NEVER_MS
