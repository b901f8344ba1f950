"""The point of no return in a recording, and that our own machines have none."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from holdfast.core import weixin
from holdfast.core.commands import Command, SetTimer
from holdfast.core.events import Fact, PollAnswered, PollFailed
from holdfast.core.policy import Policy
from holdfast.core.weixin_account import Weixin
from holdfast.replay import platforms
from holdfast.replay.cli import main
from holdfast.replay.explore.rescue import RESCUERS, can_come_back
from holdfast.replay.explore.scope import Scope
from holdfast.replay.explore.scopes import SCOPES
from holdfast.replay.explore.search import Finding, walk
from holdfast.replay.explore.story import write_recording
from holdfast.replay.no_return import Watcher
from holdfast.replay.sources import recorded_life
from holdfast.replay.stepping import steps

INCIDENTS = sorted(Path("fixtures/incidents").glob("*.jsonl"))
Turn = tuple[Weixin, list[Command]]


@pytest.mark.parametrize("path", INCIDENTS, ids=lambda path: path.stem)
def test_after_every_fact_of_every_incident_the_account_can_come_back(
    path: Path,
) -> None:
    life = recorded_life(path)
    watcher = Watcher(life)
    for line, _, after, commands in steps(life):
        assert not watcher.look(line, after, commands), f"silent at {line.seq}"
        assert watcher.can_come_back() is True, f"doomed at {line.seq}"


def test_a_search_that_takes_too_long_claims_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("holdfast.replay.explore.rescue.STATES_MAX", 0)
    monkeypatch.setattr(
        "holdfast.replay.explore.weixin_subject.healthy", lambda *_: False
    )
    rescuer = RESCUERS["weixin"]
    begin = msgspec.structs.replace(rescuer.environment.begin, running=True)
    assert can_come_back(rescuer, Weixin(), begin, Policy()) is None


def _forgets_its_timer(state: Weixin, fact: Fact, policy: Policy) -> Turn:
    """Lose the poll and wait for nothing."""
    state, commands = weixin.step(state, fact, policy)
    if isinstance(fact.event, PollFailed):
        commands = [c for c in commands if not isinstance(c, SetTimer)]
    return state, commands


def _reads_ret_alone(state: Weixin, fact: Fact, policy: Policy) -> Turn:
    """Take -14 in `errcode` for success (docs/weixin-ilink.md, W8)."""
    event = fact.event
    if isinstance(event, PollAnswered) and (event.errcode or event.ret):
        fact = Fact(fact.seq, fact.at_ms, PollAnswered(event.epoch, messages=1))
    return weixin.step(state, fact, policy)


Step = Callable[[Weixin, Fact, Policy], Turn]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[Step], None]:
    """Let the platform have another reducer, everywhere."""

    def install(step: Step) -> None:
        ours = platforms.PLATFORMS["weixin"]._replace(step=step)
        monkeypatch.setitem(platforms.PLATFORMS, "weixin", ours)
        rescuer = RESCUERS["weixin"]
        theirs = rescuer._replace(
            subject=lambda policy: rescuer.subject(policy)._replace(step=step)
        )
        monkeypatch.setitem(RESCUERS, "weixin", theirs)

    return install


def _record(step: Step, whats: tuple[str, ...], path: Path) -> None:
    """Record what happens when the moves with these names are made, in order."""
    scope = SCOPES["weixin line"]
    scope = scope._replace(subject=scope.subject._replace(step=step))
    moves: tuple[int, ...] = ()
    for what in whats:
        moves = (*moves, _choice(scope, moves, what))
    write_recording(scope, Finding(scope.name, "made for a test", moves), path)


def _choice(scope: Scope, moves: tuple[int, ...], what: str) -> int:
    """Return the number of the move of this name, after these."""
    state, world = scope.subject.start, scope.environment.begin
    for step in walk(scope, moves):
        state, world = step.after, step.world
    held = scope.subject.held(state)
    names = [move.what for move in scope.environment.moves(world, held)]
    return names.index(what)


UP = ("the process starts", "the login is read", "notifystart is taken")


def test_show_marks_the_fact_after_which_nothing_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "silent.jsonl"
    _record(_forgets_its_timer, (*UP, "the poll: connection reset"), path)
    shown = CliRunner().invoke(main, ["show", str(path)]).output.splitlines()
    assert "poll_failed" in shown[-2]
    assert shown[-1].startswith("  ^ point of no return: nothing is under way")
    told = CliRunner().invoke(main, ["show", "--json", str(path)]).output.splitlines()
    marks = [msgspec.json.decode(line).get("no_return") for line in told]
    assert marks == [None, None, None, True]


def test_show_names_the_fact_after_which_no_answer_helps(
    tmp_path: Path, broken: Callable[[Step], None]
) -> None:
    path = tmp_path / "doomed.jsonl"
    later = "time passes", "the timer connection.retry runs out"
    whats = (*UP, "the poll brings nothing", *later, "the login is lapsed: -14")
    refused = (*later, "the poll is refused: -14")
    _record(_reads_ret_alone, (*whats, *refused, *refused), path)
    broken(_reads_ret_alone)
    shown = CliRunner().invoke(main, ["show", str(path)]).output.splitlines()
    assert shown[-1].startswith("fact 6: point of no return: whatever the peer answers")
    assert "errcode=-14" in shown[5]
    told = CliRunner().invoke(main, ["show", "--json", str(path)]).output.splitlines()
    assert msgspec.json.decode(told[-1]) == {"seq": 6, "no_return": True}
