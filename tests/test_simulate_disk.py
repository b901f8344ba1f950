"""The simulated disk keeps what was promised, and only that for certain."""

import random
import sqlite3
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from holdfast.io.journal import open_journal
from holdfast.io.journal_errors import JournalBrokenError, JournalUnreadableError
from holdfast.io.journal_read import JournalReader
from holdfast.io.journal_rows import Entry
from holdfast.replay.simulate.disk import Disk

ALICE = "alice"


def disk(folder: Path, seed: int = 1, *, lies: bool = False) -> Disk:
    chance = random.Random(seed)  # noqa: S311 - it must repeat.
    return Disk(folder / f"{seed}", chance, lies=lies)


def fact(seq: int) -> Entry:
    return Entry(ALICE, facts=((seq, seq, b"x" * 1_000),))


def commands(seq: int) -> Entry:
    return Entry(ALICE, commands=((seq, b"y" * 2_000),))


def found(it: Disk) -> list[tuple[int, bool]]:
    """Return which facts are there, and whether their commands are."""
    with JournalReader(it.data_dir) as reader:
        return [(row.seq, row.commands is not None) for row in reader.facts(ALICE)]


async def write(it: Disk, facts: int, *, power: bool) -> None:
    """Append and note so many facts, note nothing for the last, and crash."""
    async with open_journal(it.data_dir, threaded=False, connect=it.connect) as journal:
        for seq in range(1, facts + 1):
            await journal.append(fact(seq))
            journal.note(commands(seq))
        it.crash(power=power)


async def test_a_killed_process_loses_nothing_that_it_wrote(tmp_path: Path) -> None:
    it = disk(tmp_path)
    await write(it, 9, power=False)
    assert found(it) == [(seq, True) for seq in range(1, 10)]


async def test_without_power_every_promise_is_kept_and_notes_may_go(
    tmp_path: Path,
) -> None:
    lost = 0
    for seed in range(20):
        it = disk(tmp_path, seed)
        await write(it, 9, power=True)
        rows = found(it)
        assert [seq for seq, _ in rows] == [*range(1, 10)]
        assert all(noted for _, noted in rows[:-1])
        lost += not rows[-1][1]
    assert 0 < lost < 20


async def test_a_crash_before_anything_is_written_loses_nothing(tmp_path: Path) -> None:
    for seed in range(10):
        it = disk(tmp_path, seed)
        await write(it, 9, power=False)
        async with open_journal(it.data_dir, threaded=False, connect=it.connect):
            it.crash(power=True)
        assert len(found(it)) == 9


async def test_a_disk_that_lies_loses_what_it_promised(tmp_path: Path) -> None:
    kept, refused = [], 0
    for seed in range(10):
        it = disk(tmp_path, seed, lies=True)
        await write(it, 9, power=True)
        try:
            kept.append(len(found(it)))
        except JournalUnreadableError:
            refused += 1
    assert min(kept) < 9
    # A hole amid what was synced is seen when the journal is opened.
    assert refused


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY])
async def test_a_commit_that_fails_is_tried_again(
    tmp_path: Path, autojump_clock: MockClock, code: int
) -> None:
    it = disk(tmp_path)
    async with open_journal(it.data_dir, threaded=False, connect=it.connect) as journal:
        it.fail(code, 3)
        await journal.append(fact(1))
        assert autojump_clock.current_time() == pytest.approx(0.1 + 0.2 + 0.4)
    assert len(found(it)) == 1


async def test_after_a_failed_sync_nothing_is_written_any_more(tmp_path: Path) -> None:
    kept = set()
    for seed in range(30):
        it = disk(tmp_path, seed)
        with pytest.raises(JournalBrokenError):  # noqa: PT012 - closing raises it, too.
            async with open_journal(
                it.data_dir, threaded=False, connect=it.connect
            ) as journal:
                await journal.append(fact(1))
                journal.note(commands(1))
                it.break_sync()
                await journal.append(fact(2))
        await trio.lowlevel.checkpoint()
        kept.add(len(found(it)))
    assert kept == {1, 2}


async def test_one_seed_gives_one_journal(tmp_path: Path) -> None:
    digests = set()
    for place in ("a", "b"):
        it = disk(tmp_path / place)
        await write(it, 9, power=True)
        digests.add(it.digest())
    assert len(digests) == 1
