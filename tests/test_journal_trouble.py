"""When the disk fails: nothing is acknowledged, and what may pass is waited for."""

import os
import resource
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trio
from journal_rig import EAGER, Faults, Gate, Told, connecting, fact, facts, failure
from msgspec.structs import replace
from trio.testing import MockClock

from holdfast.io import journal_thread
from holdfast.io.journal import open_journal
from holdfast.io.journal_errors import JournalBrokenError
from holdfast.io.journal_rows import Kept
from holdfast.io.journal_schema import FILE_NAME

both_ways = pytest.mark.parametrize("threaded", [True, False])
PASSING = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_BUSY_SNAPSHOT,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_READONLY_ROLLBACK,
    sqlite3.SQLITE_CANTOPEN,
)


def large(seq: int) -> Any:
    return fact(seq, kept=(Kept(f"body-{seq}", "body", bytes(100_000)),))


@both_ways
async def test_a_full_database_is_waited_for(tmp_path: Path, *, threaded: bool) -> None:
    connections: list[sqlite3.Connection] = []

    def connect(*values: Any, **more: Any) -> sqlite3.Connection:
        connections.append(sqlite3.connect(*values, **more))
        return connections[-1]

    told = Told()
    async with open_journal(
        tmp_path, threaded=threaded, patience=EAGER, on_trouble=told, connect=connect
    ) as journal:
        await journal.append(fact(1))
        connections[0].execute("PRAGMA max_page_count = 30")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(journal.append, large(2))
            text = await told.next()
            assert text == journal.trouble
            assert text is not None
            assert "the disk is full" in text
            assert str(tmp_path / FILE_NAME) in text
            assert [row.seq for row in journal.facts("alice")] == [1]
            connections[0].execute("PRAGMA max_page_count = 1000000")
        assert await told.next() is None
        assert journal.trouble is None
        assert [row.seq for row in journal.facts("alice")] == [1, 2]
        assert journal.value("body-2") == bytes(100_000)


@asynccontextmanager
async def small_disk(folder: Path) -> AsyncIterator[None]:
    """Mount a disk of 1 MiB there, or skip the test where that is not allowed."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or (await trio.run_process(mount, check=False)).returncode:
        pytest.skip("mounting a small disk is not allowed here")
    try:
        yield
    finally:
        with trio.CancelScope(shield=True):
            await trio.run_process(["umount", str(folder)])


async def test_a_full_disk_is_waited_for(tmp_path: Path) -> None:
    told = Told()
    async with (
        small_disk(tmp_path),
        open_journal(tmp_path, patience=EAGER, on_trouble=told) as journal,
    ):
        ballast = tmp_path / "ballast"
        fill(ballast)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(journal.append, large(1))
            text = await told.next()
            assert text is not None
            assert "the disk is full" in text
            ballast.unlink()
        assert await told.next() is None
        assert journal.value("body-1") == bytes(100_000)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


async def test_a_refused_write_is_waited_for(tmp_path: Path) -> None:
    """The kernel refuses to let any file of this process grow: EFBIG."""
    told = Told()
    async with open_journal(tmp_path, patience=EAGER, on_trouble=told) as journal:
        await journal.append(fact(1))
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(journal.append, large(2))
                text = await told.next()
                assert text is not None
                assert "the disk answers with errors" in text
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert await told.next() is None
        assert journal.value("body-2") == bytes(100_000)


async def test_another_programs_lock_is_waited_for(tmp_path: Path) -> None:
    told = Told()
    async with open_journal(tmp_path, patience=EAGER, on_trouble=told) as journal:
        with locked(tmp_path):
            async with trio.open_nursery() as nursery:
                for seq in (1, 2, 3):
                    journal.note(fact(seq))
                nursery.start_soon(journal.append, fact(4))
                text = await told.next()
                assert text is not None
                assert "another program holds the database locked" in text
                nursery.cancel_scope.cancel()
        assert await told.next() is None
        await journal.flush()
        assert [row.seq for row in journal.facts("alice")] == [1, 2, 3, 4]


async def test_inline_waiting_passes_in_virtual_time(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with open_journal(tmp_path, threaded=False) as journal:
        with locked(tmp_path):
            with trio.move_on_after(3_600):
                await journal.append(fact(1))
            assert journal.trouble is not None
            assert journal.facts("alice") == []
        await journal.append(fact(2))
        assert journal.trouble is None
        assert [row.seq for row in journal.facts("alice")] == [1, 2]
    assert autojump_clock.current_time() - trio.current_time() < 1e-6
    assert trio.current_time() >= 3_600


@both_ways
@pytest.mark.parametrize("code", PASSING)
async def test_what_may_pass_is_tried_again_and_told_once(
    tmp_path: Path, code: int, *, threaded: bool
) -> None:
    faults = Faults()
    told: list[str | None] = []
    async with open_journal(
        tmp_path,
        threaded=threaded,
        patience=EAGER,
        on_trouble=told.append,
        connect=connecting(faults),
    ) as journal:
        faults.planned = [failure(code), failure(code), failure(code)]
        await journal.append(facts(1, 5))
        await journal.append(facts(6, 9))
        assert [row.seq for row in journal.facts("alice")] == [*range(1, 10)]
    assert len(told) == 2
    assert told[1] is None


@both_ways
async def test_closing_in_trouble_gives_up_in_the_end(
    tmp_path: Path, *, threaded: bool
) -> None:
    patience = replace(EAGER, close_s_max=0.05)
    async with open_journal(tmp_path):
        pass
    with (
        locked(tmp_path),
        pytest.raises(JournalBrokenError, match=r"closed, but .*lock"),
    ):
        async with open_journal(
            tmp_path, threaded=threaded, patience=patience
        ) as journal:
            journal.note(fact(1))
    async with open_journal(tmp_path) as journal:
        await journal.append(fact(1))


async def test_a_disk_that_never_answers_does_not_keep_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    patience = replace(EAGER, close_s_max=0.01)
    connect = connecting(gate)
    async with open_journal(tmp_path, patience=patience, connect=connect) as journal:
        gate.shut()
        journal.note(fact(1))
        await gate.reached()
        with monkeypatch.context() as impatient:
            impatient.setattr(journal_thread, "DYING_S_MAX", 0.01)
            with pytest.raises(JournalBrokenError, match="the disk did not answer"):
                await journal.aclose()
        gate.open()
    async with open_journal(tmp_path) as journal:
        assert journal.first_seq("alice") == 1


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let another connection hold the lock for writing."""
    connection = sqlite3.connect(folder / FILE_NAME, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()
