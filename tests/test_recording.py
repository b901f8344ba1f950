import gzip
import threading
import tracemalloc
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lives import Life, recorded
from spoiled import facts_of

from holdfast.replay import blocks
from holdfast.replay.checksum import Checksum
from holdfast.replay.player import Verdict, play
from holdfast.replay.recording import (
    RecordingError,
    read_recording,
)

SMALL = recorded(Life(3, trouble=120), 60)
LINES = SMALL.splitlines(keepends=True)
FACT_LINES = range(2, len(LINES))  # Numbers of the fact lines, from 1.


def fault_of(content: bytes | Path) -> RecordingError:
    with pytest.raises(RecordingError) as caught:
        for _ in read_recording(content).read():
            pass
    return caught.value


def with_line(number: int, line: bytes) -> bytes:
    return b"".join([*LINES[: number - 1], line, *LINES[number:]])


def test_what_was_written_is_read_back() -> None:
    turns = [*Life(3, trouble=120).turns(60)]
    lines = facts_of(SMALL)
    assert [(line.seq, line.at_ms, line.event) for line in lines] == [
        (turn.fact.seq, turn.fact.at_ms, turn.fact.event) for turn in turns
    ]
    assert [bytes(line.commands) for line in lines] == [
        msgspec.json.encode(turn.commands) for turn in turns
    ]


def test_reading_takes_constant_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    path.write_bytes(recorded(Life(4, message_gap_ms=600_000), 20_000))
    recording = read_recording(path)
    tracemalloc.start()
    try:
        count = sum(len(chunk) for chunk in recording.read())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 20_000
    assert peak < path.stat().st_size / 2


def test_gzip_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "life.jsonl.gz"
    path.write_bytes(gzip.compress(SMALL[:5_000]) + gzip.compress(SMALL[5_000:]))
    assert [line.seq for c in read_recording(path).read() for line in c] == [
        line.seq for line in facts_of(SMALL)
    ]


@pytest.mark.parametrize("spoil", [slice(0, -20), slice(0, 30)])
def test_cut_gzip_is_named(spoil: slice) -> None:
    assert "cannot be read" in str(fault_of(gzip.compress(SMALL)[spoil]))


def test_damaged_gzip_is_named() -> None:
    packed = bytearray(gzip.compress(SMALL))
    packed[len(packed) // 2] ^= 0xFF
    assert isinstance(fault_of(bytes(packed)), RecordingError)


@pytest.mark.parametrize("place", [12, 20, 40, 60])
def test_what_cannot_be_unpacked_is_told_once_and_by_nobody_else(place: int) -> None:
    packed = bytearray(gzip.compress(SMALL, mtime=0))
    packed[place : place + 8] = b"\xff" * 8
    assert "cannot be read" in str(fault_of(bytes(packed)))
    before = threading.active_count()
    checksum = Checksum("x", bytes(packed))
    with pytest.raises(RecordingError, match="cannot be read"):
        checksum.hexdigest()
    assert threading.active_count() <= before


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "nowhere.jsonl: cannot be read" in str(fault_of(tmp_path / "nowhere.jsonl"))
    assert "cannot be read" in str(fault_of(tmp_path))


def in_header(old: bytes, new: bytes) -> bytes:
    assert old in LINES[0]
    return with_line(1, LINES[0].replace(old, new, 1))


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        (b"", 0, "is empty"),
        (b"\n", 1, "cannot be read"),
        (b"hello", 1, "cannot be read"),
        (b'{"recording":', 1, "cannot be read"),
        (b"[" * 100_000, 1, "cannot be read"),
        (b"\xff\xfe\x00", 1, "cannot be read"),
        (in_header(b'"recording":1', b'"recording":2'), 1, "has format 2"),
        (in_header(b'"weixin"', b'"telegram"'), 1, "platform 'telegram' is unknown"),
        (in_header(b'"seed":', b'"speed":9,"seed":'), 1, "unknown field `speed`"),
        (in_header(b'"session":{', b'"session":{"x":1,'), 1, "unknown field `x`"),
        (in_header(b'"start":{', b'"start":{"x":1'), 1, "unknown field `x`"),
        (in_header(b'"alice"', b'"\xff"'), 1, "utf-8"),
        (LINES[0], 2, "is cut"),
        (b"".join(LINES[:-1]), len(LINES) - 1, "is the last line, but no end line"),
        (SMALL + LINES[-1], len(LINES), "an end line that is not the last line"),
        (SMALL + b"x\n", len(LINES), "an end line that is not the last line"),
        (SMALL + b"x", len(LINES), "an end line that is not the last line"),
    ],
)
def test_a_file_that_is_wrong_is_named(content: bytes, line: int, what: str) -> None:
    fault = fault_of(content)
    assert fault.line == line
    assert what in str(fault)
    assert fault.right


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (b'{"seq":9,', b'{"seq":9,"when":3,', "unknown field `when`"),
        (b'"event":{', b'"event":{"mood":3,', "unknown field `mood`"),
        (b'"event":{"type":"', b'"event":{"type":"x', "Invalid value"),
        (b'{"seq":9,', b'{"seq":-9,', "Expected `int` >= 1"),
        (b'{"seq":9,', b'{"seq":9.5,', "Expected `int`, got `float`"),
        (b'"at_ms":1', b'"at_ms":' + b"9" * 30, "Expected `int` <="),
        (b'{"seq":9,', b'{"seq":9,\xff', "utf-8"),
        (b'"commands":', b'"commands":{]', "JSON"),
        (b'"commands":', b'"commands":' + b"[" * 100_000, "recursion"),
    ],
)
def test_a_fact_line_that_is_wrong_is_named(old: bytes, new: bytes, what: str) -> None:
    assert old in LINES[9]
    fault = fault_of(with_line(10, LINES[9].replace(old, new, 1)))
    assert fault.line == 10
    assert what in str(fault)


def test_a_line_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "LINE_BYTES_MAX", 1_000)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 100)
    assert "a line is longer than" in str(fault_of(with_line(9, b"x" * 3_000 + b"\n")))


@pytest.mark.parametrize("number", FACT_LINES)
def test_a_deleted_fact_line_is_named(number: int) -> None:
    fault = fault_of(with_line(number, b""))
    if number == FACT_LINES[0]:  # What was before the first fact is nobody's to know.
        assert fault.line == len(LINES) - 1
    elif number == FACT_LINES[-1]:
        assert f"the last fact is seq {number - 2}" in str(fault)
    else:
        assert fault.line == number
        assert f"seq {number} follows seq {number - 2}: facts are missing" in str(fault)


@pytest.mark.parametrize(("one", "other"), [*pairwise(FACT_LINES)])
def test_swapped_fact_lines_are_named(one: int, other: int) -> None:
    swapped = [*LINES]
    swapped[one - 1], swapped[other - 1] = swapped[other - 1], swapped[one - 1]
    fault = fault_of(b"".join(swapped))
    late = one == FACT_LINES[0]
    assert fault.line == (other if late else one)
    assert ("out of order" if late else "missing") in str(fault)


@pytest.mark.parametrize("number", FACT_LINES)
def test_a_doubled_fact_line_is_named(number: int) -> None:
    fault = fault_of(with_line(number, LINES[number - 1] * 2))
    assert fault.line == number + 1
    assert f"seq {number - 1} follows seq {number - 1}: facts are repeated" in str(
        fault
    )


def test_a_recording_cut_anywhere_in_its_last_lines_is_named() -> None:
    tail = sum(map(len, LINES[-3:]))
    for kept in range(len(SMALL) - tail, len(SMALL)):
        fault = fault_of(SMALL[:kept])
        last = SMALL[:kept].count(b"\n")
        assert fault.line in (last, last + 1)
        assert play(SMALL[:kept]).verdict is Verdict.DAMAGED


def test_a_gap_in_a_later_block_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 2_000)
    assert fault_of(with_line(40, b"")).line == 40
    assert fault_of(with_line(40, b"{}\n")).line == 40


@given(st.binary(max_size=200))
@example(b"\x1f\x8b")
@example(b"\n\n\n")
def test_bytes_raise_nothing_but_a_recording_error(noise: bytes) -> None:
    for content in (noise, LINES[0] + noise, LINES[0] + LINES[1] + noise):
        with suppress(RecordingError):
            play(content)


@given(st.integers(0, len(SMALL) - 1), st.integers(1, 255))
def test_no_changed_byte_goes_unnoticed(place: int, flip: int) -> None:
    changed = bytearray(SMALL)
    changed[place] ^= flip
    try:
        verdict = play(bytes(changed)).verdict
    except RecordingError:
        return
    assert verdict is Verdict.DAMAGED


@given(st.integers(0, len(LINES)), st.binary(max_size=60))
def test_no_inserted_line_goes_unnoticed(index: int, line: bytes) -> None:
    changed = [*LINES[:index], line + b"\n", *LINES[index:]]
    try:
        verdict = play(b"".join(changed)).verdict
    except RecordingError:
        return
    assert verdict is Verdict.DAMAGED
