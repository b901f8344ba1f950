"""Text: cut what a bot says into parts that a platform takes.

Joining the parts gives the text again, and no part is over either limit. Cuts fall
after a paragraph, a line, a sentence or a word where one ends in the second half of
what fits; else where the limit is, but never between a character and what modifies it.
"""

from collections.abc import Iterator

# The stronger the border, the earlier it stands.
BORDERS = (("\n\n",), ("\n",), ("。", "！", "？", ". ", "! ", "? "), (" ", "，", "、"))  # noqa: RUF001 - Chinese punctuation is meant.
ZERO_WIDTH_JOINER = "\u200d"
# Combining accents, variation selectors, skin tones.
MODIFIERS = (range(0x300, 0x370), range(0xFE00, 0xFE10), range(0x1F3FB, 0x1F400))


def split_text(text: str, *, points_max: int, bytes_max: int) -> list[str]:
    """Return the parts in order; an empty text has none.

    `points_max` counts code points, `bytes_max` bytes of UTF-8; the latter must be at
    least 4, or a single character could not be sent.
    """
    return list(_parts(text, points_max, bytes_max))


def _parts(text: str, points_max: int, bytes_max: int) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = _fitting(text, start, points_max, bytes_max)
        if end < len(text):
            end = _border(text, start, end)
        yield text[start:end]
        start = end


def _fitting(text: str, start: int, points_max: int, bytes_max: int) -> int:
    """Return where the longest piece within both limits ends, after one at least."""
    piece = text[start : start + points_max]
    encoded = piece.encode("utf-8", "surrogatepass")
    if len(encoded) > bytes_max:
        # A cut inside a character drops its first bytes too.
        piece = encoded[:bytes_max].decode("utf-8", "ignore")
    return start + max(1, len(piece))


def _border(text: str, start: int, end: int) -> int:
    """Move a forced cut back to where a reader would pause."""
    half = start + (end - start) // 2
    for marks in BORDERS:
        found = max(_after(text, mark, half, end) for mark in marks)
        if found > half:
            return found
    while end - 1 > half and _clings(text, end):
        end -= 1
    return end


def _after(text: str, mark: str, half: int, end: int) -> int:
    at = text.rfind(mark, half, end)
    return -1 if at < 0 else at + len(mark)


def _clings(text: str, at: int) -> bool:
    """Say whether the character at a cut belongs to the one before it."""
    modifies = any(ord(text[at]) in points for points in MODIFIERS)
    return modifies or ZERO_WIDTH_JOINER in (text[at], text[at - 1])
