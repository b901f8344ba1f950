"""A loop that is never idle must not starve the writer's thread."""

import time
from pathlib import Path

import pytest
import trio
from journal_rig import fact

from holdfast.io.journal import Journal, open_journal

APPENDS = 20
TASK_S = 0.001  # Longer than a look at the sockets, shorter than 5 ms: the worst case.


@pytest.mark.parametrize("tasks", [1, 3])
async def test_a_busy_loop_leaves_the_writer_its_turns(
    tmp_path: Path, tasks: int
) -> None:
    """Unhelped, one append takes a minute; helped, a few milliseconds."""
    async with open_journal(tmp_path) as journal, trio.open_nursery() as nursery:
        for _ in range(tasks):
            nursery.start_soon(never_idle)
        with trio.fail_after(30):
            for seq in range(1, APPENDS + 1):
                await journal.append(fact(seq))
        nursery.cancel_scope.cancel()


async def test_a_busy_loop_can_close_its_journal(tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(never_idle)
        with trio.fail_after(30):
            async with open_journal(tmp_path) as journal:
                journal.note(fact(1))
        nursery.cancel_scope.cancel()


async def test_two_journals_in_one_loop_do_not_disturb_each_other(
    tmp_path: Path,
) -> None:
    async def write(journal: Journal) -> None:
        for seq in range(1, APPENDS + 1):
            await journal.append(fact(seq))

    async with open_journal(tmp_path / "one") as one:
        async with (
            open_journal(tmp_path / "two") as two,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(write, one)
            nursery.start_soon(write, two)
        await one.append(fact(APPENDS + 1))


async def never_idle() -> None:
    while True:
        end_s = time.perf_counter() + TASK_S
        while time.perf_counter() < end_s:
            pass
        await trio.lowlevel.checkpoint()
