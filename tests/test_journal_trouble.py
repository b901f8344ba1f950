"""When the disk fails: nothing is acknowledged, and what may pass is waited for."""

import os
import resource
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from journal_rig import EAGER, Told, connecting, fact, facts, failure
from msgspec.structs import replace
from trio.testing import MockClock

from holdfast.io.journal import Journal, open_journal
from holdfast.io.journal_errors import JournalBrokenError
from holdfast.io.journal_rows import Kept
from holdfast.io.journal_schema import FILE_NAME

both_ways = pytest.mark.parametrize("threaded", [True, False])
FINAL = (
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_DIR_FSYNC,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
)
PASSING = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_BUSY_SNAPSHOT,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_READONLY_ROLLBACK,
    sqlite3.SQLITE_CANTOPEN,
)


class Faults:
    """Raises, before each COMMIT, whatever is planned next."""

    def __init__(self) -> None:
        self.planned: list[Exception] = []

    def __call__(self) -> None:
        if self.planned:
            raise self.planned.pop(0)


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
@pytest.mark.parametrize("code", FINAL)
async def test_after_a_failed_fsync_or_damage_nothing_is_tried_again(
    tmp_path: Path, code: int, *, threaded: bool
) -> None:
    faults = Faults()
    async with open_journal(
        tmp_path, threaded=threaded, patience=EAGER, connect=connecting(faults)
    ) as journal:
        await journal.append(fact(1))
        faults.planned = [failure(code)]
        with pytest.raises(JournalBrokenError, match="disk I/O error") as broken:
            await journal.append(fact(2))
        assert str(tmp_path / FILE_NAME) in str(broken.value)
        with pytest.raises(JournalBrokenError):
            await journal.append(fact(2))
        with pytest.raises(JournalBrokenError):
            journal.note(fact(2))
        with pytest.raises(JournalBrokenError):
            await journal.flush()
        assert [row.seq for row in journal.facts("alice")] == [1]


async def test_every_waiter_hears_that_the_journal_broke(tmp_path: Path) -> None:
    heard = 0
    faults = Faults()

    async def append(journal: Journal, account: str) -> None:
        nonlocal heard
        with pytest.raises(JournalBrokenError):
            await journal.append(fact(1, account))
        heard += 1

    async with open_journal(tmp_path, connect=connecting(faults)) as journal:
        faults.planned = [failure(sqlite3.SQLITE_IOERR_FSYNC)]
        async with trio.open_nursery() as nursery:
            for number in range(50):
                nursery.start_soon(append, journal, f"account-{number}")
    assert heard == 50


async def test_a_failed_fsync_of_a_checkpoint_stops_the_journal_too(
    tmp_path: Path,
) -> None:
    class Failing(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if "wal_checkpoint(PASSIVE)" in sql:
                raise failure(sqlite3.SQLITE_IOERR_FSYNC)
            return super().execute(sql, *values)

    body = Kept("body", "body", bytes(20_000_000))
    connect = partial(sqlite3.connect, factory=Failing)
    async with open_journal(tmp_path, connect=connect) as journal:
        # It was durable before the checkpoint, so that much is acknowledged.
        await journal.append(fact(1, kept=(body,)))
        with pytest.raises(JournalBrokenError):
            await journal.append(fact(2))
        assert journal.value("body") == body.value


@both_ways
@pytest.mark.parametrize("seq", [1, 2, 4])
async def test_a_fact_out_of_sequence_is_a_bug_and_ends_it(
    tmp_path: Path, seq: int, *, threaded: bool
) -> None:
    async with open_journal(tmp_path, threaded=threaded) as journal:
        await journal.append(facts(1, 2))
        clear = f"alice: fact {seq} does not follow fact 2"
        with pytest.raises(JournalBrokenError, match=clear):
            await journal.append(fact(seq))
        assert [row.seq for row in journal.facts("alice")] == [1, 2]


async def test_what_was_only_noted_is_not_lost_in_silence(tmp_path: Path) -> None:
    with pytest.raises(JournalBrokenError, match="does not follow"):
        async with open_journal(tmp_path) as journal:
            journal.note(fact(7))


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


async def test_a_bug_in_the_writer_leaves_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", seen.append)
    async with open_journal(tmp_path) as journal:
        with pytest.raises(JournalBrokenError, match="its writer failed"):
            await journal.append(fact(1, offered=("no number",), parts=(None,)))
    assert [args.exc_type for args in seen] == [AttributeError]


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
