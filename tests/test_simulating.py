"""`holdfast simulate`: what it prints, what it writes, and how it ends."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from holdfast.replay import simulating
from holdfast.replay.cli import main
from holdfast.replay.simulate.ledger import Finding
from holdfast.replay.simulate.run import Outcome, Plan

OUTCOME = Outcome(
    plan=Plan("qq", 7, 2.5),
    hours=4.5,
    messages=20,
    offered_again=1,
    lives=3,
    facts=500,
    digest="ab" * 32,
    replies={"accepted": 12, "unknown": 1},
    faults={"kill": 2},
    findings=(),
)
LOST = Finding("lost", "'message 7' was said and never offered, and is not done")


def call(*args: str) -> Result:
    return CliRunner().invoke(main, ["simulate", *args])


@pytest.fixture
def outcomes(monkeypatch: pytest.MonkeyPatch) -> list[Outcome]:
    """Let the next runs have these outcomes."""
    coming: list[Outcome] = []

    def simulate(_: Plan, **__: object) -> Outcome:
        return coming.pop(0)

    monkeypatch.setattr(simulating, "simulate", simulate)
    return coming


def test_a_run_without_findings_says_so(outcomes: list[Outcome]) -> None:
    outcomes.append(OUTCOME)
    result = call("--platform", "qq", "--seed", "7", "--hours", "2.5")
    assert result.exit_code == 0
    assert "0 lost, 0 repeated, 0 broken; the journal replays equal" in result.stdout
    assert "12 accepted, 1 unknown" in result.stdout
    assert "hours per second" in result.stderr


def test_a_finding_is_named_with_the_command_that_repeats_it(
    outcomes: list[Outcome],
) -> None:
    outcomes.append(replace(OUTCOME, findings=(LOST,)))
    result = call("--platform", "qq", "--seed", "7", "--hours", "2.5", "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    command = "holdfast simulate --platform qq --seed 7 --hours 2.5"
    assert told["command"] == command
    assert told["findings"] == [{"kind": "lost", "what": LOST.what}]
    assert f"again: {command}" in result.stderr


def test_the_recording_of_a_run_replays_and_shows(tmp_path: Path) -> None:
    recording = tmp_path / "run.jsonl"
    asked = ("--platform", "weixin", "--seed", "3", "--hours", "0.2")
    result = call(*asked, "-o", str(recording))
    assert result.exit_code == 0, result.output
    for command in ("replay", "show"):
        assert CliRunner().invoke(main, [command, str(recording)]).exit_code == 0


def test_a_recording_that_cannot_be_written_is_a_wrong_usage(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere" / "run.jsonl"
    asked = ("--platform", "weixin", "--seed", "3", "--hours", "0.01")
    result = call(*asked, "-o", str(nowhere))
    assert result.exit_code == 2
    assert "there is no folder" in result.stderr


@pytest.mark.parametrize(
    "wrong", [("--hours", "0"), ("--hours", "nan"), ("--platform", "telegram")]
)
def test_what_cannot_be_simulated_is_refused(wrong: tuple[str, str]) -> None:
    assert call("--platform", "qq", *wrong).exit_code == 2
