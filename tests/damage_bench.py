"""A place for damaged copies of a story, and the score of what was read of them."""

import random
from pathlib import Path

from damage_rig import NAMES, Story, damaged_copy, read_copy

from holdfast.io.journal_log import FRAME_HEADER_BYTES, read_log
from holdfast.io.journal_schema import FILE_NAME

PAGE = 4096
FRAME = FRAME_HEADER_BYTES + PAGE
NOTHING = (0,) * len(NAMES)


class Bench:
    """One place for copies, and how many of them were read, refused, or fell behind."""

    def __init__(self, story: Story, folder: Path) -> None:
        self.story = story
        self.folder = folder / "copy"
        self.whole = self.refused = self.behind = 0

    def lay(self, main: bytes | None = None, log: bytes | None = None) -> Path:
        story = self.story
        main = story.main if main is None else main
        return damaged_copy(story, self.folder, main, story.log if log is None else log)

    def read(self, main: bytes | None = None, log: bytes | None = None) -> int:
        """Return how many moments of the past are missing; -1: refused."""
        self.lay(main, log)
        reading = read_copy(self.story, self.folder)
        if reading.refused:
            self.refused += 1
            return -1
        missing = len(self.story.moments) - 1 - self._index(reading.moment)
        self.whole += not missing
        self.behind += missing > 0
        return missing

    def _index(self, moment: tuple[int, ...]) -> int:
        return -1 if moment == NOTHING else self.story.moments.index(moment)


def chance() -> random.Random:
    return random.Random(7)  # noqa: S311 - places to look at, not secrets.


def commits_of(story: Story) -> tuple[int, ...]:
    log = read_log(story.folder / FILE_NAME)
    assert log is not None
    return log.commits
