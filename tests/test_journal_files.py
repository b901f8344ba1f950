"""The journal's files: who may open them, and what is refused."""

import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from journal_rig import fact, facts, shot

from holdfast.io.journal import open_journal
from holdfast.io.journal_errors import (
    DataFolderInUseError,
    JournalTooNewError,
    JournalUnreadableError,
)
from holdfast.io.journal_read import JournalReader
from holdfast.io.journal_rows import Entry
from holdfast.io.journal_schema import FILE_NAME
from holdfast.io.journal_upgrade import SCHEMA_VERSION

NOBODY = 65534


async def test_a_reader_may_look_at_one_moment(tmp_path: Path) -> None:
    async with open_journal(tmp_path) as journal:
        await journal.append(facts(1, 10, snapshot=shot(10)))
        with JournalReader(tmp_path) as reader:
            with reader.moment():
                assert reader.last("alice") is not None
                await journal.append(facts(11, 20))
                assert await journal.prune("alice", bytes_max=0) == 10
                assert [row.seq for row in reader.facts("alice")] == [*range(1, 11)]
            assert [row.seq for row in reader.facts("alice")] == [*range(11, 21)]


async def test_a_reader_takes_the_folder_or_the_file_after_the_end(
    tmp_path: Path,
) -> None:
    async with open_journal(tmp_path) as journal:
        await journal.append(fact(1))
    for path in (tmp_path, tmp_path / FILE_NAME):
        with JournalReader(path) as reader:
            assert reader.key == journal.key
            assert reader.first_seq("alice") == 1


async def test_a_second_opener_is_refused_also_in_one_process(tmp_path: Path) -> None:
    async with open_journal(tmp_path) as journal:
        with pytest.raises(DataFolderInUseError, match="in use") as refused:
            async with open_journal(tmp_path):
                pass
        assert refused.value.folder == tmp_path
        await journal.append(fact(1))
    async with open_journal(tmp_path) as journal:
        assert journal.first_seq("alice") == 1


async def test_all_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "here"
    before = os.umask(0)
    try:
        async with open_journal(folder) as journal:
            await journal.append(fact(1))
            modes = {path.name: mode_of(path) for path in folder.iterdir()}
    finally:
        os.umask(before)
    assert mode_of(folder) == 0o700
    names = [FILE_NAME, f"{FILE_NAME}-shm", f"{FILE_NAME}-wal", "holdfast.lock"]
    assert modes == dict.fromkeys(names, 0o600)


async def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    async with open_journal(tmp_path):
        pass
    (tmp_path / FILE_NAME).chmod(0o644)
    async with open_journal(tmp_path):
        assert mode_of(tmp_path / FILE_NAME) == 0o600


async def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    newer = SCHEMA_VERSION + 1
    async with open_journal(tmp_path):
        pass
    change(tmp_path / FILE_NAME, f"PRAGMA user_version = {newer}")
    before = (tmp_path / FILE_NAME).read_bytes()
    with pytest.raises(JournalTooNewError) as refused:
        async with open_journal(tmp_path):
            pass
    error = refused.value
    assert (error.found, error.supported) == (newer, SCHEMA_VERSION)
    assert str(tmp_path / FILE_NAME) in str(error)
    assert (tmp_path / FILE_NAME).read_bytes() == before
    with pytest.raises(JournalTooNewError):
        JournalReader(tmp_path)


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    path.write_text("hello, this is a text of more than a hundred bytes. " * 50)
    await assert_unreadable(tmp_path, "is not a journal: move it away")
    assert path.read_text().startswith("hello")


async def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    change(tmp_path / FILE_NAME, "CREATE TABLE theirs (x)")
    await assert_unreadable(tmp_path, "another program")


async def test_a_torn_file_is_refused(tmp_path: Path) -> None:
    async with open_journal(tmp_path) as journal:
        await journal.append(facts(1, 100))
    path = tmp_path / FILE_NAME
    path.write_bytes(path.read_bytes()[:4096] + b"\xa5" * 4096 * 10)
    await assert_unreadable(tmp_path, "is damaged")


async def test_a_journal_with_missing_tables_is_refused(tmp_path: Path) -> None:
    async with open_journal(tmp_path):
        pass
    change(tmp_path / FILE_NAME, "DROP TABLE meta")
    await assert_unreadable(tmp_path, "no such table: meta")


async def test_damage_that_comes_while_it_is_open_is_named_too(tmp_path: Path) -> None:
    async with open_journal(tmp_path) as journal:
        await journal.append(facts(1, 2_000))
    path = tmp_path / FILE_NAME
    whole = path.read_bytes()
    async with open_journal(tmp_path) as journal:
        path.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2))
        with pytest.raises(JournalUnreadableError, match="is damaged"):
            journal.facts("alice", limit=2_000)


def test_a_reader_makes_no_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalUnreadableError, match="cannot be opened"):
        JournalReader(tmp_path)
    (tmp_path / FILE_NAME).touch()
    with pytest.raises(JournalUnreadableError, match="is empty"):
        JournalReader(tmp_path)


async def test_a_file_left_empty_by_a_crash_becomes_a_journal(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).touch()
    async with open_journal(tmp_path) as journal:
        await journal.append(fact(1))
        assert journal.first_seq("alice") == 1


async def test_a_copy_on_a_read_only_disk_can_be_read(tmp_path: Path) -> None:
    async with open_journal(tmp_path) as journal:
        await journal.append(fact(1))
    with read_only_copy(tmp_path / FILE_NAME) as copy, as_nobody():
        reader = JournalReader(copy)
        assert reader.first_seq("alice") == 1
        reader.close()


async def test_the_newest_seq_is_known_to_the_next_process(tmp_path: Path) -> None:
    async with open_journal(tmp_path) as journal:
        await journal.append(facts(1, 3))
    async with open_journal(tmp_path) as journal:
        await journal.append(Entry("alice", commands=((2, b"[]"),)))
        await journal.append(fact(4))
        assert [row.seq for row in journal.facts("alice")] == [1, 2, 3, 4]


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def change(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(statement)
    connection.close()


@contextmanager
def read_only_copy(file: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(file, folder)
        (folder / file.name).chmod(0o444)
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o700)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Lose the right to write everywhere, which only root has."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


async def assert_unreadable(folder: Path, advice: str) -> None:
    """Neither a writer nor a reader takes it; both name the file and what to do."""
    with pytest.raises(JournalUnreadableError, match=advice) as refused:
        async with open_journal(folder):
            pass
    assert str(folder / FILE_NAME) in str(refused.value)
    with pytest.raises(JournalUnreadableError, match=advice):
        JournalReader(folder)
