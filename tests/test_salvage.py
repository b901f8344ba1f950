"""The way out of a damaged journal: what is named in the error works."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from damage_rig import (
    FACTS_MAX,
    NAMES,
    Story,
    damaged_copy,
    encode,
    files_of,
    flipped,
    read_copy,
    write_story,
)
from test_cli import COMMAND, process

from holdfast.io.journal_log import HEADER_BYTES
from holdfast.io.journal_salvage import salvage
from holdfast.io.journal_schema import FILE_NAME
from holdfast.replay.cli import main

PAGE = 4096
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return write_story(tmp_path_factory.mktemp("short"), log_pages_max=100)


def holdfast(*words: str | Path) -> Result:
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert "Traceback" not in done.output
    return done


def spoiled_fact(story: Story, folder: Path) -> Path:
    """Close a copy in order, then change a letter of the newest fact of an account."""
    data = damaged_copy(story, folder, story.main, story.log)
    assert read_copy(story, data, write=True).moment == story.moments[-1]
    path = data / FILE_NAME
    event = encode(story.pasts[NAMES[0]].facts[-1].event)
    content = path.read_bytes()
    path.write_bytes(flipped(content, content.index(event) + len(event) - 3, 1))
    return data


def configured(folder: Path, data: Path) -> Path:
    config = folder / "holdfast.toml"
    config.write_text(
        f"""[service]
data_dir = "{data}"
[accounts.{NAMES[0]}]
platform = "weixin"
base_url = "{NOWHERE}"
token = "t"
[accounts.{NAMES[2]}]
platform = "qq"
app_id = "1"
secret = "s"
api_url = "{NOWHERE}"
token_url = "{NOWHERE}"
"""
    )
    return config


def test_every_command_refuses_a_damaged_journal_and_names_a_way_out_that_works(
    story: Story, tmp_path: Path
) -> None:
    data = spoiled_fact(story, tmp_path / "data")
    config = configured(tmp_path, data)
    path = data / FILE_NAME
    before = files_of(data)
    run = process([*COMMAND, "run", "--config", str(config)])
    assert run.returncode == 4
    told = [run.stderr.decode()]
    export = ("export", "--config", config, "--account", NAMES[0], "-o", data / "x")
    for words in (("replay", data), ("replay", path), ("show", data), export):
        done = holdfast(*words)
        assert done.exit_code == 4, words
        told.append(done.stdout + done.stderr)
    for text in told:
        assert f"{path} is damaged: fact {FACTS_MAX} of {NAMES[0]} does not fit" in text
        assert f"holdfast salvage {data} -o NEW" in text
        assert "Traceback" not in text
    assert files_of(data) == before


def test_the_way_out_that_is_named_works(story: Story, tmp_path: Path) -> None:
    data, new = spoiled_fact(story, tmp_path / "data"), tmp_path / "new"
    path = data / FILE_NAME
    before = files_of(data)
    done = holdfast("salvage", data, "-o", new)
    assert done.exit_code == 0, done.output
    assert f"account {NAMES[0]}: saved facts 1 to {FACTS_MAX - 1}" in done.stdout
    assert files_of(data) == before
    # As it says: the old files are moved away, the new one comes in their place.
    assert f"move {path}* to a safe place, then {new / FILE_NAME} to {path}" in (
        done.stderr
    )
    (tmp_path / "safe").mkdir()
    for file in data.glob(f"{FILE_NAME}*"):
        file.rename(tmp_path / "safe" / file.name)
    (new / FILE_NAME).rename(path)
    moment = read_copy(story, data).moment
    assert moment == story.moments[-5]  # All before the fact that was changed.
    assert holdfast("replay", data).exit_code == 0
    assert read_copy(story, data, write=True).moment == moment


def test_a_backup_put_back_is_read(story: Story, tmp_path: Path) -> None:
    data = spoiled_fact(story, tmp_path / "data")
    assert read_copy(story, data).refused
    for file in (FILE_NAME, f"{FILE_NAME}-wal"):
        shutil.copy(story.folder / file, data)
    assert read_copy(story, data).moment == story.moments[-1]


def pages(content: bytes, place: int) -> bytes:
    begin = place // PAGE * PAGE
    return content[:begin] + bytes(PAGE) + content[begin + PAGE :]


def one_byte(content: bytes, place: int) -> bytes:
    return flipped(content, place, 0x55)


def cut(content: bytes, place: int) -> bytes:
    return content[:place]


@pytest.mark.parametrize("spoil", [one_byte, pages, cut])
def test_what_is_saved_of_any_damaged_file_was_once_true(
    story: Story, tmp_path: Path, spoil: Callable[[bytes, int], bytes]
) -> None:
    draw = random.Random(3)  # noqa: S311 - places to look at, not secrets.
    saved = 0
    for number in range(30):
        place = draw.randrange(len(story.main))
        content = spoil(story.main, place)
        data = damaged_copy(story, tmp_path / "data", content, b"")
        if not read_copy(story, data).refused:
            continue
        new = tmp_path / f"new-{number}"
        done = holdfast("salvage", data, "-o", new)
        if done.exit_code:
            assert done.exit_code == 4
            assert f"{FILE_NAME} " in done.stderr
            assert not (new / FILE_NAME).exists()
        else:
            saved += 1
            assert not read_copy(story, new, saved=True).refused
    assert saved > 4


def test_of_a_damaged_log_its_sound_beginning_is_saved(
    story: Story, tmp_path: Path
) -> None:
    log = flipped(story.log, HEADER_BYTES + 10, 1)
    data = damaged_copy(story, tmp_path / "data", story.main, log)
    assert f"{FILE_NAME}-wal cannot be read" in read_copy(story, data).refused
    salvage(data, tmp_path / "new")
    held = damaged_copy(story, tmp_path / "held", story.main, None)
    there = read_copy(story, held).moment
    assert read_copy(story, tmp_path / "new").moment == there


def test_a_whole_journal_is_saved_whole(story: Story, tmp_path: Path) -> None:
    salvage(story.folder, tmp_path / "new")
    assert read_copy(story, tmp_path / "new").moment == story.moments[-1]


def test_nothing_is_written_over_and_nothing_else_is_taken_for_a_journal(
    story: Story, tmp_path: Path
) -> None:
    done = holdfast("salvage", story.folder, "-o", story.folder)
    assert done.exit_code == 2
    assert "is there already" in done.stderr
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / FILE_NAME).write_bytes(b"no journal" * 1_000)
    done = holdfast("salvage", tmp_path / "other", "-o", tmp_path / "new")
    assert done.exit_code == 4
    assert "put a backup back, or move it" in done.stderr
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / FILE_NAME).touch()
    done = holdfast("salvage", tmp_path / "empty", "-o", tmp_path / "new")
    assert done.exit_code == 4


def test_what_is_no_journal_is_refused_and_nothing_is_left_behind(
    tmp_path: Path,
) -> None:
    folder, text = tmp_path / "folder", tmp_path / "notes.md"
    folder.mkdir()
    text.write_text("# Notes")
    for path in (folder, text):
        done = holdfast("salvage", path, "-o", tmp_path / "new" / "deep")
        assert done.exit_code == 4
        assert "is no journal: name a data folder" in done.stderr
    assert sorted(tmp_path.rglob("*")) == [folder, text]


def test_where_nothing_can_be_saved_no_folder_is_left_behind(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / FILE_NAME).write_bytes(b"garbage" * 1_000)
    done = holdfast("salvage", data, "-o", tmp_path / "new" / "deep")
    assert done.exit_code == 4
    assert "holds nothing that can be saved" in done.stderr
    assert not (tmp_path / "new").exists()
