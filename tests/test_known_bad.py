"""Exploration catches each founding bug by name, and its story can be read."""

from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from datadriven import FIXTURES
from known_bad.machines import MACHINES, Machine
from known_bad.qq_client import Bug as QqBug
from known_bad.weixin_client import Bug as WeixinBug

from holdfast.replay.explore.forever import round_after
from holdfast.replay.explore.search import DOOMED, Finding, walk
from holdfast.replay.explore.story import story
from holdfast.replay.exploring import explore_scope

STORIES = FIXTURES / "known_bad"
MOVES_MAX = 12
# More states than any of the machines has.
STATES_MAX = 5_000

named = pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)


@cache
def found_in(name: str) -> Finding:
    """Return what is found first; a checker that finds nothing here is broken."""
    findings = explore_scope(MACHINES[name].bad, STATES_MAX).findings
    assert findings, f"{name} is not caught"
    return findings[0]


@named
def test_each_known_bad_machine_is_caught_within_twelve_moves(machine: Machine) -> None:
    finding = found_in(machine.name)
    assert finding.what == machine.found
    assert len(finding.moves) <= MOVES_MAX


def test_every_bug_has_its_machine() -> None:
    assert {*MACHINES} == {*map(str, (*WeixinBug, *QqBug))}


@named
def test_without_its_bug_the_machine_keeps_every_promise(machine: Machine) -> None:
    explored = explore_scope(machine.repaired, STATES_MAX)
    assert explored.findings == ()
    assert explored.states > 50


@named
def test_nothing_but_the_step_is_repaired(machine: Machine) -> None:
    bad, repaired = machine.bad, machine.repaired
    assert repaired._replace(subject=bad.subject) == bad
    assert repaired.subject._replace(step=bad.subject.step) == bad.subject


@named
def test_the_story_is_told_as_it_is_kept(
    machine: Machine, pytestconfig: pytest.Config
) -> None:
    told = "\n".join((f"# {machine.bad.about}", "", *_lines(machine), ""))
    path = STORIES / f"{machine.name}.txt"
    if pytestconfig.getoption("--rewrite"):
        path.write_text(told, "utf-8")
    assert path.read_text("utf-8") == told


def _lines(machine: Machine) -> list[str]:
    return list(story(machine.bad, found_in(machine.name)))


def test_every_kept_story_belongs_to_a_machine() -> None:
    assert sorted(STORIES.iterdir()) == sorted(map(_kept, MACHINES))


def _kept(name: str) -> Path:
    return STORIES / f"{name}.txt"


@named
def test_a_story_tells_every_move_once_and_time_never_goes_back(
    machine: Machine,
) -> None:
    lines = _lines(machine)
    numbers = [int(line[:4]) for line in lines if line[:4].strip().isdecimal()]
    assert numbers == list(range(1, len(numbers) + 1))
    steps = list(walk(machine.bad, found_in(machine.name).moves))
    assert all(a.world.now_ms <= b.world.now_ms for a, b in pairwise(steps))


def test_a_doomed_account_is_followed_until_it_is_where_it_was() -> None:
    doomed = [one for one in MACHINES.values() if one.found == DOOMED]
    assert len(doomed) == 3
    for machine in doomed:
        scope, moves = machine.bad, found_in(machine.name).moves
        on = round_after(scope, moves)
        way = (*moves, *on.moves)
        assert len(moves) <= on.back_to < len(way)
        keys = []
        for length in (on.back_to, len(way)):
            *_, last = walk(scope, way[:length])
            keys.append(scope.subject.key(last.after, last.world))
        assert keys[0] == keys[1]
