"""A journal of an older release is read as it is, and upgraded by whoever writes it."""

import shutil
import sqlite3
from pathlib import Path

import pytest
from damage_rig import Story, read_copy, write_story

from holdfast.io.journal_schema import FILE_NAME
from holdfast.io.journal_sums import SUMS

# Version 1 had no checksums; otherwise it was the same.
COLUMNS = [(table, column) for table, sums in SUMS.items() for column in sums]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return write_story(tmp_path_factory.mktemp("old"), log_pages_max=1_000_000)


@pytest.fixture
def old(story: Story, tmp_path: Path) -> Path:
    """Give a copy as version 1 would have written it."""
    folder = tmp_path / "old"
    shutil.copytree(story.folder, folder)
    connection = sqlite3.connect(folder / FILE_NAME, isolation_level=None)
    for table, column in COLUMNS:
        connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    connection.execute("UPDATE meta SET value = 1 WHERE name = 'schema'")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    return folder


def version_of(folder: Path) -> int:
    connection = sqlite3.connect(folder / FILE_NAME)
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()
    return version


def test_a_reader_reads_an_old_journal_and_leaves_it_old(
    story: Story, old: Path
) -> None:
    assert read_copy(story, old).moment == story.moments[-1]
    assert version_of(old) == 1


def test_a_writer_upgrades_an_old_journal_once(story: Story, old: Path) -> None:
    for _ in range(2):
        assert read_copy(story, old, write=True).moment == story.moments[-1]
        assert version_of(old) == 2
        assert read_copy(story, old).moment == story.moments[-1]
    connection = sqlite3.connect(old / FILE_NAME)
    for table in ("account", "fact", "snapshot", "meta"):
        query = f"SELECT count(*) FROM {table} WHERE checksum IS NULL"  # noqa: S608 - our own names
        assert connection.execute(query).fetchone() == (0,)
    connection.close()


def test_an_old_journal_that_is_damaged_is_not_upgraded(
    story: Story, old: Path
) -> None:
    path = old / FILE_NAME
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    refused = read_copy(story, old, write=True).refused
    assert "is damaged" in refused
    assert path.read_bytes() == content[: len(content) // 2]
