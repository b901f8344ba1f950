import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from lives import Life, recorded
from spoiled import facts_of

import holdfast.core
from holdfast.core import weixin
from holdfast.replay import digests
from holdfast.replay.lines import UNKNOWN
from holdfast.replay.player import Verdict, play
from holdfast.replay.recording import (
    NO_STATE,
    LineEncoder,
    RecordingWriter,
    new_header,
)

SMALL = recorded(Life(3, trouble=120), 60)
LINES = SMALL.splitlines(keepends=True)


def test_a_recording_has_the_documented_form() -> None:
    header, first, *_, last, end = (json.loads(line) for line in LINES)
    assert [*header] == [
        "recording", "platform", "account", "seed", "policy", "core", "start", "source"
    ]  # fmt: skip
    assert header["recording"] == 1
    assert header["core"] == digests.core_digest()
    assert [*first] == ["seq", "at_ms", "event", "commands"]
    assert first["event"]["type"] == "started"
    assert first["commands"] == [{"type": "reload_credentials"}]
    assert [*last] == ["seq", "at_ms", "event", "commands", "state"]
    assert [*end] == ["end"]
    assert [*end["end"]] == ["seq", "state", "sha256"]


def test_the_end_line_holds_the_digests_of_state_and_lines() -> None:
    life = Life(3, trouble=120)
    *_, last = life.turns(60)
    end = json.loads(LINES[-1])["end"]
    assert end["seq"] == last.fact.seq
    assert end["state"] == digests.state_digest(last.after)
    assert end["sha256"] == hashlib.sha256(b"".join(LINES[:-1])).hexdigest()


def test_a_state_is_kept_every_thousand_facts_and_at_the_end() -> None:
    lines = facts_of(recorded(Life(4, message_gap_ms=600_000), 2_500))
    kept = [line.seq for line in lines if line.state is not NO_STATE]
    assert kept == [1_000, 2_000, 2_500]


def test_large_states_are_kept_less_often() -> None:
    lines = facts_of(recorded(Life(4, message_gap_ms=2_000), 6_000))
    states = sum(len(bytes(line.state)) for line in lines[:-1])
    commands_and_facts = sum(len(msgspec.json.encode(line.event)) for line in lines)
    assert 0 < states < commands_and_facts / 2


def test_a_recording_without_facts_is_a_recording() -> None:
    life = Life()
    lines = LineEncoder(new_header("weixin", "alice", life.start, life.policy))
    result = play(lines.begin() + lines.finish())
    assert (result.verdict, result.facts) == (Verdict.SAME, 0)


def test_commands_that_nobody_knows_are_written_as_null() -> None:
    life = Life()
    lines = LineEncoder(new_header("weixin", "alice", life.start, life.policy))
    content = lines.begin()
    for turn in life.turns(20):
        content += lines.add(turn.fact, None, turn.after)
    content += lines.finish()
    assert {bytes(line.commands) for line in facts_of(content)} == {bytes(UNKNOWN)}
    result = play(content)
    assert (result.verdict, result.facts, result.unknown) == (Verdict.SAME, 20, 20)


def write(path: Path, count: int, fail: Callable[[], None] = lambda: None) -> None:
    life = Life(3, trouble=120)
    source = {"by": "lives"}
    header = new_header("weixin", "alice", life.start, life.policy, source)
    with RecordingWriter(path, header) as writer:
        for turn in life.turns(count):
            writer.add(*turn)
        fail()


def test_a_file_is_written_as_the_lines_say(tmp_path: Path) -> None:
    write(tmp_path / "life.jsonl", 60)
    assert (tmp_path / "life.jsonl").read_bytes() == SMALL
    assert [path.name for path in tmp_path.iterdir()] == ["life.jsonl"]


def test_a_file_that_fails_midway_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "life.jsonl"
    path.write_text("old")

    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write(path, 60, fail)
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["life.jsonl"]


def test_a_file_is_durable_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "life.jsonl"
    synced: list[bool] = []
    sync = os.fsync

    def noting(descriptor: int) -> None:
        synced.append(path.exists())
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    write(path, 5)
    assert synced == [False, True]


def test_the_digest_of_core_names_its_source_and_not_its_line_ends() -> None:
    whole = hashlib.blake2b(digest_size=16)
    folder = Path(next(iter(holdfast.core.__path__)))
    for path in sorted(folder.glob("*.py")):
        source = path.read_text(encoding="utf-8").encode()
        whole.update(f"{path.name} {len(source)}\n".encode() + source)
    assert digests.core_digest() == whole.hexdigest()


def test_the_order_of_a_queue_is_part_of_a_state() -> None:
    life = Life(1)
    *_, turn = life.turns(200)
    peers = turn.after.outbox.peers
    assert len(peers) > 1
    turned = dict(reversed(peers.items()))
    outbox = msgspec.structs.replace(turn.after.outbox, peers=turned)
    other = msgspec.structs.replace(turn.after, outbox=outbox)
    assert turn.after == other
    assert digests.state_digest(turn.after) != digests.state_digest(other)


def test_the_default_policy_of_the_platform_is_written_whole() -> None:
    written = json.loads(LINES[0])["policy"]
    assert msgspec.convert(written, type=type(weixin.POLICY)) == weixin.POLICY
    assert written["connection"]["backoff_ms_max"] == 30_000
