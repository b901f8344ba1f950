"""Text: cut what a bot says into parts that a platform takes.

Joining the parts gives the text again, and no part is over either limit. Cuts fall
after a paragraph, a line, a sentence or a word where one ends in the second half of
what fits; else where the limit is, but never inside what a reader sees as one character
(an extended grapheme cluster, Unicode annex 29), unless that alone is over the limit.
"""

from collections.abc import Iterator

import regex

# The stronger the border, the earlier it stands.
BORDERS = (("\n\n",), ("\n",), ("。", "！", "？", ". ", "! ", "? "), (" ", "，", "、"))  # noqa: RUF001 - Chinese punctuation is meant.
CHARACTER = regex.compile(r"\X")


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
    """Move a forced cut back to where a reader would pause, or to a whole character."""
    half = start + (end - start) // 2
    for marks in BORDERS:
        found = max(_after(text, mark, half, end) for mark in marks)
        if found > half:
            return found
    # Whether two code points belong together shows in the second of them at the latest.
    found = start
    for character in CHARACTER.finditer(text[start : end + 1]):
        if start + character.end() > end:
            break
        found = start + character.end()
    return found if found > start else end


def _after(text: str, mark: str, half: int, end: int) -> int:
    """Return where a mark ends that nothing modifies; -1 when there is none."""
    at = text.rfind(mark, half, end)
    while at >= 0 and _is_modified(text, at + len(mark)):
        at = text.rfind(mark, half, at + len(mark) - 1)
    return -1 if at < 0 else at + len(mark)


def _is_modified(text: str, at: int) -> bool:
    """Say whether what follows a mark belongs to it; for marks alone, two tell."""
    first = CHARACTER.match(text[at - 1 : at + 1])
    return first is not None and first.end() > 1
