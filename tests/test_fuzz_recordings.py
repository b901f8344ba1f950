"""Whatever a file holds: replay and show end with a code and say where it is wrong."""

import gzip
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from fuzz_rig import INCIDENTS, Change, odd, places_in, written
from hypothesis import example, given
from hypothesis import strategies as st
from spoiled import sealed

from holdfast.replay.cli import main
from holdfast.replay.world import (
    qq_faults,
    qq_settings,
    weixin_faults,
    weixin_settings,
)
from holdfast.replay.world.faults import ScriptError

NAMES = (
    "accepted_but_never_shown",
    "poll_answered_minus_14",
    "night_push_answered_minus_2",
    "secret_is_wrong",
    "answer_to_a_reply_is_lost",
    "half_open_socket",
)
SAMPLES = [
    (INCIDENTS / f"{name}.jsonl").read_bytes().splitlines(keepends=True)
    for name in NAMES
]
CODES = {0, 1, 4}
WEIXIN, QQ = (
    msgspec.to_builtins(kind())
    for kind in (weixin_settings.Settings, qq_settings.Settings)
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spoiled")


def holdfast(*words: str | Path) -> Result:
    done = CliRunner().invoke(main, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert "Traceback" not in done.output
    return done


@st.composite
def spoiled_lines(draw: st.DrawFn) -> bytes:
    """A recording of which some values, lines or bytes are not what they were."""
    lines = [*draw(st.sampled_from(SAMPLES))]
    for _ in range(draw(st.integers(0, 3))):
        number = draw(st.integers(0, len(lines) - 1))
        match draw(st.integers(0, 9)):
            case 0:
                del lines[number]
            case 1:
                lines.insert(number, draw(st.sampled_from(lines)))
            case 2:
                lines[number] = draw(st.binary(max_size=60)) + b"\n"
            case _:
                lines[number] = draw(_line(lines[number]))
    if draw(st.booleans()) and len(lines) > 1 and lines[-1].startswith(b'{"end":{'):
        try:
            return sealed(lines)
        except (msgspec.DecodeError, TypeError, KeyError):
            pass
    raw = b"".join(lines)
    match draw(st.integers(0, 9)):
        case 0:
            return raw[: draw(st.integers(0, len(raw)))]
        case 1:
            packed = bytearray(gzip.compress(raw, mtime=0))
            packed[draw(st.integers(0, len(packed) - 1))] ^= draw(st.integers(0, 255))
            return bytes(packed)[: draw(st.integers(10, len(packed)))]
        case _:
            return raw


@st.composite
def _line(draw: st.DrawFn, line: bytes) -> bytes:
    try:
        value: Any = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return line
    places = [*places_in(value)][1:]
    if not places:
        return line
    changes = draw(
        st.dictionaries(
            st.sampled_from(places),
            st.builds(Change, odd, st.booleans()) | st.just(Change(None)),
            min_size=1,
            max_size=2,
        )
    )
    return written(value, changes) + b"\n"


# The line is named, or the file as a whole is no recording.
PLACED = re.compile(r"spoiled\.jsonl(?::\d+)?: ")


@given(spoiled_lines() | st.binary(max_size=200))
@example(b"")
@example(b"\x1f\x8b\x08\x00")
@example(gzip.compress(b"".join(SAMPLES[0]))[:200])
def test_whatever_a_recording_holds_replay_says_what_is_wrong(
    folder: Path, content: bytes
) -> None:
    path = folder / "spoiled.jsonl"
    path.write_bytes(content)
    done = holdfast("replay", path)
    assert done.exit_code in CODES
    assert done.stdout
    if done.exit_code == 4:
        assert PLACED.search(done.stdout), done.stdout
    as_json = holdfast("replay", "--json", path)
    assert as_json.exit_code == done.exit_code
    msgspec.json.decode(as_json.stdout)


@given(spoiled_lines())
def test_whatever_a_recording_holds_show_says_what_is_wrong(
    folder: Path, content: bytes
) -> None:
    path = folder / "spoiled.jsonl"
    path.write_bytes(content)
    done = holdfast("show", path)
    assert done.exit_code in CODES
    if done.exit_code == 4:
        assert PLACED.search(done.stderr), done.stderr
    assert done.stdout.replace("\n", "").isprintable()
    as_json = holdfast("show", "--json", path)
    assert as_json.exit_code == done.exit_code
    for line in as_json.stdout.splitlines():
        msgspec.json.decode(line)


# Fault scripts.

ODDITIES = {"type": "fields", "set": {"ret": [1, {"a": "b"}]}, "at": "getupdates"}
CODE = {"type": "code", "at": "getupdates", "ret": -14, "count": 3, "skip": 1}
CLOSING = {"type": "closing", "code": 4009, "every": 2, "from_ms": 5, "to_ms": 9}
SCRIPTS: list[Any] = [
    {"faults": [CODE], "says": [{"after_ms": 9, "text": "hi"}], "settings": WEIXIN},
    {"faults": [ODDITIES, CODE]},
    {"faults": [CLOSING], "events": [{"name": "FRIEND_ADD", "after_ms": 9}]},
    {"says": [{"text": "hi"}], "settings": QQ},
]


def read_or_refused(content: bytes) -> None:
    for decode in (weixin_faults.decode_script, qq_faults.decode_script):
        try:
            decode(content)
        except ScriptError as error:
            text = str(error)
        else:
            continue
        assert text.startswith("not a fault script: ")


@given(st.sampled_from(SCRIPTS).flatmap(lambda it: _line(msgspec.json.encode(it))))
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b'{"faults":[{"type":"\xff"}]}')
@example(b'{"faults":[{"type":"fields","set":{"a":' + b"[" * 5_000)
def test_whatever_a_fault_script_holds_it_is_read_or_refused_in_words(
    content: bytes,
) -> None:
    read_or_refused(content)


@given(st.binary(max_size=100))
def test_no_bytes_of_a_fault_script_raise_anything_else(content: bytes) -> None:
    read_or_refused(content)
