"""The search sees every state, finds the shortest way, and knows what is doomed."""

import pytest
from toys import BEGIN, WELL, toy

from holdfast.core.events import Fact, TimerFired
from holdfast.replay.explore.forever import round_after
from holdfast.replay.explore.scope import Scope
from holdfast.replay.explore.search import (
    DOOMED,
    BoundError,
    Finding,
    doomed,
    search,
    walk,
)
from holdfast.replay.explore.story import story
from holdfast.replay.explore.world import Actor, World

PEER = Actor.PEER
STATES_MAX = 100


def findings(scope: Scope) -> list[Finding]:
    graph = search(scope, states_max=STATES_MAX)
    return graph.findings or doomed(graph)


def test_each_state_is_seen_once_and_each_move_made_once() -> None:
    ways = {0: [(PEER, 1), (PEER, 2)], 1: [(PEER, 0)], 2: [(PEER, 1), (PEER, 2)]}
    graph = search(toy(ways, healthy=[0]), states_max=STATES_MAX)
    assert (graph.states, graph.transitions) == (3, 5)
    assert graph.pairs == {(str(n), "TimerFired"): len(ways[n]) for n in ways}
    assert doomed(graph) == []


def test_a_counter_without_a_bound_is_an_error_that_names_the_scope() -> None:
    counter = toy(lambda number: [(PEER, number + 1)], healthy=range(1_000))
    with pytest.raises(BoundError, match="toy: more than 100 states"):
        search(counter, states_max=STATES_MAX)


@pytest.mark.parametrize(
    "mistake", [AssertionError("no"), KeyError("no"), ValueError("no")]
)
def test_a_reducer_that_raises_is_a_finding_and_not_a_crash(
    mistake: Exception,
) -> None:
    scope = toy({0: [(PEER, 1)], 1: [(PEER, 2)]}, raises={2: mistake})
    (finding,) = findings(scope)
    assert finding.what == f"it raised {type(mistake).__name__}: {mistake}"
    assert finding.moves == (0, 0)
    told = list(story(scope, finding))
    assert "      timer_fired name=2 due_ms=1" in told
    assert told[-1].endswith(finding.what)


def test_what_no_reducer_raises_for_a_peer_stops_the_search() -> None:
    scope = toy({0: [(PEER, 1)]}, raises={1: KeyboardInterrupt("stop")})
    with pytest.raises(KeyboardInterrupt):
        findings(scope)


def test_the_shortest_way_is_found_though_a_longer_one_comes_first() -> None:
    ways = {0: [(PEER, 1), (PEER, 4)], 1: [(PEER, 2)], 2: [(PEER, 3)], 4: [(PEER, 3)]}
    scope = toy({**ways, 3: [(PEER, 9)]}, broken=[9])
    (finding,) = findings(scope)
    assert finding.what == "[0] here nobody may be"
    assert finding.moves == (1, 0, 0)
    assert [step.after for step in walk(scope, finding.moves)] == [4, 3, 9]


def test_the_search_stops_at_as_many_findings_as_are_asked_for() -> None:
    ways = {0: [(PEER, 1), (PEER, 2)], 1: [(PEER, 8)], 2: [(PEER, 9)]}
    scope = toy(ways, broken=[8, 9])
    for asked in (1, 2):
        graph = search(scope, states_max=STATES_MAX, findings_max=asked)
        assert len(graph.findings) == asked


@pytest.mark.parametrize("actor", Actor)
def test_a_state_that_only_a_program_or_a_person_can_leave_is_doomed(
    actor: Actor,
) -> None:
    scope = toy({0: [(PEER, 1)], 1: [(actor, 2)], 2: [(PEER, 2)]}, healthy=[2])
    found = findings(scope)
    if actor in WELL:
        assert found == []
    else:
        assert found == [Finding("toy", DOOMED, ())]


def test_a_choice_of_the_peer_that_leads_nowhere_is_doomed_where_it_was_made() -> None:
    ways = {0: [(PEER, 1), (PEER, 3)], 1: [(PEER, 2)], 2: [(PEER, 1)], 3: [(PEER, 0)]}
    scope = toy(ways, healthy=[3])
    (finding,) = findings(scope)
    assert finding == Finding("toy", DOOMED, (0,))
    assert round_after(scope, finding.moves) == ((0, 0), 1)
    told = list(story(scope, finding))
    assert told[-1].strip() == "Now all is as it was after move 1."


def test_a_doomed_start_is_told_without_a_move() -> None:
    scope = toy({0: [(PEER, 1)], 1: [(PEER, 0)]})
    (finding,) = findings(scope)
    told = list(story(scope, finding))
    assert finding.moves == ()
    assert told[-1].strip() == "Now all is as it was after move 0."


def test_a_state_that_somebody_was_told_of_is_not_doomed() -> None:
    assert findings(toy({0: [(PEER, 1)], 1: [(PEER, 1)]}, told=[1])) == []


@pytest.mark.parametrize(
    ("world", "is_found"),
    [
        (World(1, running=True), True),
        (World(1, running=True, stopping=True), False),
        (BEGIN, False),
    ],
)
def test_where_nothing_goes_on_is_a_finding_unless_we_stop(
    world: World, *, is_found: bool
) -> None:
    found = findings(toy({0: [(PEER, 1)], 1: [(PEER, 1)]}, healthy=[1], begin=world))
    silent = Finding("toy", "[1] nothing is under way and no timer is set", (0,))
    assert found == ([silent] if is_found else [])


def test_a_timer_that_the_state_does_not_know_of_is_a_finding() -> None:
    scope = toy({0: [(PEER, 0)]}, healthy=[0])
    scope = scope._replace(subject=scope.subject._replace(timers=lambda _: {"toy": 2}))
    (finding,) = findings(scope)
    assert finding.what == "[1] the timers are {'toy': 1000}, not {'toy': 2}"


def test_a_stale_fact_that_changes_something_is_a_finding() -> None:
    scope = toy({0: [(PEER, 0)]}, healthy=[0])
    late = Fact(9, 1, TimerFired("7", 1))
    stale = scope.subject._replace(stale=lambda *_: [late])
    (finding,) = findings(scope._replace(subject=stale))
    assert finding.what == "[2] a stale TimerFired changes something"


def test_progress_is_told_while_the_search_goes_on() -> None:
    told: list[tuple[int, int]] = []
    long = toy(lambda number: [(PEER, (number + 1) % 4_500)], healthy=[0])
    search(
        long, states_max=5_000, progress=lambda seen, left: told.append((seen, left))
    )
    assert [seen for seen, _ in told] == [2, 2_002, 4_002]
