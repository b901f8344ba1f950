"""Cutting text: nothing lost, nothing too long, and cuts where a reader would pause."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.io.text import BORDERS, MODIFIERS, ZERO_WIDTH_JOINER, split_text

FAMILY = "👩\u200d👩\u200d👧\u200d👦"
WAVE = "👋\U0001f3fd"
ACCENTED = "e\u0301\u0323"
POINTS = st.integers(1, 40)
BYTES = st.integers(4, 80)
# Any code point at all, lone surrogates included, and much of what is nasty.
NASTY = st.text(
    st.characters(categories=None) | st.sampled_from("\u200d\u0301\ufe0f 。\n")
)
# Characters that cling to one another, without any border between them.
CLINGING = st.lists(st.sampled_from([FAMILY, WAVE, ACCENTED, "x", "汉", "\ufe0f"]))


def size(part: str) -> int:
    return len(part.encode("utf-8", "surrogatepass"))


@given(NASTY, POINTS, BYTES)
@example("\ud83d\ude00" * 9, 5, 4)
@example("\udc80" * 50, 40, 4)
@example("\u200d" * 50, 3, 80)
@example(FAMILY * 5, 3, 9)
def test_parts_joined_give_the_text_and_keep_both_limits(
    text: str, points_max: int, bytes_max: int
) -> None:
    parts = split_text(text, points_max=points_max, bytes_max=bytes_max)
    assert "".join(parts) == text
    for part in parts:
        assert 1 <= len(part) <= points_max
        assert size(part) <= bytes_max


@given(st.text(), POINTS, BYTES)
def test_no_two_neighbours_would_have_fitted_into_half_a_part(
    text: str, points_max: int, bytes_max: int
) -> None:
    parts = split_text(text, points_max=points_max, bytes_max=bytes_max)
    for part, after in pairwise(parts):
        both = part + after[:1]
        full = len(both) * 2 > points_max or size(both) * 2 > bytes_max - 8
        assert full, (part, after)


def clings(text: str, at: int) -> bool:
    """Say whether a cut here would tear a character from what modifies it."""
    modifies = any(ord(text[at]) in points for points in MODIFIERS)
    return modifies or ZERO_WIDTH_JOINER in text[at - 1 : at + 1]


@given(CLINGING.map("".join), st.integers(4, 40))
def test_a_character_is_torn_from_its_modifier_only_when_nothing_else_fits(
    text: str, points_max: int
) -> None:
    parts = split_text(text, points_max=points_max, bytes_max=400)
    cut = 0
    for part in parts[:-1]:
        start, cut = cut, cut + len(part)
        if clings(text, cut):
            latest = start + points_max
            earliest = start + points_max // 2 + 1
            assert all(clings(text, at) for at in range(earliest, latest + 1))


@pytest.mark.parametrize("whole", [FAMILY, WAVE, ACCENTED, "☺\ufe0f"])
def test_what_a_reader_sees_as_one_character_stays_whole(whole: str) -> None:
    for points_max in range(2 * len(whole), 4 * len(whole)):
        parts = split_text(whole * 9, points_max=points_max, bytes_max=400)
        assert all(len(part) % len(whole) == 0 for part in parts)


CUTS = {
    "a paragraph": ("aaaa. b\n\nc\nd e f", ["aaaa. b\n\n", "c\nd e f"]),
    "a line": ("aaaa. b\nc. d e f", ["aaaa. b\n", "c. d e f"]),
    "a sentence": ("aaa aaa. bbb cc dd", ["aaa aaa. ", "bbb cc dd"]),
    "a Chinese sentence": (
        "汉汉汉汉汉汉。汉汉汉汉汉汉",
        ["汉汉汉汉汉汉。", "汉汉汉汉汉汉"],
    ),
    "a word": ("aaaaa bbbbb ccccc", ["aaaaa ", "bbbbb ", "ccccc"]),
    "a Chinese clause": ("汉汉汉汉汉、汉汉汉汉汉汉", ["汉汉汉汉汉、", "汉汉汉汉汉汉"]),
    "the limit": ("a" * 14, ["a" * 10, "aaaa"]),
    "the limit, past an early border": ("aa bbbbbbbbbbbb", ["aa bbbbbbb", "bbbbb"]),
}


@pytest.mark.parametrize(("text", "parts"), CUTS.values(), ids=CUTS)
def test_a_cut_falls_after(text: str, parts: list[str]) -> None:
    assert split_text(text, points_max=10, bytes_max=400) == parts


def test_the_strongest_border_of_the_second_half_wins_over_a_later_weaker_one() -> None:
    for strong, weak in pairwise(BORDERS):
        text = f"{'a' * 6}{strong[0]}b{weak[0]}{'c' * 9}"
        first, *_ = split_text(text, points_max=11, bytes_max=400)
        assert first == f"{'a' * 6}{strong[0]}"


def test_bytes_count_beside_code_points() -> None:
    assert split_text("汉" * 5, points_max=10, bytes_max=9) == ["汉汉汉", "汉汉"]
    assert split_text("😀" * 3, points_max=10, bytes_max=4) == ["😀"] * 3


def test_an_empty_text_has_no_parts_and_a_fitting_one_is_not_touched() -> None:
    assert split_text("", points_max=1, bytes_max=4) == []
    fitting = "a b\n\nc d. e"
    assert split_text(fitting, points_max=len(fitting), bytes_max=400) == [fitting]


def test_a_megabyte_is_cut_without_going_over_it_again_and_again() -> None:
    text = "汉字，和 words. " * 80_000  # noqa: RUF001 - Chinese punctuation is meant.
    parts = split_text(text, points_max=2_000, bytes_max=4_000)
    assert "".join(parts) == text
    assert len(parts) < 2 * size(text) / 4_000 + 2
