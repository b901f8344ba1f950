"""Cutting text: nothing lost, nothing too long, and cuts where a reader would pause."""

from itertools import accumulate, pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.io.text import BORDERS, CHARACTER, split_text

FAMILY = "👩\u200d👩\u200d👧\u200d👦"
# {what it is: one character, as a reader counts}
WHOLE = {
    "family": FAMILY,
    "skin tone": "👋\U0001f3fd",
    "accents": "e\u0301\u0323",
    "variation": "☺\ufe0f",
    "flag": "🇫🇷",
    "keycap": "1\ufe0f\u20e3",
    "tags": "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "Hangul jamo": "\u1112\u1161\u11ab",
    "Hangul with a final": "가\u11a8",
    "Hebrew points": "ש\u05bc\u05c1",
    "Arabic marks": "ل\u0651\u064e",
    "Thai": "ก\u0e33",
    "Devanagari vowel": "न\u093f",
    "Devanagari conjunct": "क\u094dष",
    "kana": "か\u3099",
    "line end": "\r\n",
}
POINTS = st.integers(1, 40)
BYTES = st.integers(4, 80)
# Any code point at all, lone surrogates included, and much of what is nasty.
NASTY = st.text(
    st.characters(categories=None) | st.sampled_from("\u200d\u0301\ufe0f 。\n")
)
# Characters of several code points, whole and in pieces, with hardly a border between.
PIECES = sorted({*WHOLE.values(), *"".join(WHOLE.values()), "x", "汉", " ", "。"})
CLINGING = st.lists(st.sampled_from(PIECES), max_size=60).map("".join)


def size(part: str) -> int:
    return len(part.encode("utf-8", "surrogatepass"))


def borders(text: str) -> list[int]:
    """Return where characters end as a reader counts them."""
    return [found.end() for found in CHARACTER.finditer(text)]


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


@given(st.text() | CLINGING, POINTS, BYTES)
def test_no_two_neighbours_would_have_fitted_into_half_a_part(
    text: str, points_max: int, bytes_max: int
) -> None:
    parts = split_text(text, points_max=points_max, bytes_max=bytes_max)
    rest = text
    for part in parts[:-1]:
        rest = rest[len(part) :]
        both = part + rest[: borders(rest)[0]]
        full = len(both) * 2 > points_max or size(both) * 2 > bytes_max - 8
        assert full, (part, rest)


@given(CLINGING, POINTS, BYTES)
@example("👩\u200d" * 9, 5, 80)
@example("\r\n" * 9, 3, 80)
@example("汉汉汉汉汉\n\u0301汉汉汉汉", 8, 80)
@example("aaaaa bbbb \u0301ccc", 12, 80)
def test_a_character_is_torn_only_when_it_alone_is_over_a_limit(
    text: str, points_max: int, bytes_max: int
) -> None:
    parts = split_text(text, points_max=points_max, bytes_max=bytes_max)
    assert "".join(parts) == text
    cuts = set(accumulate(map(len, parts)))
    for start, end in pairwise([0, *borders(text)]):
        if cuts & set(range(start + 1, end)):
            whole = text[start:end]
            assert len(whole) > points_max or size(whole) > bytes_max


@pytest.mark.parametrize("whole", WHOLE.values(), ids=WHOLE)
def test_what_a_reader_sees_as_one_character_stays_whole(whole: str) -> None:
    for points_max in range(len(whole), 4 * len(whole)):
        parts = split_text(whole * 9, points_max=points_max, bytes_max=400)
        assert "".join(parts) == whole * 9
        assert all(len(part) % len(whole) == 0 for part in parts)


@pytest.mark.parametrize("whole", WHOLE.values(), ids=WHOLE)
def test_bytes_tear_no_character_either(whole: str) -> None:
    for bytes_max in range(size(whole), 4 * size(whole)):
        parts = split_text(whole * 9, points_max=400, bytes_max=bytes_max)
        assert all(len(part) % len(whole) == 0 for part in parts)


def test_a_mark_that_is_modified_is_no_place_to_cut_but_an_earlier_one_is() -> None:
    text = "aaaaaa bb \u0301ccccc"
    first, *_ = split_text(text, points_max=12, bytes_max=400)
    assert first == "aaaaaa "


def test_a_character_over_the_limit_is_cut_at_the_limit() -> None:
    text = f"ab{FAMILY}cd"
    parts = split_text(text, points_max=4, bytes_max=400)
    assert parts == ["ab", FAMILY[:4], f"{FAMILY[4:]}c", "d"]


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
