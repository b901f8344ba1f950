"""Whatever was cut off or changed in a journal's files: what is read was once true.

Either every account stands where its first facts led, messages not done and values
included, or the journal is refused with what to do, and left as it is.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import pytest
from damage_bench import FRAME, PAGE, Bench, chance, commits_of
from damage_rig import (
    FACTS_MAX,
    NAMES,
    Story,
    encode,
    flipped,
    kept_with,
    read_copy,
    write_story,
)
from msgspec import Raw

from holdfast.io.journal_log import FRAME_HEADER_BYTES, HEADER_BYTES
from holdfast.io.journal_schema import FILE_NAME, PLATFORM_OF
from holdfast.io.recovery import Checkpoint

# A log that is emptied now and then, and one that holds everything.
OFTEN, NEVER = 100, 1_000_000
DB_HEADER = 100


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Give a journal whose facts are all in its log."""
    return write_story(tmp_path_factory.mktemp("long"), log_pages_max=NEVER)


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Give a journal whose log was emptied several times, and has a little in it."""
    return write_story(tmp_path_factory.mktemp("short"), log_pages_max=OFTEN)


# Cut.


def test_a_log_cut_at_any_commit_gives_what_was_durable_then(
    long: Story, tmp_path: Path
) -> None:
    bench = Bench(long, tmp_path)
    commits = commits_of(long)
    assert len(commits) > 2 * len(long.moments)
    found = [bench.read(log=long.log[: HEADER_BYTES + it * FRAME]) for it in commits]
    assert found[-1] == bench.refused == 0
    # Each fact is a commit of its own, and so is what it led to.
    assert found == sorted(found, reverse=True)
    assert set(found) == set(range(len(long.moments) + 1))


def test_a_log_cut_inside_a_transaction_gives_what_was_durable_before_it(
    long: Story, tmp_path: Path
) -> None:
    bench, draw = Bench(long, tmp_path), chance()
    commits = commits_of(long)
    for before, after in draw.sample([*pairwise(commits)], 25):
        low, high = HEADER_BYTES + before * FRAME, HEADER_BYTES + after * FRAME
        there = bench.read(log=long.log[:low])
        for place in (low + 1, draw.randrange(low, high), high - 1):
            assert bench.read(log=long.log[:place]) == there
    assert not bench.refused


def test_a_log_cut_inside_its_header_gives_what_the_file_holds(
    long: Story, short: Story, tmp_path: Path
) -> None:
    for story in (long, short):
        bench = Bench(story, tmp_path)
        held = bench.read(log=b"")
        for place in range(HEADER_BYTES + FRAME_HEADER_BYTES):
            assert bench.read(log=story.log[:place]) == held


@pytest.mark.parametrize("with_log", [True, False])
def test_a_file_cut_anywhere_is_refused_or_whole(
    short: Story, tmp_path: Path, *, with_log: bool
) -> None:
    bench, draw = Bench(short, tmp_path), chance()
    log = short.log if with_log else b""
    held = bench.read(log=log)
    size = len(short.main)
    for place in (*range(0, size, PAGE), *draw.sample(range(size), 20)):
        if place or with_log:  # An empty file with nothing beside it is a new one.
            assert bench.read(short.main[:place], log) in (-1, held)
    assert bench.refused > 15


# Changed.


def test_a_changed_byte_in_the_header_is_refused_or_changes_nothing(
    short: Story, tmp_path: Path
) -> None:
    bench = Bench(short, tmp_path)
    held = bench.read(log=b"")
    for place in range(DB_HEADER):
        for flip in (1, 0xA6):
            assert bench.read(flipped(short.main, place, flip), b"") in (-1, held)
    assert bench.refused > DB_HEADER // 2


@pytest.mark.parametrize("with_log", [True, False])
def test_a_changed_byte_in_the_file_is_refused_or_changes_nothing(
    short: Story, tmp_path: Path, *, with_log: bool
) -> None:
    bench, draw = Bench(short, tmp_path), chance()
    log = short.log if with_log else b""
    held = bench.read(log=log)
    for place in draw.sample(range(len(short.main)), 100):
        main = flipped(short.main, place, draw.randrange(1, 256))
        assert bench.read(main, log) in (-1, held)
    assert bench.refused > 15


def test_a_changed_byte_in_the_log_costs_no_more_than_the_last_transactions(
    long: Story, tmp_path: Path
) -> None:
    bench, draw = Bench(long, tmp_path), chance()
    for place in (*range(HEADER_BYTES), *draw.sample(range(len(long.log)), 50)):
        log = flipped(long.log, place, draw.randrange(1, 256))
        assert bench.read(log=log) in (-1, 0)
    end = HEADER_BYTES + commits_of(long)[-1] * FRAME
    for place in draw.sample(range(end - 4 * FRAME, end), 40):
        assert bench.read(log=flipped(long.log, place, 1)) in (-1, 0, 1)
    assert bench.refused > 50


def pages_of(story: Story) -> list[bytes]:
    main = story.main
    return [main[place : place + PAGE] for place in range(0, len(main), PAGE)]


def zeroed(pages: list[bytes]) -> Iterator[list[bytes]]:
    for number in range(len(pages)):
        yield [*pages[:number], bytes(PAGE), *pages[number + 1 :]]


def swapped(pages: list[bytes]) -> Iterator[list[bytes]]:
    for one in range(len(pages) - 1):
        other = one + 1
        yield [*pages[:one], pages[other], pages[one], *pages[other + 1 :]]


def doubled(pages: list[bytes]) -> Iterator[list[bytes]]:
    for one in range(1, len(pages)):
        yield [*pages[:one], pages[one - 1], *pages[one + 1 :]]


@pytest.mark.parametrize("spoil", [zeroed, swapped, doubled])
def test_a_page_that_is_not_where_it_belongs_is_refused_or_changes_nothing(
    short: Story,
    tmp_path: Path,
    spoil: Callable[[list[bytes]], Iterator[list[bytes]]],
) -> None:
    bench = Bench(short, tmp_path)
    held = bench.read(log=b"")
    for pages in spoil(pages_of(short)):
        assert bench.read(b"".join(pages), b"") in (-1, held)
    assert bench.refused > len(pages_of(short)) // 2


@pytest.mark.parametrize("garbage", [b"\0", b"\xa5" * PAGE, b"x" * 3 * FRAME])
def test_garbage_behind_the_end_changes_nothing(
    long: Story, short: Story, tmp_path: Path, garbage: bytes
) -> None:
    for story in (long, short):
        bench = Bench(story, tmp_path)
        assert bench.read(log=story.log + garbage) == 0
        assert bench.read(story.main + garbage) in (-1, 0)


def latest(story: Story) -> Mapping[str, bytes]:
    """Return what stands in rows of every kind, as bytes of the file."""
    past = story.pasts[NAMES[0]]
    state = encode(Checkpoint(past.policy, Raw(encode(past.states[FACTS_MAX]))))
    kept = kept_with(next(fact for fact in past.facts[::-1] if kept_with(fact)))
    return {
        "fact": encode(past.facts[-1].event),
        "commands": encode(past.commands[-1]),
        "value": kept[0].value,
        # Up to a digit, so that it is JSON of the same form afterwards.
        "snapshot": state[: state.index(b"5000") + 3],
        "account": NAMES[1].encode(),
        "platform": f"{PLATFORM_OF}{NAMES[2]}".encode(),
    }


@pytest.mark.parametrize(
    "kind", ["fact", "commands", "value", "snapshot", "account", "platform"]
)
def test_a_letter_changed_in_a_row_of_any_kind_is_noticed(
    long: Story, tmp_path: Path, kind: str
) -> None:
    bench = Bench(long, tmp_path)
    # Closed in order, everything is in the file itself.
    assert read_copy(long, bench.lay(), write=True).moment == long.moments[-1]
    main = (bench.folder / FILE_NAME).read_bytes()
    content = latest(long)[kind]
    found = [it.start() for it in re.finditer(re.escape(content[:900]), main)]
    assert found
    for place in found:
        main = flipped(main, place + min(len(content), 900) - 3, 1)
    assert bench.read(main, b"") == -1
