"""`holdfast explore` as its user meets it, also when something is found."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from holdfast.core import connection
from holdfast.core.commands import Command, SetTimer
from holdfast.core.events import Fact
from holdfast.core.policy import Policy
from holdfast.replay import exploring
from holdfast.replay.cli import main
from holdfast.replay.explore.scope import Scope
from holdfast.replay.explore.scopes import MACHINES, NAMES, PLATFORMS, SCOPES, chosen
from holdfast.replay.explore.search import BoundError, walk
from holdfast.replay.explore.story import write_recording
from holdfast.replay.exploring import Explored, Outcome, explore_scope, tell

# The smallest scope, which is explored in a second.
SMALL = "qq line"


def holdfast(*words: str | Path) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def sabotaged(name: str) -> Scope:
    """Return a real scope whose reducer forgets to set the timer of the next dial."""
    scope = SCOPES[name]
    real = scope.subject.step

    def step(state: Any, fact: Fact, policy: Policy) -> tuple[Any, list[Command]]:
        after, commands = real(state, fact, policy)
        return after, [command for command in commands if not _is_dial(command)]

    return scope._replace(subject=scope.subject._replace(step=step))


def _is_dial(command: Command) -> bool:
    return isinstance(command, SetTimer) and command.name == connection.RETRY


@pytest.fixture(scope="module")
def bad() -> Outcome:
    scopes = tuple(sabotaged(name) for name in ("weixin line", SMALL))
    return Outcome(scopes, tuple(map(explore_scope, scopes)), (), 0.5)


def test_one_scope_is_explored_and_told_in_numbers() -> None:
    done = holdfast("explore", SMALL)
    assert done.exit_code == 0, done.output
    scope, total, end = done.stdout.splitlines()
    assert scope.startswith(SMALL)
    assert scope.endswith("/s  ok")
    assert " states " in scope
    assert " transitions " in scope
    assert " of 63 table rows, " in total
    assert total.endswith(" pairs of phases and facts")
    assert end == "no promise is broken, and no state is doomed"


def test_as_json_it_is_one_object() -> None:
    done = holdfast("explore", SMALL, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["unwalked"] == []
    assert told["seconds"] > 0
    (scope,) = told["scopes"]
    assert scope["scope"] == SMALL
    assert scope["transitions"] > scope["states"] > 1_000
    assert scope["findings"] == []
    assert ["connection", "reconnecting", "open"] in scope["rows"]
    assert ["recovering dialing", "SocketOpened"] in scope["pairs"]


def test_an_unknown_name_is_wrong_usage_and_the_known_ones_are_told() -> None:
    done = holdfast("explore", "telegram")
    assert done.exit_code == 2
    told = " ".join(done.stderr.split())
    assert "'telegram' is none; known are weixin, qq, session" in told


@pytest.mark.parametrize("name", NAMES)
def test_each_name_chooses_something(name: str) -> None:
    assert chosen(name)


def test_platforms_machines_and_nothing_choose_all_that_belongs_to_them() -> None:
    assert chosen(None) == list(SCOPES.values())
    assert sum(len(chosen(name)) for name in PLATFORMS) == len(SCOPES)
    for machine in MACHINES:
        assert all(machine in scope.machines for scope in chosen(machine))


def test_a_finding_exits_with_1_after_its_story(
    bad: Outcome, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    way = tmp_path / "way.jsonl"
    assert tell(bad, way, as_json=False) == 1
    told = capsys.readouterr()
    assert f"weixin line, after {len(bad.findings[0][1].moves)} moves: [1]" in told.out
    assert "1  at 1000000 ms, process: the process starts" in told.out
    assert "no promise is broken" not in told.out
    assert told.err == f"the way there: holdfast show {way}\n"
    assert way.exists()


def test_a_finding_is_in_the_json_too(
    bad: Outcome, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tell(bad, tmp_path / "way.jsonl", as_json=True) == 1
    told = json.loads(capsys.readouterr().out)
    found = [scope["findings"][0] for scope in told["scopes"]]
    assert [one["scope"] for one in found] == ["weixin line", SMALL]
    assert all(one["what"].startswith("[1] ") and one["moves"] for one in found)


def test_without_a_place_the_way_is_recorded_here(
    bad: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert tell(bad, None, as_json=False) == 1
    assert (tmp_path / "weixin-line.jsonl").exists()


def test_a_place_that_cannot_be_written_does_not_hide_the_finding(
    bad: Outcome, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    way = tmp_path / "nowhere" / "way.jsonl"
    assert tell(bad, way, as_json=False) == 1
    told = capsys.readouterr()
    assert "weixin line, after " in told.out
    assert f"{way}: the way there is not recorded: " in told.err


def test_rows_that_no_scope_walks_exit_with_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    row = ("session", "active", "expire")
    clean = Explored(SMALL, 1, 1, seconds=0.5, rows=(), pairs=(), findings=())
    outcome = Outcome((SCOPES[SMALL],), (clean,), (row,), 0.5)
    assert tell(outcome, None, as_json=False) == 1
    assert "not walked: session, expire from active" in capsys.readouterr().out


def test_more_states_than_allowed_exit_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def explored(scopes: list[Scope]) -> list[Explored]:
        return [explore_scope(scope, states_max=100) for scope in scopes]

    monkeypatch.setattr(exploring, "_explored", explored)
    assert exploring.explore(SMALL, None, as_json=False) == 1
    assert capsys.readouterr().err == f"{SMALL}: more than 100 states\n"
    with pytest.raises(BoundError):
        explored([SCOPES[SMALL]])


@pytest.mark.parametrize("place", [0, 1], ids=["weixin", "qq"])
def test_the_way_to_a_finding_opens_with_replay_and_show(
    bad: Outcome, place: int, tmp_path: Path
) -> None:
    scope, finding = bad.findings[place]
    way = tmp_path / "way.jsonl"
    write_recording(scope, finding, way)
    facts = [step.fact for step in walk(scope, finding.moves) if step.fact]
    shown = holdfast("show", way)
    assert shown.exit_code == 0
    *lines, mark = shown.stdout.splitlines()
    assert len(lines) == len(facts)
    assert mark.startswith("  ^ point of no return: nothing is under way")
    # The reducer of today sets the timer that the sabotaged one forgot.
    replayed = holdfast("replay", way)
    assert replayed.exit_code == 1
    assert f"set_timer name={connection.RETRY}" in replayed.stdout


def test_the_way_through_a_real_scope_replays_as_the_same(tmp_path: Path) -> None:
    scope, finding = _without_promises(SCOPES["weixin line"])
    way = tmp_path / "way.jsonl"
    write_recording(scope, finding, way)
    replayed = holdfast("replay", way)
    assert replayed.exit_code == 0, replayed.output
    assert "every command and state equal" in replayed.stdout


def _without_promises(scope: Scope) -> tuple[Scope, Any]:
    """Return a real scope that takes the loss of a poll for a finding."""

    def broken(*step: Any) -> list[str]:
        return ["a poll was lost"] if step[2].connection.attempt > 1 else []

    found = scope._replace(subject=scope.subject._replace(broken=broken))
    (finding,) = explore_scope(found).findings
    return scope, finding
