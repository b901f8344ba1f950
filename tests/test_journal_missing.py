"""A journal of whose files one is missing, or is something else.

Nothing is taken for an empty journal but one that is, and nothing is deleted.
"""

import os
import shutil
from pathlib import Path

import pytest
from damage_bench import FRAME, NOTHING, Bench, chance, commits_of
from damage_rig import Story, flipped, read_copy, write_story

from holdfast.io.journal_errors import JournalUnreadableError
from holdfast.io.journal_log import HEADER_BYTES, log_path
from holdfast.io.journal_read import JournalReader
from holdfast.io.journal_schema import FILE_NAME

# A log that is emptied now and then, and one that holds everything.
OFTEN, NEVER = 100, 1_000_000


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Give a journal whose facts are all in its log."""
    return write_story(tmp_path_factory.mktemp("long"), log_pages_max=NEVER)


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Give a journal whose log was emptied several times, and has a little in it."""
    return write_story(tmp_path_factory.mktemp("short"), log_pages_max=OFTEN)


def test_without_its_log_a_journal_is_what_the_file_holds(
    short: Story, tmp_path: Path
) -> None:
    bench = Bench(short, tmp_path)
    bench.lay()
    log_path(bench.folder / FILE_NAME).unlink()
    assert read_copy(short, bench.folder).moment in short.moments


@pytest.mark.parametrize("stale", [b"", b"\0" * 32_768, b"\xa5" * 32_768])
def test_an_old_index_of_the_log_is_made_anew(
    long: Story, tmp_path: Path, stale: bytes
) -> None:
    bench = Bench(long, tmp_path)
    for index in (stale, (long.folder / f"{FILE_NAME}-shm").read_bytes()):
        bench.lay(log=long.log[: HEADER_BYTES + commits_of(long)[50] * FRAME])
        (bench.folder / f"{FILE_NAME}-shm").write_bytes(index)
        reading = read_copy(long, bench.folder)
        assert reading.moment == long.moments[long.moments.index(reading.moment)]


@pytest.mark.parametrize("write", [True, False])
def test_a_log_without_its_file_is_refused_and_not_deleted(
    long: Story, tmp_path: Path, *, write: bool
) -> None:
    bench = Bench(long, tmp_path)
    bench.lay(main=b"")
    refused = read_copy(long, bench.folder, write=write).refused
    assert f"is empty, but {FILE_NAME}-wal beside it is not" in refused
    # The way out: the file is put back.
    (bench.folder / FILE_NAME).write_bytes(long.main)
    assert read_copy(long, bench.folder, write=write).moment == long.moments[-1]
    # The other one: the log is moved away, and an empty journal is begun.
    bench.lay(main=b"")
    log_path(bench.folder / FILE_NAME).rename(tmp_path / "moved")
    assert read_copy(long, bench.folder, write=True).moment == NOTHING


@pytest.mark.parametrize("write", [True, False])
def test_a_directory_in_its_place_is_refused_and_left_alone(
    long: Story, tmp_path: Path, *, write: bool
) -> None:
    bench = Bench(long, tmp_path)
    bench.lay()
    (bench.folder / FILE_NAME).unlink()
    (bench.folder / FILE_NAME).mkdir(mode=0o755)
    (bench.folder / FILE_NAME / "theirs").write_text("keep me")
    mode = (bench.folder / FILE_NAME).stat().st_mode
    assert read_copy(long, bench.folder, write=write).refused
    assert (bench.folder / FILE_NAME).stat().st_mode == mode
    # The way out: it is moved away.
    (bench.folder / FILE_NAME).rename(tmp_path / "moved")
    (bench.folder / FILE_NAME).write_bytes(long.main)
    assert read_copy(long, bench.folder, write=write).moment == long.moments[-1]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", [FILE_NAME, f"{FILE_NAME}-wal"])
def test_a_file_that_may_not_be_read_is_named(
    long: Story, tmp_path: Path, name: str
) -> None:
    bench = Bench(long, tmp_path)
    (bench.lay() / name).chmod(0)
    with pytest.raises(JournalUnreadableError, match="cannot be opened: check"):
        JournalReader(bench.folder)
    (bench.folder / name).chmod(0o600)
    assert read_copy(long, bench.folder).moment == long.moments[-1]


def test_a_writer_goes_on_where_a_crash_left_off_and_refuses_what_is_damaged(
    long: Story, short: Story, tmp_path: Path
) -> None:
    draw = chance()
    for story in (long, short):
        bench = Bench(story, tmp_path)
        for cut in draw.sample(commits_of(story)[:-1], 4):
            bench.lay(log=story.log[: HEADER_BYTES + cut * FRAME + 100])
            first = read_copy(story, bench.folder).moment
            assert read_copy(story, bench.folder, write=True).moment == first
            # Closed in order, it has no log any more.
            assert not log_path(bench.folder / FILE_NAME).exists()
            assert read_copy(story, bench.folder).moment == first
        for place in draw.sample(range(len(story.main)), 15):
            bench.lay(main=flipped(story.main, place, 0x55))
            shutil.copytree(bench.folder, tmp_path / "same", dirs_exist_ok=True)
            seen = read_copy(story, bench.folder).refused
            assert read_copy(story, tmp_path / "same", write=True).refused == (
                seen.replace(str(bench.folder), str(tmp_path / "same"))
            )
