"""A journal row that says what no release knows: an error that names the fact."""

from pathlib import Path

import msgspec
import pytest
import trio
from click.testing import CliRunner
from fuzz_rig import anything
from hypothesis import example, given, settings
from hypothesis import strategies as st
from journal_rig import START_MS

from holdfast.core import qq, weixin
from holdfast.core.events import Event, Started
from holdfast.io.journal import open_journal
from holdfast.io.journal_read import JournalReader
from holdfast.io.journal_rows import Entry, Snapshot
from holdfast.io.platforms import PLATFORMS
from holdfast.io.recovery import RecoveryError, recover
from holdfast.replay.cli import main

STARTED = msgspec.json.encode(Started(7, "0.1.0", weixin.POLICY))
EVENTS = [
    {"type": "poll_answered", "epoch": 1, "ret": -14, "errmsg": "session timeout"},
    {"type": "timer_fired", "name": "session.retry", "due_ms": 1},
    {"type": "started", "seed": 7, "version": "1", "policy": {"session": {}}},
    {"type": "socket_closed", "epoch": 1, "kind": "closed", "code": 4009},
]
SHOTS = [
    {"policy": {}, "state": {"seed": 1, "epoch": 2}},
    {"policy": {}, "state": {"session": {"phase": "active"}, "outbox": {}}},
]
rows = anything(EVENTS)
noted = st.none() | anything([[{"type": "poll", "epoch": 1}], []])

# Each example waits for the disk several times.
few = settings(max_examples=settings().max_examples // 4)


async def write(folder: Path, platform: str, entry: Entry) -> None:
    async with open_journal(folder, threaded=False) as journal:
        await journal.assign("alice", platform)
        await journal.append(entry)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rows")


def fresh(folders: Path) -> Path:
    for file in folders.glob("journal*"):
        file.unlink()
    return folders


def is_event(raw: bytes) -> bool:
    try:
        msgspec.json.decode(raw, type=Event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


@few
@given(rows, noted, st.sampled_from([weixin.PLATFORM, qq.PLATFORM]))
@example(b"[" * 5_000, None, "weixin")
@example(b'{"type":"\xff"}', b"{", "qq")
def test_a_fact_that_cannot_be_read_is_named_by_every_command(
    folders: Path, event: bytes, commands: bytes | None, platform: str
) -> None:
    folder = fresh(folders)
    facts = ((1, START_MS, STARTED), (2, START_MS, event))
    known = () if commands is None else ((2, commands),)
    trio.run(write, folder, platform, Entry("alice", facts, commands=known))
    readable = is_event(event)
    words = "account alice: fact 2 cannot be read: "
    with JournalReader(folder) as reader:
        try:
            recover(reader, "alice", PLATFORMS[platform], weixin.POLICY)
        except RecoveryError as error:
            text = str(error)
        else:
            text = ""
    assert (words in text) is not readable
    for command in ("replay", "show"):
        done = CliRunner().invoke(main, [command, str(folder)])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code in ({0, 1, 4} if readable else {4})
        if not readable:
            assert words in done.output
            assert "release" in done.output


@few
@given(anything(SHOTS), st.sampled_from([weixin.PLATFORM, qq.PLATFORM]))
@example(b'{"policy":{},"state":' + b"[" * 5_000, "weixin")
def test_a_state_that_cannot_be_read_is_left_out_and_the_facts_folded(
    folders: Path, state: bytes, platform: str
) -> None:
    folder = fresh(folders)
    facts = ((1, START_MS, STARTED),)
    shot = Snapshot(1, state, "digest")
    trio.run(write, folder, platform, Entry("alice", facts, snapshot=shot))
    with JournalReader(folder) as reader:
        found = recover(reader, "alice", PLATFORMS[platform], weixin.POLICY)
    assert found.seq == 1
    assert found.snapshot_seq in (0, 1)
