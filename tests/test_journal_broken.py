"""When trying again would lie: the journal stops, and everybody hears of it."""

import sqlite3
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from journal_rig import EAGER, Faults, connecting, fact, facts, failure

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


async def test_a_bug_in_the_writer_leaves_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", seen.append)
    async with open_journal(tmp_path) as journal:
        with pytest.raises(JournalBrokenError, match="its writer failed"):
            await journal.append(fact(1, offered=("no number",), parts=(None,)))
    assert [args.exc_type for args in seen] == [AttributeError]
