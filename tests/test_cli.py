"""The command line as a user meets it: what it prints, and its exit codes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest
from click.testing import CliRunner, Result
from incident_rig import FIXTURES

from holdfast.replay.cli import main
from holdfast.replay.incidents import INCIDENTS
from holdfast.replay.platforms import PLATFORMS

RECORDING = FIXTURES / "night_push_answered_minus_14.jsonl"
COMMAND = (sys.executable, "-m", "holdfast.replay.cli")


def holdfast(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def process(
    words: list[str], env: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(  # noqa: S603 - our own words.
        words, capture_output=True, timeout=60, check=False, env=env
    )


def spoiled(folder: Path, lines: list[bytes]) -> Path:
    path = folder / "spoiled.jsonl"
    path.write_bytes(b"".join(lines))
    return path


@pytest.fixture
def lines() -> list[bytes]:
    return RECORDING.read_bytes().splitlines(keepends=True)


def test_all_kept_recordings_replay() -> None:
    done = holdfast("replay", *sorted(FIXTURES.glob("*.jsonl")))
    assert done.exit_code == 0
    assert done.stdout.count("every command and state equal") == len(
        list(FIXTURES.glob("*.jsonl"))
    )


def test_a_flipped_byte_in_a_command_is_named_by_its_fact(
    lines: list[bytes], tmp_path: Path
) -> None:
    place = next(n for n, line in enumerate(lines) if b'"type":"poll"' in line)
    lines[place] = lines[place].replace(b'"timeout_ms":45000', b'"timeout_ms":45001')
    done = holdfast("replay", spoiled(tmp_path, lines))
    assert done.exit_code in {1, 4}
    assert f"seq {json.loads(lines[place])['seq']} " in done.stdout
    assert "timeout_ms: 45001 -> 45000" in done.stdout


def test_a_deleted_line_is_named(lines: list[bytes], tmp_path: Path) -> None:
    done = holdfast("replay", spoiled(tmp_path, lines[:5] + lines[6:]))
    assert done.exit_code == 4
    assert "spoiled.jsonl:6: seq 6" in done.stdout


def test_a_wrong_order_is_named(lines: list[bytes], tmp_path: Path) -> None:
    lines[5], lines[6] = lines[6], lines[5]
    done = holdfast("replay", spoiled(tmp_path, lines))
    assert done.exit_code == 4
    assert "spoiled.jsonl:6: seq 6" in done.stdout


@pytest.mark.parametrize("kept", [-1, -10])
def test_a_truncated_file_is_named(
    lines: list[bytes], tmp_path: Path, kept: int
) -> None:
    whole = b"".join(lines)
    done = holdfast("replay", spoiled(tmp_path, [whole[: kept - len(lines[-1])]]))
    assert done.exit_code == 4
    assert "spoiled.jsonl" in done.stdout


def test_something_else_than_a_recording_is_refused(tmp_path: Path) -> None:
    done = holdfast("replay", spoiled(tmp_path, [b"2026-03-01 all is well\n"]))
    assert done.exit_code == 4
    assert "spoiled.jsonl:1" in done.stdout


def test_the_worst_of_several_recordings_decides(
    lines: list[bytes], tmp_path: Path
) -> None:
    done = holdfast("replay", RECORDING, spoiled(tmp_path, lines[:-1]))
    assert done.exit_code == 4
    assert "every command and state equal" in done.stdout


def test_json_gives_one_object_per_recording(
    lines: list[bytes], tmp_path: Path
) -> None:
    done = holdfast("replay", "--json", RECORDING, spoiled(tmp_path, lines[:-1]))
    good, bad = map(json.loads, done.stdout.splitlines())
    assert (good["verdict"], bad["verdict"]) == ("same", "damaged")
    assert good["facts"] == len(lines) - 2


def test_show_tells_one_line_per_fact(lines: list[bytes]) -> None:
    done = holdfast("show", RECORDING)
    assert done.exit_code == 0
    told = done.stdout.splitlines()
    assert len(told) == len(lines) - 2
    assert "session expired -> recovering" in told[1]


def test_show_as_json_holds_phases_and_commands() -> None:
    done = holdfast("show", "--json", RECORDING)
    first, second, *_ = map(json.loads, done.stdout.splitlines())
    assert first["event"]["type"] == "started"
    assert second["phases_before"]["session"] == "expired"
    assert second["commands"][0]["type"] == "notify_start"


@pytest.mark.parametrize("command", ["replay", "show"])
def test_an_empty_folder_is_no_journal(command: str, tmp_path: Path) -> None:
    done = holdfast(command, tmp_path)
    assert done.exit_code == 4
    assert str(tmp_path) in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["replay"], "Missing argument"),
        (["replay", "nowhere.jsonl"], "does not exist"),
        (["show", RECORDING, "--wrong"], "No such option"),
        (["reply"], "No such command"),
        (["run", "--config", "nowhere.toml"], "nowhere.toml"),
        (["export", "--account", "a", "-o", "x"], "journal.sqlite3"),
        (["fake", "weixin", "--port", "70000"], "70000"),
        (["fake", "qq", "--port", "70000"], "70000"),
    ],
)
def test_wrong_usage_is_explained(
    words: list[str | Path],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    done = holdfast(*words)
    assert done.exit_code in {2, 4}
    assert says in done.stderr
    assert done.exception is None or isinstance(done.exception, SystemExit)


def test_a_fact_that_todays_code_cannot_fold_is_named_by_show(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> NoReturn:
        raise AssertionError("a row is missing")

    weixin = PLATFORMS["weixin"]
    monkeypatch.setitem(PLATFORMS, "weixin", weixin._replace(step=fail))
    done = holdfast("show", RECORDING)
    assert done.exit_code == 1
    told = "seq 1: today's code fails: AssertionError a row is missing"
    assert done.stderr == f"{RECORDING}: {told}\n"


def test_run_without_an_account_says_what_is_missing(tmp_path: Path) -> None:
    config = tmp_path / "holdfast.toml"
    config.write_text("[service]\n")
    done = holdfast("run", "--config", config)
    assert done.exit_code == 2
    assert "[accounts.NAME]" in done.stderr


def test_run_refuses_a_wrong_configuration(tmp_path: Path) -> None:
    config = tmp_path / "holdfast.toml"
    config.write_text('[accounts.a]\nplatform = "weixin"\ntokn = "x"\n')
    done = holdfast("run", "--config", config)
    assert done.exit_code == 2
    assert "accounts.a.tokn" in done.stderr
    assert "token" in done.stderr


def test_the_demo_lives_through_every_incident(tmp_path: Path) -> None:
    done = process([*COMMAND, "demo", "--keep", str(tmp_path)])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every command and state equal" in done.stdout.decode()
    assert done.stderr == b""
    kept = sorted(path.name for path in tmp_path.iterdir())
    shown = [f"{incident.name}.jsonl" for incident in INCIDENTS if incident.shown]
    assert kept == sorted(shown)


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_hash_seed_and_the_date_change_no_byte(seed: str) -> None:
    """Two processes with other hash seeds, one of them in the year 2099."""
    script = (
        "import sys, freezegun\n"
        "from holdfast.replay.cli import main\n"
        "with freezegun.freeze_time('2099-12-31' if sys.argv.pop() == '2' else"
        " '1970-01-02'):\n"
        "    main()\n"
    )
    paths = [str(path) for path in sorted(FIXTURES.glob("*.jsonl"))]
    start = [sys.executable, "-c", script]
    env = {"PYTHONHASHSEED": seed}
    done = process([*start, "show", "--json", str(RECORDING), seed], env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode() == holdfast("show", "--json", RECORDING).stdout
    again = process([*start, "replay", "--json", *paths, seed], env)
    assert again.returncode == 0, again.stderr
    assert again.stdout.decode() == holdfast("replay", "--json", *paths).stdout
