import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import freezegun
import msgspec
import pytest
from lives import Life, recorded
from spoiled import changed, diverged, facts_of, sealed

from holdfast.core import qq, weixin
from holdfast.replay.digests import state_digest
from holdfast.replay.lines import NO_STATE, UNKNOWN
from holdfast.replay.platforms import PLATFORMS, Platform
from holdfast.replay.player import Verdict, play, play_facts
from holdfast.replay.recording import read_recording

SMALL = recorded(Life(3, trouble=120), 60)
LINES = SMALL.splitlines(keepends=True)
LONG = recorded(Life(5, trouble=60), 3_000)
WEIXIN = PLATFORMS["weixin"]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("trouble", [0, 20, 150, 400])
def test_a_life_replays_as_it_was_recorded(seed: int, trouble: int) -> None:
    life = Life(seed, trouble=trouble, boot_facts=300)
    result = play(recorded(life, 1_200))
    assert result.verdict is Verdict.SAME, result
    assert (result.facts, result.unknown, result.broken) == (1_200, 0, ())


def test_a_file_replays_like_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "life.jsonl"
    path.write_bytes(SMALL)
    assert play(path).verdict is play(str(path)).verdict is Verdict.SAME
    assert play(path).state == play(read_recording(path)).state


def places() -> Iterator[tuple[int, int]]:
    """Yield (number of a fact line, offset in the file), some in all commands."""
    offset = 0
    for number, line in enumerate(LINES, 1):
        begin = line.find(b'"commands":[{') + len(b'"commands":[')
        if begin > len(b'"commands":['):
            end = line.find(b'}],"state":') + 1 or line.rfind(b"]}")
            step = max(1, (end - begin) // 12)
            yield from ((number, offset + at) for at in range(begin, end, step))
        offset += len(line)


@pytest.mark.parametrize(("number", "place"), [*places()])
def test_a_changed_byte_in_commands_is_found_where_it_is(
    number: int, place: int
) -> None:
    result = play(changed(SMALL, place))
    assert result.verdict is Verdict.DAMAGED
    assert result.damage is not None
    if result.divergence is None:
        assert result.damage.line == number
    else:
        assert result.divergence.seq == number - 1
        assert "sha256" in result.damage.what


def test_every_byte_of_one_line_of_commands_counts() -> None:
    number = next(i for i, line in enumerate(LINES, 1) if b'"report"' in line)
    before, line = sum(map(len, LINES[: number - 1])), LINES[number - 1]
    for place in range(line.find(b'"commands":[') + 12, len(line) - 3):
        result = play(changed(SMALL, before + place))
        assert result.damage is not None
        named = result.divergence.seq + 1 if result.divergence else result.damage.line
        assert named == number


def test_a_difference_in_a_whole_file_is_a_difference() -> None:
    number = next(i for i, line in enumerate(LINES, 1) if b'{"type":"poll",' in line)
    other = LINES[number - 1].replace(b'"epoch":1,', b'"epoch":7,')
    result = play(sealed([*LINES[: number - 1], other, *LINES[number:]]))
    assert result.verdict is Verdict.DIFFERENT
    assert result.damage is None
    assert diverged(result).seq == number - 1
    assert result.facts == number - 1


def test_the_first_of_many_differences_is_told() -> None:
    gap = msgspec.structs.replace(weixin.POLICY.delivery, gap_ms_base=9_000)
    policy = msgspec.structs.replace(weixin.POLICY, delivery=gap)
    result = play(LONG, policy)
    found = diverged(result)
    assert result.verdict is Verdict.DIFFERENT
    assert play(LONG).verdict is Verdict.SAME
    assert "set_timer name=delivery.next" in " ".join(found.produced)
    before = [line for chunk in read_recording(LONG).read() for line in chunk]
    firsts = [line for line in before if b"delivery.next" in bytes(line.commands)]
    assert found.seq == firsts[0].seq


def test_a_journal_is_verified_from_where_its_state_is_known() -> None:
    lines = facts_of(LONG)
    number = next(i for i, line in enumerate(lines) if line.state is not NO_STATE)
    start = msgspec.json.decode(lines[number].state, type=WEIXIN.state)
    rest = iter(lines[number + 1 :])
    result = play_facts(rest, start, WEIXIN, weixin.POLICY)
    assert result.verdict is Verdict.SAME
    assert result.facts == len(lines) - number - 1
    assert result.state == play(LONG).state


def test_facts_that_a_crash_cut_off_are_only_folded() -> None:
    lines = facts_of(SMALL)
    lines[20] = msgspec.structs.replace(lines[20], commands=UNKNOWN)
    start = read_recording(SMALL).start
    result = play_facts(lines, start, WEIXIN, weixin.POLICY)
    assert (result.verdict, result.facts, result.unknown) == (Verdict.SAME, 60, 1)


def test_a_gap_in_a_journal_is_damage() -> None:
    lines = facts_of(LONG)
    del lines[1_500]
    result = play_facts(lines, read_recording(LONG).start, WEIXIN, weixin.POLICY)
    assert result.verdict is Verdict.DAMAGED
    assert "seq 1502 follows seq 1500: facts are missing" in str(result.damage)


def test_commands_of_a_journal_that_cannot_be_read_are_damage() -> None:
    lines = facts_of(SMALL)
    unreadable = msgspec.Raw(b'[{"type":"dance"}]')
    lines[20] = msgspec.structs.replace(lines[20], commands=unreadable)
    result = play_facts(lines, read_recording(SMALL).start, WEIXIN, weixin.POLICY)
    assert result.verdict is Verdict.DAMAGED
    assert "seq 21" in str(result.damage)
    assert "dance" in str(result.damage)


def test_a_journal_stops_at_its_first_difference() -> None:
    lines = facts_of(LONG)
    lines[700] = msgspec.structs.replace(lines[700], commands=msgspec.Raw(b"[]"))
    lines[701] = msgspec.structs.replace(lines[701], commands=msgspec.Raw(b"[]"))
    result = play_facts(lines, read_recording(LONG).start, WEIXIN, weixin.POLICY)
    assert result.verdict is Verdict.DIFFERENT
    assert diverged(result).seq in (701, 702)
    assert result.facts == diverged(result).seq


def test_a_prefix_replays_to_a_prefix() -> None:
    lines = facts_of(LONG)
    start = read_recording(LONG).start
    state, after = start, []
    for line in lines:
        state, _ = weixin.step(state, line, weixin.POLICY)
        after.append(state_digest(state))
    for count in (1, 2, 511, 512, 513, 1_000, 2_999):
        result = play_facts(lines[:count], start, WEIXIN, weixin.POLICY)
        assert result.verdict is Verdict.SAME
        assert state_digest(result.state) == after[count - 1]


def test_a_platform_is_named_after_its_reducer() -> None:
    assert {name: platform.name for name, platform in PLATFORMS.items()} == {
        "weixin": weixin.PLATFORM,
        "qq": qq.PLATFORM,
    }
    assert isinstance(WEIXIN, Platform)


@pytest.mark.parametrize("date", ["1970-01-01", "2099-12-31"])
def test_the_date_is_nobodys_business(date: str) -> None:
    with freezegun.freeze_time(date, tick=True):
        assert recorded(Life(3, trouble=120), 60) == SMALL
        assert play(SMALL) == play(SMALL)
        assert play(SMALL).verdict is Verdict.SAME


def test_another_hash_seed_gives_the_same_bytes() -> None:
    script = (
        "import sys; from lives import Life, recorded\n"
        "sys.stdout.buffer.write(recorded(Life(5, trouble=60), 3000))"
    )
    tests = str(Path(__file__).parent)
    for seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": tests}
        done = subprocess.run(  # noqa: S603 - the script stands above.
            [sys.executable, "-c", script],
            env=environment,
            capture_output=True,
            check=True,
            timeout=60,
        )
        assert done.stdout == LONG
